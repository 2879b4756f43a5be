package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Ids of the methods, as keys of their policies (PK-7; Password is ours).
const (
	MethodPasskey    = "Fido2"
	MethodAccessPass = "TemporaryAccessPass"
	MethodCode       = "SoftwareOath"
	MethodPassword   = "Password"
)

// MethodPoliciesVersion is the name of the version row that any change of a
// method's policy bumps.
const MethodPoliciesVersion = "methodPolicies"

// AllUsers is the target that contains everybody, guests too (PK-55).
const AllUsers = "all_users"

// MethodPolicy is the part that the policies of all methods share: is the
// method on, and for whom. The method's own package embeds it.
type MethodPolicy struct {
	ID             string                `json:"id"`
	State          string                `json:"state"` // enabled or disabled
	IncludeTargets []MethodTarget        `json:"includeTargets"`
	ExcludeTargets []ExcludeMethodTarget `json:"excludeTargets"`
	Version        int64                 `json:"-"` // 0 as long as nobody changed the defaults
}

// MethodTarget is people who may use a method. ID is the object id of a group
// or user, the template id of a role, or AllUsers.
type MethodTarget struct {
	TargetType             string `json:"targetType"` // group or user
	ID                     string `json:"id"`
	IsRegistrationRequired bool   `json:"isRegistrationRequired"` // stored and echoed, no effect
}

// ExcludeMethodTarget is people who may not, whatever includes them.
type ExcludeMethodTarget struct {
	TargetType string `json:"targetType"`
	ID         string `json:"id"`
}

// DefaultMethodPolicy is a policy for everybody.
func DefaultMethodPolicy(id, state string) MethodPolicy {
	return MethodPolicy{ID: id, State: state, IncludeTargets: []MethodTarget{{TargetType: "group", ID: AllUsers}}, ExcludeTargets: []ExcludeMethodTarget{}}
}

// Refusal says why the method is not for this person: methodDisabled,
// userExcluded or userNotTargeted; "" means that the person may use it.
// memberOf is MemberOf's answer. Exclusion wins (PK-54).
func (p *MethodPolicy) Refusal(memberOf []string, userID string) string {
	if p.State != "enabled" {
		return "methodDisabled"
	}
	in := func(id string) bool { return id == AllUsers || id == userID || slices.Contains(memberOf, id) }
	if slices.ContainsFunc(p.ExcludeTargets, func(t ExcludeMethodTarget) bool { return in(t.ID) }) {
		return "userExcluded"
	}
	if !slices.ContainsFunc(p.IncludeTargets, func(t MethodTarget) bool { return in(t.ID) }) {
		return "userNotTargeted"
	}
	return ""
}

// Applies reports whether the person may use the method.
func (p *MethodPolicy) Applies(memberOf []string, userID string) bool {
	return p.Refusal(memberOf, userID) == ""
}

// RefusalFor is Refusal for the person as stored now.
func (p *MethodPolicy) RefusalFor(ctx context.Context, q db.Querier, userID string) (string, error) {
	memberOf, err := MemberOf(ctx, q, userID)
	if err != nil {
		return "", err
	}
	return p.Refusal(memberOf, userID), nil
}

// Check brings p into the written form and refuses what cannot be stored.
// was is the stored policy: a target that it names may stay although its group
// is gone; a new one must exist (PK-26).
func (p *MethodPolicy) Check(ctx context.Context, q db.Querier, was MethodPolicy) error {
	p.ID, p.Version = was.ID, was.Version
	if p.State != "enabled" && p.State != "disabled" {
		return problem.New(problem.Invalid, "invalidValue", "state is enabled or disabled.").On("state")
	}
	if p.IncludeTargets == nil {
		p.IncludeTargets = []MethodTarget{}
	}
	if p.ExcludeTargets == nil {
		p.ExcludeTargets = []ExcludeMethodTarget{}
	}
	seen := map[string]bool{}
	for i := range p.IncludeTargets {
		t := &p.IncludeTargets[i]
		known := slices.ContainsFunc(was.IncludeTargets, func(o MethodTarget) bool { return o.ID == t.ID })
		if err := checkTarget(ctx, q, &t.TargetType, t.ID, known, seen); err != nil {
			return err.On(fmt.Sprintf("includeTargets/%d", i))
		}
	}
	clear(seen)
	for i := range p.ExcludeTargets {
		t := &p.ExcludeTargets[i]
		known := slices.ContainsFunc(was.ExcludeTargets, func(o ExcludeMethodTarget) bool { return o.ID == t.ID })
		if err := checkTarget(ctx, q, &t.TargetType, t.ID, known, seen); err != nil {
			return err.On(fmt.Sprintf("excludeTargets/%d", i))
		}
	}
	return nil
}

func checkTarget(ctx context.Context, q db.Querier, kind *string, id string, known bool, seen map[string]bool) *problem.Error {
	if seen[id] {
		return problem.New(problem.Invalid, "duplicateTarget", "The target %s stands in the list twice. Name it once.", id)
	}
	seen[id] = true
	switch *kind {
	case "user":
	case "group", "role", "": // a role is targeted as a group
		*kind = "group"
	default:
		return problem.New(problem.Invalid, "invalidValue", "targetType is group or user.")
	}
	if id == AllUsers {
		*kind = "group"
		return nil
	}
	if known {
		return nil
	}
	var err error
	switch {
	case *kind == "user":
		_, err = GetUser(ctx, q, id)
	case RoleName(id) != "":
	default:
		_, err = GetGroup(ctx, q, id)
	}
	if err != nil {
		return problem.New(problem.Invalid, "unknownTarget", "There is no %s with the id %q. Check the id.", *kind, id).Because(err)
	}
	return nil
}

// LoadMethodPolicy decodes the stored document of the method id over into,
// which holds the defaults, and returns its version: 0 if none is stored.
func LoadMethodPolicy(ctx context.Context, q db.Querier, id string, into any) (version int64, err error) {
	var text string
	err = q.QueryRowContext(ctx, `SELECT document, version FROM method_policies WHERE id = $1`, id).Scan(&text, &version)
	if problem.KindOf(db.Err("", err)) == problem.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return 0, fmt.Errorf("stored policy of the method %s: %w", id, err)
	}
	return version, nil
}

// MethodPolicyChange is a checked change of one method's policy.
type MethodPolicyChange struct {
	ID            string
	Before, After any              // documents: JSON of both goes into the audit log (RL-37)
	Version       int64            // of Before, as loaded
	Reset         bool             // back to the defaults, which After holds
	Details       []audit.KeyValue // e.g. impact counts, cardea.force
}

// SaveMethodPolicy stores the change and its audit record. If somebody else
// was faster, the answer is PreconditionFailed.
func SaveMethodPolicy(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, c MethodPolicyChange) error {
	text, err := json.Marshal(c.After)
	if err != nil {
		return err
	}
	// The one statement both inserts the first change and guards every later
	// one: it touches no row unless the stored version is the one we saw.
	res, err := q.ExecContext(ctx, `INSERT INTO method_policies (id, document, updated_at, version) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT), 1
		WHERE CAST($4 AS BIGINT) = 0 OR EXISTS (SELECT 1 FROM method_policies WHERE id = $1)
		ON CONFLICT (id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at, version = method_policies.version + 1
		WHERE method_policies.version = $4`, c.ID, string(text), now.UnixMilli(), c.Version)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		if err != nil {
			return err
		}
		return problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this policy just now. Read it again, then change it.")
	}
	if err := db.Bump(ctx, q, MethodPoliciesVersion); err != nil {
		return err
	}
	activity := "Authentication Methods Policy Update"
	if c.Reset {
		activity = "Authentication Methods Policy Reset"
	}
	t := audit.Target{ID: c.ID, DisplayName: c.ID, Type: "Policy", ModifiedProperties: []audit.Modified{audit.Change(c.ID, c.Before, c.After)}}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: activity, Category: "ApplicationManagement", LoggedByService: "Authentication Methods",
		OperationType: "Update", TargetResources: []audit.Target{t}, AdditionalDetails: c.Details})
}
