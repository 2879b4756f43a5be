package page

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	signinweb "cardea/web/signin"
)

// Config is what a Renderer needs once.
type Config struct {
	Origin string           // the public URL's origin, "https://id.contoso.com"
	Demo   bool             // demo mode: every page says so
	Now    func() time.Time // the server's clock
	Log    *slog.Logger     // nil means slog.Default
}

// Renderer renders pages in the organisation's brand. It is safe for
// concurrent use; SetBrand changes the look for all pages that follow.
type Renderer struct {
	demo    bool
	now     func() time.Time
	log     *slog.Logger
	origins *http.CrossOriginProtection
	words   words
	console words // of the administration pages
	pages   *template.Template
	look    atomic.Pointer[look]
}

// look is a brand and its assets by stem of their name.
type look struct {
	brand  Brand
	assets map[string]asset
}

// New parses the embedded templates and texts and dresses them in b.
func New(c Config, b Brand) (*Renderer, error) {
	s := &Renderer{demo: c.Demo, now: c.Now, log: c.Log, origins: http.NewCrossOriginProtection()}
	if s.log == nil {
		s.log = slog.Default()
	}
	if c.Origin != "" {
		if err := s.origins.AddTrustedOrigin(c.Origin); err != nil {
			return nil, fmt.Errorf("public origin: %w", err)
		}
	}
	text, err := signinweb.Files.ReadFile("words.en.txt")
	if err != nil {
		return nil, err
	}
	if s.words, err = parseWords(string(text)); err != nil {
		return nil, err
	}
	s.pages, err = template.New("").Option("missingkey=error").Funcs(s.funcs()).ParseFS(signinweb.Files, "pages/*.html")
	if err == nil {
		err = s.loadConsole()
	}
	if err != nil {
		return nil, err
	}
	return s, s.SetBrand(b)
}

// SetBrand changes organisation name, colour, logo and help desk from the next
// page on. With an error nothing changes.
func (s *Renderer) SetBrand(b Brand) error {
	b, err := b.check()
	if err != nil {
		return err
	}
	l := &look{brand: b, assets: map[string]asset{}}
	css, err := signinweb.Files.ReadFile("signin.css")
	if err != nil {
		return err
	}
	l.assets["style"] = newAsset("style.css", "text/css; charset=utf-8", []byte(slim(string(css))+b.css()))
	l.assets["plain"] = newAsset("plain.css", "text/css; charset=utf-8", []byte(".js{display:none!important}\n"))
	js, err := signinweb.Files.ReadFile("signin.js")
	if err != nil {
		return err
	}
	texts := map[string]string{}
	for _, k := range s.words.under("js.") {
		texts[k] = s.words["js."+k]
	}
	list, err := json.Marshal(texts)
	if err != nil {
		return err
	}
	l.assets["script"] = newAsset("script.js", "text/javascript; charset=utf-8", []byte("const W="+string(list)+"\n"+slim(string(js))))
	mark, err := signinweb.Files.ReadFile("mark.svg")
	if err != nil {
		return err
	}
	if err := s.consoleAssets(l.assets); err != nil {
		return err
	}
	l.assets["mark"] = newAsset("mark.svg", "image/svg+xml", mark)
	l.assets["logo"] = l.assets["mark"]
	if b.Logo != nil {
		kind, err := imageType(b.Logo)
		if err != nil {
			return err
		}
		l.assets["logo"] = newAsset("logo.img", kind, b.Logo)
	}
	s.look.Store(l)
	return nil
}

// frame is what every template gets: the view and what surrounds it.
type frame struct {
	Name  string // of the view; its title is the text "<name>.title"
	View  View
	Org   string
	Help  HelpDesk
	Demo  bool
	ID    string // correlation id
	Now   time.Time
	Asset map[string]string // stem to path
	Logo  bool              // the organisation has its own logo
}

// Render writes the page of v. On an error part of it may have been written.
func (s *Renderer) Render(w io.Writer, v View, correlationID string) error {
	l := s.look.Load()
	f := frame{Name: v.name(), View: v, Org: l.brand.Organisation, Help: l.brand.HelpDesk, Demo: s.demo, ID: correlationID,
		Now: s.now(), Asset: map[string]string{}, Logo: l.brand.Logo != nil}
	for stem, a := range l.assets {
		f.Asset[stem] = a.path
	}
	return s.pages.ExecuteTemplate(w, f.Name, f)
}
