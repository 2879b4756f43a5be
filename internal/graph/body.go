package graph

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// readBody reads at most maxBody bytes, unpacked. A JSON string that holds
// JSON is unwrapped once (WC-16).
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var from io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
	tooLarge := problem.New(problem.Invalid, "bodyTooLarge", "The body is larger than 4 MiB. Send less at a time.")
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip":
		zr, err := gzip.NewReader(from)
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, problem.New(problem.Invalid, "badRequest", "The body is not gzip, although Content-Encoding says so.").Because(err)
		}
		from = io.LimitReader(zr, maxBody+1)
	default:
		return nil, problem.New(problem.Invalid, "unsupportedEncoding", "This content encoding is not supported. Send gzip, or send the body as it is.")
	}
	body, err := io.ReadAll(from)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok || len(body) > maxBody {
		return nil, tooLarge
	}
	if err != nil {
		return nil, problem.New(problem.Invalid, "badRequest", "The body could not be read to its end. Send it again.").Because(err)
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) > 0 && body[0] == '"' {
		var inner string
		if json.Unmarshal(body, &inner) == nil {
			body = []byte(inner)
		}
	}
	if depth(body) > maxDepth {
		return nil, problem.New(problem.Invalid, "badRequest", "The body has more than %d levels of objects and lists within one another.", maxDepth)
	}
	if !db.StorableJSON(body) {
		return nil, problem.New(problem.Invalid, "badRequest", "A text in the body holds the character NUL. Leave it out.")
	}
	return body, nil
}

const maxDepth = 64

// depth is how deep objects and lists stand within one another in a JSON text.
func depth(text []byte) int {
	now, deepest, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// decode reads the JSON body into v. What v does not know is ignored (WC-19),
// but not inside `cardea` (DO-51).
func (c *Call) decode(v any) error {
	err := json.Unmarshal(c.Body, v)
	if err == nil {
		return unknownOwn(c.Body, v)
	}
	if explained, ok := errors.AsType[*problem.Error](err); ok { // a type that reads itself said why
		return explained
	}
	p := problem.New(problem.Invalid, "badRequest", "The body is not the JSON that is expected here.").Because(err)
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if at := pointer(c.Body, te.Offset); at != "" {
			p = p.On(at)
			p.Detail = "The member " + clipped(at) + " has the wrong JSON type: " + te.Value + "."
		}
	}
	return p
}

// pointer names the value that ends at or stands around offset: the names and
// places on the way to it, as in a JSON pointer, without the first slash.
func pointer(text []byte, offset int64) string {
	type level struct {
		name  string
		place int // in a list; -1 in an object
		key   bool
	}
	var way []level
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return ""
		}
		top := len(way) - 1
		delim, isDelim := token.(json.Delim)
		if isDelim && (delim == '}' || delim == ']') {
			way = way[:top]
			continue
		}
		if top >= 0 && way[top].key { // the name of a member
			way[top].name, _ = token.(string)
			way[top].key = false
			continue
		}
		if top >= 0 && way[top].place >= 0 {
			way[top].name = strconv.Itoa(way[top].place)
			way[top].place++
		}
		if d.InputOffset() >= offset {
			names := make([]string, len(way))
			for i, l := range way {
				names[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(l.name)
			}
			return strings.Join(names, "/")
		}
		if top >= 0 && way[top].place < 0 {
			way[top].key = true
		}
		switch {
		case isDelim && delim == '{':
			way = append(way, level{place: -1, key: true})
		case isDelim:
			way = append(way, level{})
		}
	}
}

// unknownOwn refuses members that do not exist inside the `cardea` of a body
// that was read into v (DO-51).
func unknownOwn(body []byte, v any) error {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || !bytes.Contains(bytes.ToLower(body), []byte(`"cardea"`)) {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if jsonName(f) == "cardea" {
			var own struct {
				Cardea json.RawMessage `json:"cardea"`
			}
			if err := json.Unmarshal(body, &own); err != nil {
				return err
			}
			return unknownIn(own.Cardea, f.Type, "cardea")
		}
	}
	return nil
}

func unknownIn(raw json.RawMessage, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	_, reads := reflect.New(t).Interface().(json.Unmarshaler)
	if t.Kind() != reflect.Struct || reads {
		return nil
	}
	var sent map[string]json.RawMessage
	if json.Unmarshal(raw, &sent) != nil {
		return nil // null, or refused when it was decoded
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f); name != "" {
			fields[strings.ToLower(name)] = f
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		value := sent[name]
		f, ok := fields[strings.ToLower(name)]
		if !ok && !strings.Contains(name, "@") {
			return problem.New(problem.Invalid, "unknownMember", "There is no member %s/%s. Members of Cardea's own are spelled exactly; look at docs/graph-compat.md.", path, clipped(name)).On(path + "/" + clipped(name))
		}
		if ok {
			if err := unknownIn(value, f.Type, path+"/"+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// jsonName is the name of a field on the wire, "" for none.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || !f.IsExported() {
		return ""
	}
	return name
}
