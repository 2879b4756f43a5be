package page

import (
	"bytes"
	"compress/gzip"
	"regexp"
	"slices"
	"strings"
	"testing"

	signinweb "cardea/web/signin"
)

func file(t *testing.T, name string) string {
	t.Helper()
	b, err := signinweb.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func zipped(b []byte) int {
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	z.Write(b)
	z.Close()
	return buf.Len()
}

// TestPages looks at every page in every state: R2 nothing inline, R12 lang and
// no missing text, UX-A1 one main and one visible h1 at a time, a label for
// every field.
func TestPages(t *testing.T) {
	s := renderer(t, contoso)
	s.demo = true
	forbidden := regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|javascript:|<style|<script(?: [^>]*)?>[^<]|ZgotmplZ|https?://[^"]*\.(?:js|css)`)
	missing := regexp.MustCompile(`\[[a-z]+[.a-zA-Z0-9]*\]|\{[a-z]+\}|<no value>`)
	input := regexp.MustCompile(`<input [^>]*>`)
	id := regexp.MustCompile(` id="([^"]+)"`)
	shown := map[string]bool{}
	for _, p := range samples() {
		t.Run(p.file, func(t *testing.T) {
			shown[p.view.name()] = true
			html := rendered(t, s, p.view)
			if m := forbidden.FindString(html); m != "" {
				t.Errorf("R2: %q is not allowed", m)
			}
			if m := missing.FindString(html); m != "" {
				t.Errorf("R12: text missing: %q", m)
			}
			for _, want := range []string{`<html lang="en"`, `<main id="main"`, `<title>`, s.words.text("page.demo"), `href="#main"`} {
				if strings.Count(html, want) != 1 {
					t.Errorf("want %q exactly once", want)
				}
			}
			if h, hidden := strings.Count(html, "<h1"), strings.Count(html, `<section data-step="`); h != max(1, hidden) {
				t.Errorf("%d h1 for %d steps", h, hidden)
			}
			for _, in := range input.FindAllString(html, -1) {
				if strings.Contains(in, `type="hidden"`) || strings.Contains(in, `type="checkbox"`) || strings.Contains(in, " hidden") {
					continue
				}
				m := id.FindStringSubmatch(in)
				if m == nil || !strings.Contains(html, `<label for="`+m[1]+`"`) {
					t.Errorf("UX-A1: no label for %s", in)
				}
				if !strings.Contains(in, "autocomplete=") || strings.Contains(in, "onpaste") {
					t.Errorf("UX-A5: no autocomplete in %s", in)
				}
			}
			ids := map[string]bool{}
			for _, m := range id.FindAllStringSubmatch(html, -1) {
				if ids[m[1]] {
					t.Errorf("id %q twice", m[1])
				}
				ids[m[1]] = true
			}
			for _, m := range regexp.MustCompile(`(?:aria-describedby|aria-labelledby|data-copy|data-show)="([^"]+)"`).FindAllStringSubmatch(html, -1) {
				for ref := range strings.FieldsSeq(m[1]) {
					if !ids[ref] {
						t.Errorf("nothing has the id %q", ref)
					}
				}
			}
		})
	}
	for _, tmpl := range s.pages.Templates() {
		if tmpl.Tree != nil && strings.Contains(tmpl.Tree.Root.String(), `{{template "top"`) && !shown[tmpl.Name()] {
			t.Errorf("no sample shows %q", tmpl.Name())
		}
	}
}

// TestBudget holds ux.md §1.6: a page with all it needs 15 KB, script 5 KB.
func TestBudget(t *testing.T) {
	s := renderer(t, contoso)
	assets := 0
	for _, stem := range []string{"style", "script", "mark"} {
		assets += zipped(s.look.Load().assets[stem].plain)
	}
	if n := zipped(s.look.Load().assets["script"].plain); n > 5<<10 {
		t.Errorf("script: %d bytes", n)
	}
	for _, p := range samples() {
		if n := assets + zipped([]byte(rendered(t, s, p.view))); n > 15<<10 {
			t.Errorf("%s: %d bytes", p.file, n)
		}
	}
}

// TestWords: every text is used, every used text exists, and the words are the
// ones of ux.md §3.7.
func TestWords(t *testing.T) {
	s := renderer(t, contoso)
	names, err := signinweb.Files.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	source, script := "", file(t, "signin.js")
	for _, n := range names {
		source += file(t, "pages/"+n.Name())
	}
	for _, m := range regexp.MustCompile(`\bt "([^"]+)"`).FindAllStringSubmatch(source, -1) {
		if _, ok := s.words[m[1]]; !ok {
			t.Errorf("template uses %q, which is no text", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`\bW\.(\w+)|fill\('(\w+)'`).FindAllStringSubmatch(script, -1) {
		if _, ok := s.words["js."+m[1]+m[2]]; !ok {
			t.Errorf("script uses %q, which is no text", m[1]+m[2])
		}
	}
	computed := regexp.MustCompile(`\.title$|^topic\.|^(flash|event|problem|method|js)\.|^error\.(heading|go)\.|^create\.(account|prompt|pass|required|setup|enrol)(\.lead)?$|^entry\.(pass|code|password)(\.\w+)?$|^error\.(internal|unexplained)$`)
	avoid := regexp.MustCompile(`(?i)credential|webauthn|fido|resident key|backup eligible|aaguid|biometric|passcode|attest|revoked|\btap\b|phone number|2fa`)
	for key, text := range s.words {
		if !computed.MatchString(key) && !strings.Contains(source, `"`+key+`"`) {
			t.Errorf("text %q is used nowhere", key)
		}
		if m := avoid.FindString(text); m != "" {
			t.Errorf("%s says %q (ux.md §3.7)", key, m)
		}
		if strings.ContainsAny(text, `'"<>`) {
			t.Errorf("%s: straight quotes or markup", key)
		}
		if strings.Contains(text, "Passkey") && regexp.MustCompile(`[a-z,] Passkey`).MatchString(text) {
			t.Errorf("%s: passkey in lower case", key)
		}
	}
}

// TestScript: R2 and Trusted Types, by the words the script may not use; and
// PK-124, no signal about an unknown passkey but after a refused registration.
func TestScript(t *testing.T) {
	js := file(t, "signin.js")
	for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "setAttribute('style", ".cookie", "sessionStorage", "`"} {
		if strings.Contains(js, word) {
			t.Errorf("the script uses %s", word)
		}
	}
	if strings.Count(js, "signalUnknownCredential") != 1 || !strings.Contains(js, "if (o.publicKey.rp && D.user && e.rule && e.status < 500) P.signalUnknownCredential") {
		t.Error("UX-C8: signalUnknownCredential only for a signed-in person whose new passkey a rule refused")
	}
}

// TestSlim: what slim drops is neither code nor style.
func TestSlim(t *testing.T) {
	got := slim("// note\n\n  a();\n/* note */\n\tb // stays\n")
	if got != "a();\nb // stays\n" {
		t.Errorf("got %q", got)
	}
}

func TestEscapesWhatPeopleTyped(t *testing.T) {
	html := rendered(t, renderer(t, Brand{Organisation: `<b>"&`}), SignIn{App: `<img src=x>`, Username: `"><script>alert(1)</script>`, Flow: `" data-go="//evil.example`})
	for _, bad := range []string{"<b>", "<img src=x>", "<script>alert", `" data-go="`} {
		if strings.Contains(html, bad) {
			t.Errorf("unescaped %s", bad)
		}
	}
}

// TestPK168: before proof the ways are the same for every name.
func TestPK168SameWaysForEveryName(t *testing.T) {
	s := renderer(t, contoso)
	ada, nobody := rendered(t, s, OtherWays{Username: "ada"}), rendered(t, s, OtherWays{Username: "nobody"})
	if strings.ReplaceAll(ada, "ada", "nobody") != nobody {
		t.Error("the page differs by more than the name")
	}
	for _, way := range []string{"passkey", "pass", "code", "password"} {
		if !strings.Contains(ada, s.words.text("way."+way)) {
			t.Errorf("%s is not offered", way)
		}
	}
}

// TestPrompt covers PK-164 and PK-165: skips, the last of them, and the way out
// for somebody with a problem.
func TestPK164Prompt(t *testing.T) {
	s := renderer(t, contoso)
	for _, row := range []struct {
		skips int
		may   bool
		text  string
	}{{-1, true, ""}, {2, true, s.words.text("create.skips", "n", "2")}, {1, true, s.words.text("create.skip1")}, {0, false, s.words.text("create.skip0", "org", "Contoso")}} {
		html := rendered(t, s, Create{Why: "prompt", SkipsLeft: row.skips})
		if may := strings.Contains(html, `action="/signin/prompt/skip"`); may != row.may {
			t.Errorf("%d skips left: may skip %v", row.skips, may)
		}
		if !strings.Contains(html, row.text) || !strings.Contains(html, `action="/signin/prompt/problem"`) {
			t.Errorf("%d skips left: want %q and a way out", row.skips, row.text)
		}
	}
}

func TestUXM5EveryStoredIDIsSignalled(t *testing.T) {
	html := rendered(t, renderer(t, contoso), SecurityInfo{UserID: "dXNlcg", RPID: "contoso.com", AllIDs: []string{"aQ", "bQ"}})
	if !strings.Contains(html, `data-rp="contoso.com" data-user="dXNlcg" data-ids="aQ bQ"`) {
		t.Error("ids are not on the page")
	}
}

func TestOtpauthOnly(t *testing.T) {
	s := renderer(t, contoso)
	var b bytes.Buffer
	if s.Render(&b, AddCode{URI: "javascript:alert(1)"}, "") == nil {
		t.Error("another scheme was let through")
	}
}

func TestInitial(t *testing.T) {
	got := []string{initial("google"), initial(" élan"), initial(""), initial("\xff")}
	if !slices.Equal(got, []string{"G", "É", "?", "?"}) {
		t.Errorf("got %q", got)
	}
}
