package oidc_test

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/session"
)

// TestAuthorizeRefusals: as long as client and address do not belong together
// the answer is a page; afterwards it goes to the application.
func TestAuthorizeRefusals(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		for _, c := range []struct {
			name   string
			change []string
			page   string // code on our page
			error  string // error at the application
		}{
			{"no client", []string{"client_id", ""}, "parameterMissing", ""},
			{"unknown client", []string{"client_id", "nobody"}, "applicationUnknown", ""},
			{"unknown redirect", []string{"redirect_uri", "https://evil.example/cb"}, "redirectUriUnknown", ""},
			{"redirect with more", []string{"redirect_uri", callback + "/x"}, "redirectUriUnknown", ""},
			{"no redirect, several registered", []string{"redirect_uri", ""}, "parameterMissing", ""},
			{"no response_type", []string{"response_type", ""}, "", "invalid_request"},
			{"implicit", []string{"response_type", "id_token token"}, "", "unsupported_response_type"},
			{"response_mode", []string{"response_mode", "web_message"}, "", "invalid_request"},
			{"no scope", []string{"scope", " "}, "", "invalid_request"},
			{"form to a private scheme", []string{"response_mode", "form_post", "redirect_uri", "com.example.wiki://auth"}, "", "invalid_request"},
			{"no PKCE", []string{"code_challenge", "", "code_challenge_method", ""}, "", "invalid_request"},
			{"plain PKCE", []string{"code_challenge_method", "plain"}, "", "invalid_request"},
			{"PKCE without method is plain", []string{"code_challenge_method", ""}, "", "invalid_request"},
			{"short challenge", []string{"code_challenge", "abc"}, "", "invalid_request"},
			{"unknown prompt", []string{"prompt", "dance"}, "", "invalid_request"},
			{"none with more", []string{"prompt", "none login"}, "", "invalid_request"},
			{"max_age", []string{"max_age", "-1"}, "", "invalid_request"},
			{"request object", []string{"request", "eyJ"}, "", "request_not_supported"},
			{"claims", []string{"claims", "{"}, "", "invalid_request"},
			{"unknown acr", []string{"claims", `{"id_token":{"acr":{"essential":true,"values":["loa9"]}}}`}, "", "unmet_authentication_requirements"},
			{"no consent", []string{"scope", "openid Mail.Read"}, "", "consent_required"},
			{"unknown resource", []string{"scope", "api://nobody/x"}, "", "invalid_resource"},
			{"two resources", []string{"scope", "User.Read " + app.AppID + "/.default"}, "", "invalid_scope"},
			{"id_token_hint", []string{"id_token_hint", "eyJ.x.y"}, "", "invalid_request"},
			{"nonce", []string{"nonce", "\xff"}, "", "invalid_request"},
		} {
			r := w.authorize(request(app, c.change...))
			if c.page != "" {
				if r.status != http.StatusBadRequest || r.location != "" || !strings.Contains(r.body, c.page) || !strings.Contains(r.header.Get("Content-Type"), "text/html") {
					t.Errorf("%s: %d %q, want a page with %s", c.name, r.status, r.location, c.page)
				}
				continue
			}
			if !strings.HasPrefix(r.location, request(app, c.change...).Get("redirect_uri")+"?") {
				t.Errorf("%s: %d %q", c.name, r.status, r.location)
				continue
			}
			a := w.answered(r)
			if a.Get("error") != c.error || a.Get("state") != "xyz" || a.Get("iss") != w.path("/v2.0") || !strings.HasPrefix(a.Get("error_description"), "AADSTS") || a.Has("code") {
				t.Errorf("%s: %v, want %s", c.name, a, c.error)
			}
		}
	})
}

// TestStateReturnsByteForByteWC52 in every response mode (WC-53).
func TestStateReturnsByteForByteWC52(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		field := regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)
		for _, state := range []string{"eyJpZCI6IjEifQ==|x", "a+b c%3D&=#?/", "ünï€", "\xff\x01", "", "'\"<>"} {
			for _, mode := range []string{"", "query", "fragment", "form_post"} {
				v := request(app, "response_mode", mode, "client_info", "1")
				v.Set("state", state)
				r := w.authorize(v)
				var got, again string // by the rules of forms, and of decodeURIComponent
				switch mode {
				case "form_post":
					if !strings.Contains(r.header.Get("Content-Security-Policy"), "form-action https://wiki.example.com;") {
						t.Errorf("CSP: %s", r.header.Get("Content-Security-Policy"))
					}
					fields := map[string]string{}
					for _, m := range field.FindAllStringSubmatch(r.body, -1) {
						fields[m[1]] = html.UnescapeString(m[2])
					}
					if fields["code"] == "" || fields["iss"] != w.path("/v2.0") {
						t.Errorf("form: %v in %s", fields, r.body)
					}
					if state == "\xff\x01" { // HTML is text: no form can carry these bytes
						continue
					}
					got, again = fields["state"], fields["state"]
				default:
					sep := "?"
					if mode == "fragment" {
						sep = "#"
					}
					base, raw, _ := strings.Cut(r.location, sep)
					if base != callback {
						t.Fatalf("%s: %q", mode, r.location)
					}
					q, err := url.ParseQuery(raw)
					if err != nil {
						t.Fatal(err)
					}
					got = q.Get("state")
					for part := range strings.SplitSeq(raw, "&") {
						if text, ok := strings.CutPrefix(part, "state="); ok {
							if again, err = url.PathUnescape(text); err != nil {
								t.Fatal(err)
							}
						}
					}
					info, err := base64.RawURLEncoding.DecodeString(q.Get("client_info"))
					if err != nil || string(info) != `{"uid":"`+w.user.ID+`","utid":"`+w.tid+`"}` {
						t.Errorf("WC-45: %q %v", info, err)
					}
				}
				if got != state || again != state {
					t.Errorf("%s: %q came back as %q and %q", mode, state, got, again)
				}
			}
		}
		if a := w.answered(w.authorize(request(app, "state", "", "nonce", ""))); a.Has("state") || a.Get("code") == "" {
			t.Errorf("WC-55: %v", a)
		}
	})
}

// TestSessionsThatDo: which session answers which request, at once and after
// the person came back from signing in.
func TestSessionsThatDo(t *testing.T) {
	const atOnce, asked, refused = "code", "signin", "error"
	mfa := []string{session.MethodPassword, session.MethodCode, session.MethodMFA}
	cases := []struct {
		name    string
		methods []string
		change  []string
		first   string
		again   []string // proofs on return; nil: no new proof
		back    string   // "" if it never comes to that
	}{
		{"plain", nil, nil, atOnce, nil, ""},
		{"prompt=login", nil, []string{"prompt", "login"}, asked, []string{session.MethodPasskey}, atOnce},
		{"prompt=login, not done", nil, []string{"prompt", "login"}, asked, nil, "login_required"},
		{"prompt=select_account", nil, []string{"prompt", "select_account"}, asked, nil, atOnce},
		{"prompt=consent", nil, []string{"prompt", "consent"}, atOnce, nil, ""},
		{"max_age long", nil, []string{"max_age", "3600"}, atOnce, nil, ""},
		{"max_age over", nil, []string{"max_age", "60"}, asked, []string{session.MethodPasskey}, atOnce},
		{"max_age over, not done", nil, []string{"max_age", "60"}, asked, nil, "login_required"},
		{"max_age=0", nil, []string{"max_age", "0"}, asked, []string{session.MethodPasskey}, atOnce},
		{"acr met by more", nil, []string{"acr_values", "mfa"}, atOnce, nil, ""},
		{"acr met by one of several", mfa, []string{"acr_values", "phr mfa"}, atOnce, nil, ""},
		{"acr not met, then met", mfa, []string{"acr_values", "phr"}, asked, []string{session.MethodPasskey}, atOnce},
		{"acr not met, voluntary", mfa, []string{"acr_values", "phr"}, asked, nil, atOnce},
		{"acr not met, essential", mfa, []string{"claims", `{"id_token":{"acr":{"essential":true,"values":["phr"]}}}`}, asked, nil, "unmet_authentication_requirements"},
		{"login_hint of the person", nil, []string{"login_hint", "ADA@contoso.test"}, atOnce, nil, ""},
		{"login_hint by mail", nil, []string{"login_hint", "ada@mail.contoso.test"}, atOnce, nil, ""},
		{"login_hint of another", nil, []string{"login_hint", "bob@contoso.test"}, asked, nil, atOnce},
		{"login_hint of Entra", nil, []string{"login_hint", "O.CiQ"}, atOnce, nil, ""},
		{"first steps only", []string{session.MethodLink}, nil, asked, nil, "login_required"},
	}
	each(t, func(w *world) {
		app := w.wiki()
		for _, c := range cases {
			w.signOut()
			w.signIn(c.methods...)
			w.pass(10 * time.Minute)
			r := w.authorize(request(app, c.change...))
			none := w.answered(w.authorize(request(app, append(c.change, "prompt", "none")...)))
			if c.first == atOnce {
				if w.answered(r).Get("code") == "" || none.Get("code") == "" {
					t.Errorf("%s: no code at once: %q, silently: %v", c.name, r.location, none)
				}
				continue
			}
			at := w.parse(r.location)
			if at.Path != "/signin" {
				t.Errorf("%s: not asked: %d %q", c.name, r.status, r.location)
				continue
			}
			if p := request(app, c.change...).Get("prompt"); p == "" && none.Get("error") == "" {
				t.Errorf("%s: WC-54: silently %v", c.name, none)
			}
			w.pass(time.Minute)
			if c.again != nil {
				w.signIn(c.again...)
			}
			q := w.parse(w.next(w.get(w.url + "/signin/continue?" + at.RawQuery))).Query()
			if c.back == atOnce && q.Get("code") == "" || c.back != atOnce && q.Get("error") != c.back {
				t.Errorf("%s: after signing in: %v, want %s", c.name, q, c.back)
			}
		}
	})
}

func TestHintOfAnotherPersonNeverYieldsACode(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		id := w.tokens(w.token(redeem(app, w.code(request(app)))))["id_token"].(string)
		if w.code(request(app, "id_token_hint", id)) == "" {
			t.Error("the hint of the person who is signed in")
		}
		other, err := w.ring.Sign("ES256", map[string]any{"iss": w.path("/v2.0"), "oid": "somebody", "aud": app.AppID}, w.time())
		if err != nil {
			t.Fatal(err)
		}
		at := w.parse(w.authorize(request(app, "id_token_hint", other)).location)
		if at.Path != "/signin" {
			t.Fatalf("sent to %s", at)
		}
		q := w.parse(w.next(w.get(w.url + "/signin/continue?" + at.RawQuery))).Query()
		if q.Get("error") != "login_required" {
			t.Errorf("after signing in as the wrong person: %v", q)
		}
	})
}

func TestContinueRefuses(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		at := w.parse(w.authorize(request(app)).location)
		r := w.get(w.url + "/signin/continue?" + at.RawQuery)
		if r.status != http.StatusUnauthorized || !strings.Contains(r.body, "signInIncomplete") || r.location != "" {
			t.Errorf("without a session: %d %q", r.status, r.location)
		}
		w.signIn()
		if r := w.get(w.url + "/signin/continue?flow=garbage"); r.status != http.StatusBadRequest || !strings.Contains(r.body, "flowBroken") {
			t.Errorf("garbage: %d", r.status)
		}
		if r := w.get(w.url + "/signin/continue"); r.location != w.url+"/security-info" {
			t.Errorf("no flow: %d %q", r.status, r.location)
		}
		// The address is taken off the list while the person signs in.
		w.write(func(q db.Querier) error {
			_, err := application.Update(t.Context(), q, actor, w.time(), app.ID, func(a *application.Application) error { a.Web.RedirectURIs = nil; return nil })
			return err
		})
		w.refresh()
		if r := w.get(w.url + "/signin/continue?" + at.RawQuery); r.status != http.StatusBadRequest || !strings.Contains(r.body, "redirectUriUnknown") {
			t.Errorf("address withdrawn: %d %s", r.status, r.body)
		}
		w.pass(2 * time.Hour)
		if r := w.get(w.url + "/signin/continue?" + at.RawQuery); !strings.Contains(r.body, "flowExpired") {
			t.Errorf("too late: %d", r.status)
		}
	})
}

// TestLongState: what authorize takes, the way back from signing in takes too.
func TestLongState(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		state := strings.Repeat("s", 7000)
		at := w.parse(w.authorize(request(app, "state", state)).location)
		w.signIn()
		if q := w.parse(w.next(w.get(w.url + "/signin/continue?" + at.RawQuery))).Query(); q.Get("state") != state || q.Get("code") == "" {
			t.Errorf("%d bytes came back", len(q.Get("state")))
		}
		if r := w.authorize(request(app, "state", strings.Repeat("s", 9000))); r.status != http.StatusBadRequest || !strings.Contains(r.body, "requestTooLarge") {
			t.Errorf("too long: %d", r.status)
		}
	})
}

// TestAuthorizeByPost: cookies do not come with a post from another site.
func TestAuthorizeByPost(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		r := w.post(w.path("/oauth2/v2.0/authorize"), request(app), func(r *http.Request) { r.Header.Set("Origin", "https://wiki.example.com") })
		if r.status != http.StatusSeeOther || !strings.HasPrefix(r.location, w.path("/oauth2/v2.0/authorize?")) {
			t.Fatalf("%d %q", r.status, r.location)
		}
		if a := w.answered(w.get(r.location)); a.Get("code") == "" {
			t.Errorf("%v", a)
		}
	})
}

// TestNativeAddresses: loopback ports (WC-42) and private schemes.
func TestNativeAddresses(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		for _, to := range []string{"http://localhost:51234", "http://localhost:51234/", "com.example.wiki://auth"} {
			at := w.parse(w.authorize(request(app, "redirect_uri", to)).location)
			w.signIn()
			r := w.get(w.url + "/signin/continue?" + at.RawQuery)
			next := r.location // a private scheme is no link on a page
			if strings.HasPrefix(to, "http") {
				next = w.next(r)
			}
			if !strings.HasPrefix(next, to+"?code=") {
				t.Fatalf("%s: %d %q", to, r.status, next)
			}
			u := w.parse(next)
			if w.tokens(w.token(redeem(app, u.Query().Get("code"), "redirect_uri", to)))["access_token"] == "" {
				t.Errorf("%s: no token", to)
			}
			w.signOut()
		}
	})
}

// FuzzAuthorize: whatever stands in the query, the browser is only ever sent to
// an address that is registered or to our own /signin, and nothing breaks.
func FuzzAuthorize(f *testing.F) {
	w := newWorld(f, sqliteOnly(f))
	app := w.wiki()
	f.Add(request(app).Encode())
	f.Add(request(app, "redirect_uri", "https://wiki.example.com.evil.example/cb").Encode())
	f.Add(request(app, "redirect_uri", "http://localhost:80@evil.example/").Encode())
	f.Add("client_id=" + app.AppID + "&redirect_uri=%00&max_age=9999999999&claims=[]")
	f.Add(request(app, "response_mode", "fragment", "prompt", "none").Encode())
	f.Fuzz(func(t *testing.T, query string) {
		if strings.ContainsAny(query, " \r\n\t#\x00\x7f") || len(query) > 9000 {
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.path("/oauth2/v2.0/authorize?")+query, nil)
		if err != nil {
			return
		}
		res, err := w.client.Do(req)
		if err != nil {
			return // net/http refused to send it
		}
		defer res.Body.Close()
		if res.StatusCode >= 500 {
			t.Fatalf("%d for %q", res.StatusCode, query)
		}
		if to := res.Header.Get("Location"); to != "" && !strings.HasPrefix(to, w.url+"/signin?flow=") {
			base := to[:max(0, strings.IndexAny(to+"?", "?#"))]
			if _, ok := app.Redirect(base); !ok {
				t.Fatalf("%q sends the browser to %q", query, to)
			}
		}
	})
}
