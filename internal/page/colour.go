package page

import (
	"fmt"
	"math"
	"strconv"
)

// colour is an sRGB colour, each part 0–255.
type colour struct{ r, g, b float64 }

var (
	black     = colour{0, 0, 0}
	white     = colour{255, 255, 255}
	lightPage = colour{0xf5, 0xf3, 0xef} // --bg of signin.css, light
	darkCard  = colour{0x22, 0x25, 0x29} // the lightest dark surface, --soft of signin.css
)

// parseColour reads "#rrggbb".
func parseColour(s string) (colour, error) {
	if len(s) != 7 || s[0] != '#' {
		return colour{}, fmt.Errorf("colour %q: want #rrggbb", s)
	}
	n, err := strconv.ParseUint(s[1:], 16, 24)
	if err != nil {
		return colour{}, fmt.Errorf("colour %q: want #rrggbb", s)
	}
	return colour{float64(n >> 16), float64(n >> 8 & 0xff), float64(n & 0xff)}, nil
}

func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", uint8(math.Round(c.r)), uint8(math.Round(c.g)), uint8(math.Round(c.b)))
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	part := func(v float64) float64 {
		v /= 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(c.r) + 0.7152*part(c.g) + 0.0722*part(c.b)
}

// contrast is the contrast ratio of WCAG 2.2, 1 to 21.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// towards returns c mixed with by share of to, 0–1, rounded to whole parts so
// that what is measured is what is written.
func (c colour) towards(to colour, share float64) colour {
	mix := func(a, b float64) float64 { return math.Round(a + (b-a)*share) }
	return colour{mix(c.r, to.r), mix(c.g, to.g), mix(c.b, to.b)}
}

// lighter raises the lightness by share of what is left to white, and keeps hue
// and saturation: mixing with white alone would make every brand look grey.
func (c colour) lighter(share float64) colour {
	hi, lo := max(c.r, c.g, c.b)/255, min(c.r, c.g, c.b)/255
	light, span := (hi+lo)/2, hi-lo
	if span == 0 {
		return c.towards(white, share)
	}
	saturation := span / (1 - math.Abs(2*light-1))
	next := light + (1-light)*share
	// The parts lie on one line between lo and hi; move that line.
	newSpan := saturation * (1 - math.Abs(2*next-1))
	newLo := next - newSpan/2
	move := func(v float64) float64 { return math.Round((newLo + (v/255-lo)/span*newSpan) * 255) }
	return colour{move(c.r), move(c.g), move(c.b)}
}

// darker is c mixed with black.
func (c colour) darker(share float64) colour { return c.towards(black, share) }

// readable moves c step by step with move (lighter or darker) until it reaches
// 4.5 : 1 against every one of the others, and returns the first that does.
func (c colour) readable(move func(colour, float64) colour, against ...colour) colour {
	try := c
	for step := range 51 {
		try = move(c, float64(step)/50)
		enough := true
		for _, other := range against {
			enough = enough && contrast(try, other) >= 4.5
		}
		if enough {
			return try
		}
	}
	return try
}
