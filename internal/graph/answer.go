package graph

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Answer is what a function of a resource gives back.
type Answer struct {
	Status int
	Header http.Header
	Body   any                     // sent as JSON; nil is no body
	Type   string                  // content type of Stream
	Stream func(w io.Writer) error // instead of Body: written as it comes

	raw []byte // Body, encoded
}

const (
	maxBody  = 4 << 20 // bytes, unpacked too
	jsonType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)

func (a Answer) send(w http.ResponseWriter) error {
	h := w.Header()
	for name, values := range a.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("OData-Version", "4.0")
	if a.Body == nil {
		w.WriteHeader(a.Status)
		return nil
	}
	if a.raw == nil {
		var err error
		if a.raw, err = encode(a.Body); err != nil { // an error of ours that does not encode: a bug, and never half an answer
			w.WriteHeader(http.StatusInternalServerError)
			return err
		}
	}
	h.Set("Content-Type", jsonType)
	if a.Status >= 400 {
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.Status)
	_, err := w.Write(a.raw)
	return err
}

// encode is v as JSON, and a line feed.
func encode(v any) ([]byte, error) {
	if v, ok := v.(interface{ appendJSON([]byte) []byte }); ok {
		return append(v.appendJSON(nil), '\n'), nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// late is the writer of a Stream. It holds the beginning back, so that what
// goes wrong early still gets an error for an answer.
type late struct {
	to      http.ResponseWriter
	answer  Answer
	held    bytes.Buffer
	started bool
}

const maxHeld = 64 << 10

// Write implements io.Writer.
func (l *late) Write(p []byte) (int, error) {
	if !l.started && l.held.Len()+len(p) <= maxHeld {
		return l.held.Write(p)
	}
	if err := l.start(); err != nil {
		return 0, err
	}
	return l.to.Write(p)
}

// start sends the headers and what was held back.
func (l *late) start() error {
	if l.started {
		return nil
	}
	l.started = true
	h := l.to.Header()
	for name, values := range l.answer.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("OData-Version", "4.0")
	h.Set("Content-Type", l.answer.Type)
	l.to.WriteHeader(l.answer.Status)
	_, err := l.to.Write(l.held.Bytes())
	return err
}

// dress encodes the body of an answer and does what Prefer says about it:
// members of Cardea's own are left out on demand (DO-50), values of Graph's
// enums that came after unknownFutureValue are shown on demand only (DO-42).
func (c *Call) dress(a *Answer) error {
	if a.Body == nil {
		return nil
	}
	raw, err := encode(a.Body)
	if err != nil {
		return err
	}
	strip, all := c.prefers("cardea-extensions=none"), c.prefers("include-unknown-enum-members")
	if strip && bytes.Contains(raw, []byte(`"cardea":`)) || !all && holdsNewValue(raw) {
		if raw, err = rewritten(raw, "", strip, !all); err != nil {
			return err
		}
		raw = append(raw, '\n')
	}
	a.raw = raw
	for what, wanted := range map[string]bool{"cardea-extensions=none": strip, "include-unknown-enum-members": all} {
		if wanted {
			a.prefer(what)
		}
	}
	return nil
}

// prefer adds to the preferences that the answer says were met.
func (a *Answer) prefer(what string) {
	h := http.Header{}
	if a.Header != nil {
		h = a.Header.Clone()
	}
	met := append(h.Values("Preference-Applied"), what)
	slices.Sort(met)
	h.Set("Preference-Applied", strings.Join(met, ", "))
	a.Header = h
}

// rewritten is a JSON value, the member called name, without the members of
// Cardea's own (strip) and without values of enums that clients do not know
// (hide).
func rewritten(raw json.RawMessage, name string, strip, hide bool) (json.RawMessage, error) {
	switch trimmed := bytes.TrimSpace(raw); {
	case len(trimmed) == 0:
		return raw, nil
	case trimmed[0] == '{':
		o, err := toObject(json.RawMessage(trimmed))
		if err != nil {
			return nil, err
		}
		out := make(object, 0, len(o))
		for _, m := range o {
			if strip && m.name == "cardea" {
				continue
			}
			if m.value, err = rewritten(m.value, m.name, strip, hide); err != nil {
				return nil, err
			}
			out = append(out, m)
		}
		return encodeRaw(out)
	case trimmed[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(trimmed, &list); err != nil {
			return nil, err
		}
		for i := range list {
			var err error
			if list[i], err = rewritten(list[i], name, strip, hide); err != nil {
				return nil, err
			}
		}
		return encodeRaw(list)
	case hide && trimmed[0] == '"':
		var text string
		if json.Unmarshal(trimmed, &text) == nil {
			if shown := knownValue(name, text); shown != text {
				return encodeRaw(shown)
			}
		}
	}
	return raw, nil
}

func encodeRaw(v any) (json.RawMessage, error) {
	raw, err := encode(v)
	return bytes.TrimSpace(raw), err
}
