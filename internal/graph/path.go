package graph

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// A path below the version, taken apart. "/users('a')/authentication/" and
// "/Users/a/authentication" are the same path.
//
// Two spellings need names: the key of directoryRoles(roleTemplateId='x') is
// the segment "roleTemplateId=x", and the arguments of f(a=5) are args, while
// the segment is "f".
type path struct {
	segments []string
	args     map[string]string
	named    int // place of the key "name=value" of the last parentheses, which may be an argument; 0 for none
}

const maxSegments = 16

var errBadPath = problem.New(problem.Invalid, "badPath", "This path cannot be read. Look at its quotes and percent signs.")

// parsePath reads an escaped path without its version. Each segment is
// percent-decoded exactly once (WC-7), so a %2F stays inside its segment.
func parsePath(escaped string) (path, error) {
	p := path{args: map[string]string{}}
	escaped = strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/") // one trailing slash is allowed (WC-6)
	for part := range strings.SplitSeq(escaped, "/") {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" || len(p.segments) >= maxSegments || !db.Storable(text) {
			return path{}, errBadPath
		}
		open := strings.IndexByte(text, '(')
		if open <= 0 || !strings.HasSuffix(text, ")") {
			p.segments = append(p.segments, text)
			continue
		}
		name, inside := text[:open], text[open+1:len(text)-1]
		key, args, ok := parenthesis(inside)
		if !ok {
			return path{}, errBadPath
		}
		p.segments = append(p.segments, name)
		if key != "" {
			if name, value, ok := strings.Cut(key, "="); ok && strings.HasPrefix(inside, name) {
				p.named, p.args[strings.ToLower(name)] = len(p.segments), value
			}
			p.segments = append(p.segments, key)
		}
		for k, v := range args {
			p.args[k] = v
		}
	}
	return p, nil
}

// parenthesis reads what stands in parentheses: nothing, a quoted or bare key,
// an alternate key name='value', or arguments name=value,….
func parenthesis(in string) (key string, args map[string]string, ok bool) {
	if strings.TrimSpace(in) == "" {
		return "", nil, true
	}
	name, value, named := strings.Cut(in, "=")
	if !named || strings.HasPrefix(in, "'") {
		key, ok = unquote(in)
		return key, nil, ok && key != ""
	}
	if v := strings.TrimSpace(value); strings.HasPrefix(v, "'") && !strings.Contains(strings.ReplaceAll(v[1:], "''", ""), "',") {
		v, ok := unquote(v)
		return strings.TrimSpace(name) + "=" + v, nil, ok
	}
	args = map[string]string{}
	for _, part := range outsideQuotes(in) {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return "", nil, false
		}
		v, ok := unquote(value)
		if !ok {
			return "", nil, false
		}
		args[strings.ToLower(strings.TrimSpace(name))] = v
	}
	return "", args, true
}

// outsideQuotes splits a list at its commas, but not at those within quotes.
func outsideQuotes(in string) []string {
	var out []string
	quoted, from := false, 0
	for i := range len(in) {
		switch in[i] {
		case '\'':
			quoted = !quoted
		case ',':
			if !quoted {
				out = append(out, in[from:i])
				from = i + 1
			}
		}
	}
	return append(out, in[from:])
}

// unquote removes the quotes of 'it”s'; a bare text stays as it is.
func unquote(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "'") {
		return s, !strings.Contains(s, "'")
	}
	if len(s) < 2 || !strings.HasSuffix(s, "'") {
		return "", false
	}
	inner := s[1 : len(s)-1]
	return strings.ReplaceAll(inner, "''", "'"), !strings.Contains(strings.ReplaceAll(inner, "''", ""), "'")
}

// behind is the path with other segments in place of the first n.
func (p path) behind(n int, first ...string) path {
	if p.named > 0 {
		p.named += len(first) - n
	}
	p.segments = append(first, p.segments[n:]...)
	return p
}

// forms are the ways to read the path: what stands in parentheses as name='x'
// is a key, or else the argument of a function.
func (p path) forms() []path {
	if p.named == 0 {
		return []path{p}
	}
	key := path{segments: p.segments, args: maps.Clone(p.args)}
	name, _, _ := strings.Cut(p.segments[p.named], "=")
	delete(key.args, strings.ToLower(name))
	return []path{key, {segments: slices.Delete(slices.Clone(p.segments), p.named, p.named+1), args: p.args}}
}

// match compares the path with a pattern such as "/users/{id}/memberOf" and
// returns what stands at the names in braces. Words match in any case, with or
// without the prefix of a qualified name (WC-5, PK-134).
func (p path) match(pattern []string) (map[string]string, bool) {
	if len(pattern) != len(p.segments) {
		return nil, false
	}
	for i, want := range pattern {
		if want[0] != '{' && !strings.EqualFold(word(p.segments[i]), want) {
			return nil, false
		}
		if want[0] == '{' && p.segments[i][0] == '$' { // /$count, /$ref are words, never keys
			return nil, false
		}
	}
	params := map[string]string{}
	for i, want := range pattern {
		if want[0] == '{' {
			params[want[1:len(want)-1]] = p.segments[i]
		}
	}
	return params, true
}

// word drops the namespace of a qualified function or type name.
func word(segment string) string {
	for _, prefix := range []string{"microsoft.graph.", "graph."} {
		if len(segment) > len(prefix) && strings.EqualFold(segment[:len(prefix)], prefix) {
			return segment[len(prefix):]
		}
	}
	return segment
}

// parseQuery reads a query string. Names of options come back in lower case
// with their $, which beta lets people leave out (DO-27); a name that comes
// twice keeps its first value. "@alias" parameters keep their @.
func parseQuery(raw string, beta bool) (url.Values, error) {
	sent, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problem.New(problem.Invalid, "badQuery", "The query string cannot be read. Look at its percent signs.")
	}
	out := url.Values{}
	for name, values := range sent {
		if !db.Storable(name) || !db.Storable(values[0]) {
			return nil, problem.New(problem.Invalid, "badQuery", "The query string holds the character NUL, or is not UTF-8. Look at its percent signs.")
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if beta && options[name] {
			name = "$" + name
		}
		if !out.Has(name) {
			out.Set(name, values[0])
		}
	}
	return out, nil
}

// knownOptions refuses an option with a $ that does not exist, so that a typo
// never widens what a caller sees (DO-27). Lists look closer.
func knownOptions(q url.Values) error {
	for name := range q {
		if after, ok := strings.CutPrefix(name, "$"); ok && !options[after] && after != "deltatoken" {
			return problem.New(problem.Invalid, "unsupportedQuery", "There is no query option %s. Options of your own have no $.", clipped(name)).On(clipped(name))
		}
	}
	return nil
}

// resolved replaces arguments that name a parameter of the query, with or
// without its @ (wire-compatibility §3.1); what has no value is left out.
func (c *Call) resolved(args map[string]string) map[string]string {
	for name, value := range args {
		alias, ok := strings.CutPrefix(value, "@")
		if !ok {
			continue
		}
		alias = strings.ToLower(alias)
		text := c.Query.Get("@" + alias)
		if text == "" {
			text = c.Query.Get(alias)
		}
		if text, ok = unquote(text); ok && text != "" {
			args[name] = text
		} else {
			delete(args, name)
		}
	}
	return args
}

var options = map[string]bool{"filter": true, "search": true, "select": true, "orderby": true, "top": true, "skip": true, "skiptoken": true, "deltatoken": true, "count": true, "expand": true, "format": true}
