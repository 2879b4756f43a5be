package page

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
)

// DefaultColour is Cardea's own: a deep green.
const DefaultColour = "#1f5c54"

// Brand is how the organisation shows itself on the pages.
type Brand struct {
	Organisation string // display name; "Cardea" until set-up named it
	Colour       string // #rrggbb; "" means DefaultColour. Any colour is made readable
	Logo         []byte // PNG, JPEG, WebP or SVG file; nil means our own mark
	HelpDesk     HelpDesk
}

// HelpDesk is whom people may call; every part may be "".
type HelpDesk struct {
	Name  string // "IT Service Desk"
	Phone string
	Mail  string
	URL   string // https address of a help page or ticket form
	Hours string // "Monday to Friday, 8:00–18:00"
}

// Any reports whether there is some way to reach the help desk.
func (h HelpDesk) Any() bool { return h.Phone != "" || h.Mail != "" || h.URL != "" }

// check completes the brand and refuses what cannot be shown.
func (b Brand) check() (Brand, error) {
	if b.Organisation == "" {
		b.Organisation = "Cardea"
	}
	if b.Colour == "" {
		b.Colour = DefaultColour
	}
	if _, err := parseColour(b.Colour); err != nil {
		return b, err
	}
	if u, err := url.Parse(b.HelpDesk.URL); b.HelpDesk.URL != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return b, fmt.Errorf("help desk address %q: want an https address", b.HelpDesk.URL)
	}
	if b.Logo != nil {
		if _, err := imageType(b.Logo); err != nil {
			return b, err
		}
	}
	return b, nil
}

// css is the part of the style sheet that carries the colour, in both schemes.
func (b Brand) css() string {
	c, err := parseColour(b.Colour)
	if err != nil {
		c, _ = parseColour(DefaultColour)
	}
	light := c.readable(colour.darker, white, lightPage)
	dark := c.readable(colour.lighter, darkCard)
	return fmt.Sprintf(":root{--brand:%s;--strong:%s;--on:#fff}\n@media(prefers-color-scheme:dark){:root{--brand:%s;--strong:%s;--on:#0d0f11}}\n",
		light, light.darker(.2), dark, dark.lighter(.25))
}

// imageType returns the content type of a logo by its first bytes.
func imageType(b []byte) (string, error) {
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png", nil
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "image/jpeg", nil
	case len(b) > 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return "image/webp", nil
	case strings.Contains(string(b[:min(len(b), 512)]), "<svg"):
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("the logo is no PNG, JPEG, WebP or SVG file")
}
