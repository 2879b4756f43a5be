package page

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestUXA1AnyBrandIsReadable: whatever colour an organisation has, links and
// buttons reach 4.5 : 1 in both schemes.
func TestUXA1AnyBrandIsReadable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.Float64Range(0, 255)
		c := colour{float64(int(part.Draw(t, "r"))), float64(int(part.Draw(t, "g"))), float64(int(part.Draw(t, "b")))}
		light := c.readable(colour.darker, white, lightPage)
		if contrast(light, white) < 4.5 || contrast(light, lightPage) < 4.5 || contrast(light.darker(.2), white) < 4.5 {
			t.Fatalf("%v became %v in light", c, light)
		}
		dark := c.readable(colour.lighter, darkCard)
		text := colour{0x0d, 0x0f, 0x11}
		if contrast(dark, darkCard) < 4.5 || contrast(dark, text) < 4.5 || contrast(dark.lighter(.25), text) < 4.5 {
			t.Fatalf("%v became %v in dark", c, dark)
		}
	})
}

// TestUXA1Palette reads the fixed colours from the style sheet and checks each
// text on each ground it stands on.
func TestUXA1Palette(t *testing.T) {
	css := file(t, "signin.css")
	light, dark, ok := strings.Cut(css, "@media(prefers-color-scheme:dark)")
	if !ok {
		t.Fatal("no dark scheme")
	}
	pick := func(scheme, name string) colour {
		_, rest, found := strings.Cut(scheme, "--"+name+":")
		if !found {
			t.Fatalf("no --%s", name)
		}
		hex := rest[:strings.IndexAny(rest, ";\n")]
		if len(hex) == 4 {
			hex = "#" + strings.Repeat(hex[1:2], 2) + strings.Repeat(hex[2:3], 2) + strings.Repeat(hex[3:4], 2)
		}
		c, err := parseColour(hex)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, scheme := range []string{light, dark} {
		for _, p := range [][2]string{{"fg", "bg"}, {"fg", "card"}, {"fg", "soft"}, {"mut", "bg"}, {"mut", "card"}, {"mut", "soft"}, {"err", "errbg"}, {"err", "card"}, {"ok", "okbg"}, {"warn", "warnbg"}} {
			if r := contrast(pick(scheme, p[0]), pick(scheme, p[1])); r < 4.5 {
				t.Errorf("%s on %s: %.2f", p[0], p[1], r)
			}
		}
		if r := contrast(pick(scheme, "field"), pick(scheme, "card")); r < 3 {
			t.Errorf("edge of a field: %.2f", r)
		}
	}
	if pick(light, "bg") != lightPage || pick(dark, "soft") != darkCard {
		t.Error("colour.go and signin.css disagree about the grounds")
	}
}

func TestBrand(t *testing.T) {
	s := renderer(t, Brand{})
	if html := rendered(t, s, SignIn{}); !strings.Contains(html, "<span>Cardea</span>") {
		t.Error("without a name it is Cardea")
	}
	before := s.look.Load().assets["style"].path
	for _, bad := range []Brand{{Colour: "red"}, {Colour: "#12345"}, {Colour: "#12345g"}, {Logo: []byte("GIF89a")}, {HelpDesk: HelpDesk{URL: "javascript:x"}}} {
		if s.SetBrand(bad) == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	if s.look.Load().assets["style"].path != before {
		t.Error("a refused brand changed the look")
	}
	if err := s.SetBrand(Brand{Organisation: "Contoso", Colour: "#b00020", Logo: []byte("\x89PNG\r\n\x1a\nrest")}); err != nil {
		t.Fatal(err)
	}
	html := rendered(t, s, SignIn{})
	if s.look.Load().assets["style"].path == before || !strings.Contains(html, s.look.Load().assets["logo"].path) || !strings.Contains(html, "<span>Contoso</span>") {
		t.Error("the new brand is not on the page")
	}
}

func TestStatic(t *testing.T) {
	s := renderer(t, contoso)
	style := s.look.Load().assets["style"]
	get := func(method, path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		s.Static().ServeHTTP(w, r)
		return w
	}
	w := get("GET", style.path, "br, gzip")
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, style.plain) {
		t.Error("gzip differs from plain")
	}
	if h := w.Header(); h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("Vary") != "Accept-Encoding" || h.Get("Content-Type") != "text/css; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", h)
	}
	if w := get("GET", style.path, "gzip;q=0"); w.Header().Get("Content-Encoding") != "" || !bytes.Equal(w.Body.Bytes(), style.plain) {
		t.Error("gzip was refused by the client")
	}
	if w := get("GET", "/static/style.olderhash123.css", ""); w.Code != 200 || w.Header().Get("Cache-Control") != "no-cache" || !bytes.Equal(w.Body.Bytes(), style.plain) {
		t.Errorf("R15: another hash is answered with today's file, uncached: %d", w.Code)
	}
	for _, p := range []string{"/static/", "/static/../words.en.txt", "/static/signin.js", "/static/nothing.css"} {
		if w := get("GET", p, ""); w.Code != 404 {
			t.Errorf("%s: %d", p, w.Code)
		}
	}
	if w := get("HEAD", style.path, ""); w.Code != 200 || w.Body.Len() != 0 {
		t.Error("HEAD")
	}
	if w := get("POST", style.path, ""); w.Code != 404 {
		t.Error("POST")
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0": false, "": false, "br": false, "gzip;q=1": true} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

// FuzzWords: the parser never panics, and what it accepts has no empty text.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"a = b\n", "a = b\n  c\n# d\n", " x", "a=\n", "a = b\na = c", "=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		w, err := parseWords(src)
		if err != nil {
			return
		}
		for k, v := range w {
			if strings.TrimSpace(k) != k || k == "" || strings.TrimSpace(v) != v || v == "" {
				t.Errorf("%q = %q", k, v)
			}
		}
	})
}

func TestWordsText(t *testing.T) {
	w := words{"a": "Hello {name}, {n}"}
	for want, pairs := range map[string][]string{"Hello Ada, 2": {"name", "Ada", "n", "2"}, "Hello {n}, 2": {"name", "{n}", "n", "2"}, "Hello {name}, {n}": {"odd"}} {
		if got := w.text("a", pairs...); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := w.text("b"); got != "[b]" {
		t.Errorf("missing: %q", got)
	}
}
