package odata

import "strings"

// ParseSearch parses $search: quoted clauses, each "member:text" or just
// "text", with AND and OR between them, AND binding closer. A clause without
// a member asks every member that s lets be searched.
func ParseSearch(in string, s Schema) (Expr, error) {
	failed := bad("unsupportedQuery", `$search cannot be read. Write it like "displayName:ada" OR "mail:ada".`).On("$search")
	var any, all Expr // all: the clauses since the last OR
	rest := strings.TrimSpace(in)
	for clauses := 0; ; clauses++ {
		if clauses == maxComparisons || len(rest) < 2 || rest[0] != '"' {
			return nil, failed
		}
		clause, after, ok := strings.Cut(rest[1:], `"`)
		if !ok {
			return nil, failed
		}
		e, err := searchClause(clause, s)
		if err != nil {
			return nil, err
		}
		all = join(false, all, e)
		rest = strings.TrimSpace(after)
		switch {
		case rest == "":
			return join(true, any, all), nil
		case strings.HasPrefix(rest, "AND"):
			rest = strings.TrimSpace(rest[3:])
		case strings.HasPrefix(rest, "OR"):
			any, all = join(true, any, all), nil
			rest = strings.TrimSpace(rest[2:])
		default:
			return nil, failed
		}
	}
}

func join(or bool, l, r Expr) Expr {
	if l == nil {
		return r
	}
	return Logic{or, l, r}
}

func searchClause(clause string, s Schema) (Expr, error) {
	member, text, named := strings.Cut(clause, ":")
	if !named {
		var e Expr
		for _, name := range sortedNames(s) {
			if s[name].Search {
				e = join(true, e, Match{"contains", s[name], clause})
			}
		}
		if e != nil && clause != "" {
			return e, nil
		}
		return nil, bad("unsupportedQuery", "This list cannot be searched. Use $filter.").On("$search")
	}
	_, p, ok := s.find(strings.TrimSpace(member))
	if !ok || !p.Search || text == "" {
		return nil, bad("unsupportedQuery", "This list cannot be searched by %q.", clip(member)).On("$search")
	}
	return Match{"contains", p, text}, nil
}
