package page

import (
	"encoding/json"
	"strings"
	"time"

	consoleweb "cardea/web/console"
)

// Console is a page of administration: a frame that the script of Section
// fills from the API. What it carries is no resource of the API.
type Console struct {
	Section   string // "home", "passkey", "users", "user", "groups", "group", "signins" or "organisation"
	Person    string // who is signed in
	UserID    string
	Roles     []string // names of the person's directory roles
	Metadata  ConsoleMetadata
	Providers []Provider
}

// Provider is somebody who makes passkeys, for choosing by name (PK-100).
type Provider struct {
	Name    string   `json:"name"`
	AAGUIDs []string `json:"ids"`
	Type    string   `json:"type,omitempty"`  // "synced" or "deviceBound" if it makes one kind only
	Model   bool     `json:"model,omitempty"` // a model of the FIDO metadata
}

// ConsoleMetadata is the state of the FIDO metadata (WA-63).
type ConsoleMetadata struct {
	Number     int64     `json:"number"` // 0: none
	Entries    int       `json:"entries"`
	NextUpdate time.Time `json:"nextUpdate"`
	Failed     string    `json:"failed,omitempty"` // why the last fetch did not work
	Damaged    bool      `json:"damaged,omitempty"`
}

func (Console) name() string { return "console" }

// Nav lists the sections that the navigation names, with their addresses.
func (v Console) Nav() [][2]string {
	return [][2]string{{"home", "/admin"}, {"passkey", "/admin/methods/passkey"}, {"users", "/admin/users"}, {"groups", "/admin/groups"},
		{"signins", "/admin/logs/sign-ins"}, {"organisation", "/admin/settings/organisation"}}
}

// At reports whether the page belongs to a section of Nav.
func (v Console) At(section string) bool {
	return v.Section == section || v.Section+"s" == section
}

// Up is the list that the page is one entry of, as an entry of Nav; nil for
// other pages.
func (v Console) Up() []string {
	for _, n := range v.Nav() {
		if v.Section+"s" == n[0] {
			return n[:]
		}
	}
	return nil
}

// loadConsole reads the catalogue and the template of the administration pages.
func (s *Renderer) loadConsole() error {
	text, err := consoleweb.Files.ReadFile("words.en.txt")
	if err != nil {
		return err
	}
	if s.console, err = parseWords(string(text)); err != nil {
		return err
	}
	_, err = s.pages.ParseFS(consoleweb.Files, "console.html")
	return err
}

// consoleAssets adds their style and their script to assets. The parts of the
// script are one module: they share their names, and the catalogue is put
// before them.
func (s *Renderer) consoleAssets(assets map[string]asset) error {
	css, err := consoleweb.Files.ReadFile("console.css")
	if err != nil {
		return err
	}
	assets["adminstyle"] = newAsset("adminstyle.css", "text/css; charset=utf-8", []byte(slim(string(css))))
	texts, err := json.Marshal(s.console)
	if err != nil {
		return err
	}
	var js strings.Builder
	js.WriteString("const W=" + string(texts) + "\n")
	for _, name := range consoleweb.Script {
		part, err := consoleweb.Files.ReadFile(name)
		if err != nil {
			return err
		}
		js.WriteString(slim(string(part)))
	}
	assets["adminscript"] = newAsset("adminscript.js", "text/javascript; charset=utf-8", []byte(js.String()))
	return nil
}
