package page

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	consoleweb "cardea/web/console"
)

func consoleFile(t *testing.T, name string) string {
	t.Helper()
	b, err := consoleweb.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var consoleSections = []string{"home", "passkey", "users", "user", "groups", "group", "signins", "organisation"}

// TestConsoleFrames: R2 nothing inline, R12 no missing text, one main, one h1,
// the section that is open is marked.
func TestConsoleFrames(t *testing.T) {
	s := renderer(t, contoso)
	s.demo = true
	inline := regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|javascript:|<style|<script(?: [^>]*)?>[^<]|ZgotmplZ`)
	for _, section := range consoleSections {
		html := rendered(t, s, Console{Section: section, Person: `Ada "><script>x`, UserID: "u", Roles: []string{"Global Administrator"}, Providers: []Provider{{Name: `Bit"warden</main>`, AAGUIDs: []string{"x"}}}})
		if m := inline.FindString(html); m != "" {
			t.Errorf("%s: R2: %q is not allowed", section, m)
		}
		if m := regexp.MustCompile(`\[[a-z]+[.a-zA-Z0-9]*\]|<no value>`).FindString(html); m != "" {
			t.Errorf("%s: R12: text missing: %q", section, m)
		}
		for _, want := range []string{`<html lang="en"`, `<main id="main"`, "</main>", "<h1", `aria-current="page"`, s.words.text("page.demo"), `href="#main"`, `href="` + s.look.Load().assets["adminstyle"].path} {
			if strings.Count(html, want) != 1 {
				t.Errorf("%s: %d times %q", section, strings.Count(html, want), want)
			}
		}
	}
}

// TestConsoleScript: R2 and Trusted Types by the words the script may not use;
// promise 7, it talks to the API and to nothing else but for its token.
func TestConsoleScript(t *testing.T) {
	fetches := 0
	var all strings.Builder
	for _, name := range consoleweb.Script {
		js := consoleFile(t, name)
		all.WriteString(js)
		for _, word := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "setAttribute('style", "style:", ".cookie", "localStorage", "sessionStorage", "`", "XMLHttpRequest", "import("} {
			if strings.Contains(js, word) {
				t.Errorf("%s uses %q", name, word)
			}
		}
		fetches += strings.Count(js, "fetch(")
	}
	js := all.String()
	if fetches != 1 || strings.Count(js, "request('/admin/token'") != 1 || strings.Count(js, "request(path") != 2 {
		t.Errorf("%d ways to the network", fetches)
	}
	listed := slices.Clone(consoleweb.Script)
	names, err := consoleweb.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n.Name(), ".js") && !slices.Contains(listed, n.Name()) {
			t.Errorf("%s is in no page", n.Name())
		}
	}
	for _, section := range consoleSections {
		if !regexp.MustCompile(`\b` + section + `(:|,)`).MatchString(consoleFile(t, "console.js")) {
			t.Errorf("the section %s has no page", section)
		}
	}
}

// computedWords are keys that templates and script put together.
var computedWords = regexp.MustCompile(`^(nav|title|lead|kind|type|reason|reason\.count|state|template|way|signin\.filter|signin\.days)\.|^(users|groups)\.(find|total|none|noMatch|new)$|^setting\.(state|self)(\.|$)|^effect\.(allowed|refused)$|^pass\.[A-Z]`)

// TestConsoleWords: every text that is asked for exists, every text is used,
// and none holds straight quotes or markup.
func TestConsoleWords(t *testing.T) {
	s := renderer(t, contoso)
	source := consoleFile(t, "console.html")
	for _, name := range consoleweb.Script {
		source += consoleFile(t, name)
	}
	ask := regexp.MustCompile(`\b(?:w|n|field|button|finder)\('([A-Za-z0-9.]+)'|\bc "([^"]+)"|\['([a-z]+\.[A-Za-z.]+)', |w\([a-z.A-Z]+ \? '([^']+)' : '([^']+)'`)
	asked := 0
	for _, m := range ask.FindAllStringSubmatch(source, -1) {
		for _, key := range m[1:] {
			if key == "" || strings.HasSuffix(key, ".") {
				continue
			}
			asked++
			if _, ok := s.console[key]; !ok {
				t.Errorf("%q is no text", key)
			}
		}
	}
	if asked < 200 {
		t.Fatalf("found only %d uses: the search is broken", asked)
	}
	for key, text := range s.console {
		base := strings.TrimSuffix(key, ".1")
		if !strings.Contains(source, "'"+base+"'") && !strings.Contains(source, `"`+base+`"`) && !computedWords.MatchString(base) {
			t.Errorf("text %q is used nowhere", key)
		}
		if strings.ContainsAny(text, `'"<>`) {
			t.Errorf("%s: straight quotes or markup", key)
		}
		if key != base {
			if _, ok := s.console[base]; !ok {
				t.Errorf("%s is the one of nothing", key)
			}
		}
	}
}

// TestConsoleWarnings: ux.md §2.6, W1 to W7 stand in the form.
func TestConsoleWarnings(t *testing.T) {
	s := renderer(t, contoso)
	for i := range 7 {
		key := fmt.Sprintf("warn.W%d", i+1)
		switch i + 1 {
		case 4: // synced removed: the effect says how many stop, and who has no other
			key = "effect.loseAll"
		case 6: // strict and open profile for one group: the API's own words
			continue
		}
		if _, ok := s.console[key]; !ok {
			t.Errorf("W%d has no text", i+1)
		}
	}
}

// TestConsoleBudget: the script and the style of administration, packed.
func TestConsoleBudget(t *testing.T) {
	s := renderer(t, contoso)
	for stem, most := range map[string]int{"adminscript": 32 << 10, "adminstyle": 6 << 10} {
		if n := zipped(s.look.Load().assets[stem].plain); n > most {
			t.Errorf("%s: %d bytes", stem, n)
		}
	}
}
