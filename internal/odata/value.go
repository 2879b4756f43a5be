package odata

import (
	"strconv"
	"strings"
	"time"
)

// literal reports whether a token looks like a value and not like a name.
func literal(tok string) bool {
	return tok != "" && (tok[0] == '\'' || tok[0] >= '0' && tok[0] <= '9' || tok[0] == '-' || isGUID(tok)) ||
		strings.EqualFold(tok, "true") || strings.EqualFold(tok, "false") || strings.EqualFold(tok, "null")
}

// value reads a literal of kind k as the type the column is stored in; nil is
// null (DO-31).
func (p *parser) value(tok, name string, k Kind) any {
	if p.err != nil {
		return nil
	}
	quoted := len(tok) >= 2 && tok[0] == '\''
	text := tok
	if quoted {
		text = strings.ReplaceAll(tok[1:len(tok)-1], "''", "'")
	} else if strings.EqualFold(tok, "null") {
		return nil
	}
	switch k {
	case String:
		if quoted || isGUID(text) {
			return text
		}
	case Boolean:
		if strings.EqualFold(text, "true") || strings.EqualFold(text, "false") {
			return strings.EqualFold(text, "true")
		}
	case Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && !quoted {
			return n
		}
	case DateTimeOffset:
		if t, ok := moment(text); ok {
			return t
		}
	}
	switch {
	case tok == "":
		p.fail("a value for %s is missing", called(name, p.variable))
	default:
		p.fail("%q is no value for %s", clip(tok), called(name, p.variable))
	}
	return nil
}

// moment reads an ISO 8601 time with Z or an offset, or a date, as Unix
// milliseconds.
func moment(text string) (int64, bool) {
	if len(text) > len("2006-01-02T15:04:05.999999999+00:00") {
		return 0, false
	}
	text = strings.ToUpper(text)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}
