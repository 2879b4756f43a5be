package odata

import "strings"

// Expand is a relationship whose objects come with each item.
type Expand struct {
	Name   string   // as the list spells it
	Select []string // nil means the default set
}

// parseExpand reads "members" or "members($select=id,displayName)". One
// relationship per request, no other nested option, no * (§5.1).
func parseExpand(in string, allowed []string) (*Expand, error) {
	failed := func(format string, args ...any) (*Expand, error) {
		return nil, bad("unsupportedQuery", "$expand: "+format, args...).On("$expand")
	}
	name, nested, has := strings.Cut(in, "(")
	sent := strings.TrimSpace(name)
	e := &Expand{}
	for _, n := range allowed {
		if strings.EqualFold(n, sent) {
			e.Name = n
		}
	}
	switch {
	case e.Name != "":
	case len(allowed) == 0:
		return nil, bad("unsupportedQuery", "The query option $expand is not supported here. Leave it out.").On("$expand")
	case strings.Contains(sent, ","):
		return failed("only one relationship per request can be expanded. Send one request for each.")
	default:
		return failed("%q cannot be expanded here. Use %s.", clip(sent), strings.Join(allowed, ", "))
	}
	if !has {
		return e, nil
	}
	inner, rest, closed := strings.Cut(nested, ")")
	if !closed {
		return failed("the parenthesis is not closed.")
	}
	if strings.TrimSpace(rest) != "" {
		return failed("only one relationship per request can be expanded. Send one request for each.")
	}
	option, val, _ := strings.Cut(inner, "=")
	if !strings.EqualFold(strings.TrimSpace(option), "$select") || strings.ContainsAny(val, ";(=$") {
		return failed("only $select can be given for a relationship, as in %s($select=id,displayName).", e.Name)
	}
	names, err := parseSelect(val, "$expand")
	e.Select = names
	return e, err
}
