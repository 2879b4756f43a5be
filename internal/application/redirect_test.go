package application_test

import (
	"net/url"
	"strings"
	"testing"

	"cardea/internal/application"
)

func TestCheckRedirect(t *testing.T) {
	const web, spa, public = application.WebRedirect, application.SPARedirect, application.PublicRedirect
	for _, c := range []struct {
		uri  string
		kind application.RedirectType
		ok   bool
	}{
		{"https://app.example.com/callback", web, true},
		{"https://app.example.com", web, true},
		{"https://app.example.com/cb?tenant=1", web, true},
		{"https://app.example.com:8443/cb", spa, true},
		{"http://localhost", public, true},
		{"http://localhost:3000/cb", spa, true},
		{"http://127.0.0.1/cb", web, true},
		{"http://[::1]:8080/", public, true},
		{"com.example.app://auth", public, true},
		{"msauth.com.example://auth", public, true},
		{"com.example.app://auth", web, false},
		{"com.example.app://auth", spa, false},
		{"http://app.example.com/cb", web, false},
		{"http://localhost.evil.example/", public, false},
		{"http://127.0.0.1.evil.example/", public, false},
		{"http://127.0.0.2/", public, false},
		{"https://*.example.com/cb", web, false},
		{"https://app.example.com/*", web, false},
		{"https://app.example.com/cb#x", web, false},
		{"https://app.example.com/cb#", web, false},
		{"https://user@app.example.com/", web, false},
		{"https://localhost@evil.example/", web, false},
		{"https:///cb", web, false},
		{"https://my_app.example.com/cb", web, true},
		{"https://a;b.example.com/cb", web, false},
		{"https://a'b.example.com/cb", web, false},
		{"https://a,b/cb", web, false},
		{"https:app.example.com", web, false},
		{"//app.example.com/cb", web, false},
		{"/cb", web, false},
		{"", web, false},
		{"HTTPS://app.example.com/", web, false},
		{"https://app.example.com/a b", web, false},
		{"https://app.example.com\\@evil.example/", web, false},
		{"https://app.example.com/\r\nSet-Cookie:x", web, false},
		{"https://åpp.example.com/", web, false},
		{"javascript:alert(1)", public, false},
		{"data:text/html,x", public, false},
		{"file:///etc/passwd", public, false},
		{"https://app.example.com/" + strings.Repeat("a", 1024), web, false},
	} {
		if err := application.CheckRedirect(c.uri, c.kind); (err == nil) != c.ok {
			t.Errorf("%q as %s: %v, want ok=%v", c.uri, c.kind, err, c.ok)
		}
	}
}

func TestMatchRedirectWC42(t *testing.T) {
	for _, c := range []struct {
		registered, asked string
		ok                bool
	}{
		{"https://app.example.com/cb", "https://app.example.com/cb", true},
		{"com.example.app://auth", "com.example.app://auth", true},
		{"http://localhost", "http://localhost:51234", true},
		{"http://localhost", "http://localhost:51234/", true},
		{"http://localhost/yubienroll-redirect", "http://localhost:51234/yubienroll-redirect", true},
		{"http://localhost:3000/cb", "http://localhost:4000/cb", true},
		{"http://127.0.0.1/cb", "http://127.0.0.1:9/cb", true},
		{"http://[::1]/cb", "http://[::1]:9/cb", true},
		{"http://localhost/cb?x=1", "http://localhost:1/cb?x=1", true},

		{"https://app.example.com/cb", "https://app.example.com/cb/", false},
		{"https://app.example.com/cb", "https://app.example.com/CB", false},
		{"https://app.example.com/cb", "https://app.example.com/cb?x=1", false},
		{"https://app.example.com/cb", "https://app.example.com:443/cb", false},
		{"https://app.example.com/cb", "https://app.example.com/cb#x", false},
		{"https://app.example.com/cb", "https://evil.example/cb", false},
		{"https://localhost/cb", "https://localhost:8443/cb", false},
		{"http://localhost/cb", "http://localhost:1/other", false},
		{"http://localhost/cb", "http://localhost:1/cb?x=1", false},
		{"http://localhost/cb", "http://127.0.0.1:1/cb", false},
		{"http://localhost", "http://localhost.evil.example", false},
		{"http://localhost", "http://localhost:1@evil.example/", false},
		{"http://localhost", "http://localhost:x/", false},
		{"http://localhost", "http://localhost:/", false},
		{"http://localhost", "http://localhost:123456/", false},
		{"http://localhost", "http://user@localhost/", false},
		{"http://localhost/cb", "http://localhost:1/cb#x", false},
		{"http://localhost/cb", "http://localhost\\@evil.example/cb", false},
		{"http://localhost/cb", "http://LOCALHOST/cb", false},
		{"http://localhost/cb", "", false},
	} {
		if got := application.MatchRedirect(c.registered, c.asked); got != c.ok {
			t.Errorf("%q asked as %q: %v, want %v", c.registered, c.asked, got, c.ok)
		}
	}
}

// FuzzMatchRedirect: what matches a registered address is that address, or is
// read by Go's parser as plain http to the very loopback name registered.
func FuzzMatchRedirect(f *testing.F) {
	for _, s := range []string{"http://localhost:1/cb", "http://localhost@evil.example/cb", "http://localhost:1\\.evil.example/cb", "http://[::1]:7/cb", "http://localhost?x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		for _, registered := range []string{"https://app.example.com/cb", "http://localhost/cb", "http://localhost", "http://127.0.0.1/cb?x=1", "http://[::1]/cb"} {
			if !application.MatchRedirect(registered, asked) || registered == asked {
				continue
			}
			want, err := url.Parse(registered)
			if err != nil {
				t.Fatal(err)
			}
			got, err := url.Parse(asked)
			if err != nil || got.Scheme != "http" || got.Hostname() != want.Hostname() || got.User != nil || got.Fragment != "" || got.RawQuery != want.RawQuery ||
				strings.TrimSuffix(got.EscapedPath(), "/") != strings.TrimSuffix(want.EscapedPath(), "/") {
				t.Fatalf("%q matches %q", asked, registered)
			}
		}
	})
}

// FuzzCheckRedirect: what may be registered parses, has a scheme, and cannot
// break out of a header or an attribute.
func FuzzCheckRedirect(f *testing.F) {
	f.Add("https://app.example.com/cb")
	f.Add("com.example:/x")
	f.Add("http://localhost\n")
	f.Fuzz(func(t *testing.T, uri string) {
		for _, kind := range []application.RedirectType{application.WebRedirect, application.PublicRedirect} {
			if application.CheckRedirect(uri, kind) != nil {
				continue
			}
			u, err := url.Parse(uri)
			if err != nil || u.Scheme == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(uri, "\r\n\t \"<>\\*#") {
				t.Fatalf("%q may be registered as %s", uri, kind)
			}
			if kind == application.WebRedirect && u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1") {
				t.Fatalf("%q may be registered as %s", uri, kind)
			}
		}
	})
}
