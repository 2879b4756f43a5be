package graph

import (
	"net/url"
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
	for part := range strings.SplitSeq(in, ",") {
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

var options = map[string]bool{"filter": true, "search": true, "select": true, "orderby": true, "top": true, "skip": true, "skiptoken": true, "deltatoken": true, "count": true, "expand": true, "format": true}
