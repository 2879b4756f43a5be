package condaccess

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cardea/internal/db"
	"cardea/internal/odata"
	"cardea/internal/problem"
)

// damaged is a stored document that cannot be read: no fault of a caller.
func damaged(what string, err error) error { return fmt.Errorf("stored %s: %v", what, err) }

func (x *row) strength() (Strength, error) {
	s, err := decodeStrength(x.document)
	s.ID, s.PolicyType, s.Version = x.id, Custom, x.version
	created, modified := db.Time(x.created), db.Time(max(x.created, x.modified))
	s.CreatedDateTime, s.ModifiedDateTime = &created, &modified // neither is null in Graph
	return s, err
}

// Strength returns a built-in or a custom strength. An unknown one is NotFound.
func (k *Keeper) Strength(ctx context.Context, q db.Querier, id string) (Strength, error) {
	for _, s := range builtIn {
		if s.ID == id {
			return s, nil
		}
	}
	x, err := getRow(ctx, q, sortStrength, id, false)
	if err != nil {
		return Strength{}, err
	}
	return x.strength()
}

// Strengths returns all strengths, the built-in ones first.
func (k *Keeper) Strengths(ctx context.Context, q db.Querier) ([]Strength, error) {
	out := BuiltInStrengths()
	rows, err := allRows(ctx, q, sortStrength)
	if err != nil {
		return nil, err
	}
	for _, x := range rows {
		s, err := x.strength()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// The built-in strengths as rows, so that $filter can be asked of all. It holds
// our own text only.
var strengthTable, combinationTable = func() (string, string) {
	strengths, combinations := `SELECT id, display_key, 'custom' AS policy_type FROM ca_objects WHERE sort = 'strength' AND deleted_at = 0`, `SELECT strength_id, modes FROM ca_combinations`
	for _, s := range builtIn {
		strengths += ` UNION ALL SELECT '` + s.ID + `', '` + strings.ToLower(s.DisplayName) + `', 'builtin'`
		for _, c := range s.AllowedCombinations {
			combinations += ` UNION ALL SELECT '` + s.ID + `', '` + strings.ToLower(string(c)) + `'`
		}
	}
	return `WITH strengths (id, display_key, policy_type) AS (` + strengths + `), combinations (strength_id, modes) AS (` + combinations + `) `, `combinations c WHERE TRUE`
}()

// StrengthSchema says what $filter and $orderby may name on strengths.
var StrengthSchema = odata.Schema{
	"id":          {Column: "id", Folded: true},
	"displayName": {Column: "display_key", Folded: true, Sort: true},
	"policyType":  {Column: "policy_type", Folded: true},
	"allowedCombinations": {Items: &odata.Items{From: combinationTable, Owner: "c.strength_id", Row: "strengths.id",
		Members: odata.Schema{"": {Column: "c.modes", Folded: true, More: []string{"has"}}}}},
}

// StrengthPaging is the page size and the usual order of strengths: by id, so
// that the built-in ones come first.
var StrengthPaging = odata.Paging{Default: 100, Max: 999, Skip: true}

// FindStrengths returns one page of strengths, and one more if there is a next
// page.
func (k *Keeper) FindStrengths(ctx context.Context, d db.Querier, q odata.Query) ([]Strength, error) {
	s := new(odata.SQL).Text(strengthTable+`SELECT id FROM strengths WHERE `).Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	ids, err := db.Collect(rows, err, scanID)
	if err != nil {
		return nil, err
	}
	all, err := k.Strengths(ctx, d)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]Strength, len(all))
	for _, one := range all {
		byID[one.ID] = one
	}
	out := make([]Strength, 0, len(ids))
	for _, id := range ids {
		if one, ok := byID[id]; ok {
			out = append(out, one)
		}
	}
	return out, nil
}

// CountStrengths returns how many strengths q selects, on all pages.
func (k *Keeper) CountStrengths(ctx context.Context, d db.Querier, q odata.Query) (n int64, err error) {
	s := new(odata.SQL).Text(strengthTable + `SELECT count(*) FROM strengths WHERE `).Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// CreateStrength stores the strength of e.Body; its configurations get ids.
func (k *Keeper) CreateStrength(ctx context.Context, e Edit) (Strength, Checked, error) {
	s, err := ReadStrength(e.Body)
	if err != nil {
		return s, Checked{}, err
	}
	s.ID = db.NewID(e.At)
	return k.saveStrength(ctx, e, created(s))
}

// UpdateStrength changes a strength by the PATCH in e.Body.
func (k *Keeper) UpdateStrength(ctx context.Context, id string, e Edit) (Strength, Checked, error) {
	return k.changeStrength(ctx, id, e, func(s Strength) (Strength, error) { return s.Patched(e.Body) })
}

// Combined is what changing the combinations of a strength tells: Graph's
// updateAllowedCombinationsResult.
type Combined struct {
	AdditionalInformation       *string       `json:"additionalInformation"`
	ConditionalAccessReferences []string      `json:"conditionalAccessReferences"`
	CurrentCombinations         []Combination `json:"currentCombinations"`
	PreviousCombinations        []Combination `json:"previousCombinations"`
}

// UpdateCombinations replaces the combinations of a strength by those of e.Body.
func (k *Keeper) UpdateCombinations(ctx context.Context, id string, e Edit) (Combined, Checked, error) {
	out := Combined{ConditionalAccessReferences: []string{}}
	list, err := ReadCombinations(e.Body)
	if err != nil {
		return out, Checked{}, err
	}
	_, checked, err := k.changeStrength(ctx, id, e, func(s Strength) (Strength, error) {
		out.PreviousCombinations = s.AllowedCombinations
		next, err := s.WithCombinations(list)
		out.CurrentCombinations = next.AllowedCombinations
		return next, err
	})
	if err != nil {
		return out, checked, err
	}
	by, err := k.using(ctx, k.DB, KindStrength, strings.ToLower(id))
	for _, p := range by {
		out.ConditionalAccessReferences = append(out.ConditionalAccessReferences, p.ID)
	}
	return out, checked, err
}

// PutConfiguration adds the configuration of e.Body to a strength, or, with an
// id, changes that one by it. It returns the configuration as it is now.
func (k *Keeper) PutConfiguration(ctx context.Context, strengthID, id string, e Edit) (Configuration, Checked, error) {
	var c Configuration
	_, checked, err := k.changeStrength(ctx, strengthID, e, func(s Strength) (Strength, error) {
		var err error
		if id == "" {
			c, err = ReadConfiguration(e.Body)
			c.ID = db.NewID(e.At)
		} else {
			i := s.configuration(id)
			if i < 0 {
				return s, noConfiguration(id)
			}
			c, err = s.CombinationConfigurations[i].Patched(e.Body)
		}
		if err != nil {
			return s, err
		}
		return s.WithConfiguration(c)
	})
	return c, checked, err
}

// DeleteConfiguration takes a configuration away.
func (k *Keeper) DeleteConfiguration(ctx context.Context, strengthID, id string, e Edit) (Checked, error) {
	_, checked, err := k.changeStrength(ctx, strengthID, e, func(s Strength) (Strength, error) {
		next, ok, err := s.WithoutConfiguration(id)
		if err == nil && !ok {
			err = noConfiguration(id)
		}
		return next, err
	})
	return checked, err
}

func noConfiguration(id string) error {
	return problem.New(problem.NotFound, "notFound", "The authentication strength has no combination configuration %s.", escape(id))
}

// Usage lists the policies that demand a strength, as Graph's
// authenticationStrengthUsage: those that ask for MFA by it, and others.
type Usage struct {
	MFA  []Policy `json:"mfa"`
	None []Policy `json:"none"`
}

// StrengthUsage answers usage().
func (k *Keeper) StrengthUsage(ctx context.Context, q db.Querier, id string) (Usage, error) {
	u := Usage{MFA: []Policy{}, None: []Policy{}}
	s, err := k.Strength(ctx, q, id)
	if err != nil {
		return u, err
	}
	by, err := k.using(ctx, q, KindStrength, s.ID)
	if s.RequirementsSatisfied == ForMFA {
		u.MFA = append(u.MFA, by...)
	} else {
		u.None = append(u.None, by...)
	}
	return u, err
}

// DeleteStrength removes a custom strength. One that policies demand is refused
// with stillReferenced (CA-93), a built-in one with builtInStrength.
func (k *Keeper) DeleteStrength(ctx context.Context, id string, e Edit) error {
	for _, s := range builtIn {
		if s.ID == id {
			return s.custom()
		}
	}
	return k.removed(ctx, e, sortStrength, id, func(q db.Querier, x row) (any, string, error) {
		was, err := x.strength()
		if err != nil {
			return nil, "", err
		}
		if err := k.unused(ctx, q, KindStrength, x); err != nil {
			return nil, "", err
		}
		_, err = q.ExecContext(ctx, `DELETE FROM ca_combinations WHERE strength_id = $1`, x.id)
		return was, was.DisplayName, err
	})
}

func (k *Keeper) changeStrength(ctx context.Context, id string, e Edit, to func(Strength) (Strength, error)) (Strength, Checked, error) {
	return k.saveStrength(ctx, e, edited(e, func(q db.Querier) (Strength, error) { return k.Strength(ctx, q, id) }, to))
}

func (k *Keeper) saveStrength(ctx context.Context, e Edit, to step[Strength]) (Strength, Checked, error) {
	return saved(ctx, k, e, to, func(q db.Querier, e Edit, was *Strength, next Strength, c *Checked) (Strength, error) {
		next.name(was, e.At)
		c.Warnings = next.Warnings()
		if was != nil {
			var err error
			if c.Guard, err = k.guarded(ctx, q, e, func(s *Source) { s.Strengths = replaced(s.Strengths, next) }); err != nil {
				return next, err
			}
			c.warn(e.Actor.UserID)
		}
		if err := storeStrength(ctx, q, was, next, e); err != nil {
			return next, err
		}
		return k.Strength(ctx, q, next.ID)
	})
}

// name gives ids to the configurations that have none of before.
func (s *Strength) name(before *Strength, now time.Time) {
	list := make([]Configuration, len(s.CombinationConfigurations))
	for i, c := range s.CombinationConfigurations {
		if before == nil || before.configuration(c.ID) < 0 && !isGUID(c.ID) {
			c.ID = db.NewID(now)
		}
		list[i] = c
	}
	s.CombinationConfigurations = list
}

func storeStrength(ctx context.Context, q db.Querier, was *Strength, next Strength, e Edit) error {
	stored := next
	stored.ID, stored.CreatedDateTime, stored.ModifiedDateTime = "", nil, nil
	document, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	c := storing(row{id: next.ID, sort: sortStrength, name: next.DisplayName, state: next.RequirementsSatisfied, document: document}, was, next)
	if err := c.save(ctx, q, e); err != nil {
		return err
	}
	if _, err := q.ExecContext(ctx, `DELETE FROM ca_combinations WHERE strength_id = $1`, next.ID); err != nil {
		return err
	}
	for _, one := range next.AllowedCombinations {
		if _, err := q.ExecContext(ctx, `INSERT INTO ca_combinations (strength_id, modes) VALUES ($1, $2)`, next.ID, strings.ToLower(string(one))); err != nil {
			return err
		}
	}
	return nil
}
