package passkey

import (
	"context"
	"database/sql"

	"cardea/internal/db"
	"cardea/internal/directory"
)

// population is who is in which group and has which role, all of it, in
// memory: for questions about everybody, where asking person by person would
// take minutes.
type population struct {
	above          map[string][]string // member: groups it is in directly
	roles          map[string][]string
	administrators map[string]bool
	password, code map[string]bool // people who have the method
	passwords      directory.MethodPolicy
	codes          directory.MethodPolicy
	closed         map[string][]string // group: itself and every group around it
}

func loadPopulation(ctx context.Context, q db.Querier) (*population, error) {
	p := &population{above: map[string][]string{}, roles: map[string][]string{}, administrators: map[string]bool{},
		password: map[string]bool{}, code: map[string]bool{}, closed: map[string][]string{}}
	pairs := func(text string, each func(a, b string)) error {
		rows, err := q.QueryContext(ctx, text)
		_, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error {
			var a, b string
			if err := r.Scan(&a, &b); err != nil {
				return err
			}
			each(a, b)
			return nil
		})
		return err
	}
	if err := pairs(`SELECT member_id, group_id FROM group_members`, func(m, g string) { p.above[m] = append(p.above[m], g) }); err != nil {
		return nil, err
	}
	if err := pairs(directory.AllHoldersSQL, func(u, role string) {
		p.roles[u] = append(p.roles[u], role)
		if role == directory.GlobalAdministrator {
			p.administrators[u] = true
		}
	}); err != nil {
		return nil, err
	}
	if err := pairs(`SELECT user_id, '' FROM passwords`, func(u, _ string) { p.password[u] = true }); err != nil {
		return nil, err
	}
	if err := pairs(`SELECT DISTINCT user_id, '' FROM oath_tokens`, func(u, _ string) { p.code[u] = true }); err != nil {
		return nil, err
	}
	var err error
	if p.passwords, err = directory.GetMethodPolicy(ctx, q, directory.MethodPassword); err != nil {
		return nil, err
	}
	p.codes, err = directory.GetMethodPolicy(ctx, q, directory.MethodCode)
	return p, err
}

// memberOf is directory.MemberOf without the database.
func (p *population) memberOf(userID string) []string {
	direct := p.above[userID]
	if len(direct) == 1 && len(p.roles[userID]) == 0 { // most people
		return p.around(direct[0])
	}
	seen := map[string]bool{}
	var out []string
	for _, g := range direct {
		for _, id := range p.around(g) {
			if !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	return append(out, p.roles[userID]...)
}

// around lists a group and every group that contains it, circles included.
func (p *population) around(group string) []string {
	if done, ok := p.closed[group]; ok {
		return done
	}
	out, seen := []string{group}, map[string]bool{group: true}
	for i := 0; i < len(out); i++ {
		for _, g := range p.above[out[i]] {
			if !seen[g] {
				seen[g] = true
				out = append(out, g)
			}
		}
	}
	p.closed[group] = out
	return out
}

// hasOtherMFA is the guard's question, without the database.
func (p *population) hasOtherMFA(userID string, memberOf []string) bool {
	return p.password[userID] && p.code[userID] && p.passwords.Applies(memberOf, userID) && p.codes.Applies(memberOf, userID)
}
