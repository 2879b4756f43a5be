package passkey

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

// readPolicy reads the policy document and its version; 0 is Default.
func readPolicy(ctx context.Context, q db.Querier) (Configuration, int64, error) {
	var stored json.RawMessage
	version, err := directory.LoadMethodPolicy(ctx, q, directory.MethodPasskey, &stored)
	if err != nil || version == 0 {
		return Default(), 0, err
	}
	c, err := Decode(stored)
	return c, version, err
}

// Policy returns the policy document and its ETag (PK-17).
func (k *Keeper) Policy(ctx context.Context, q db.Querier) (Configuration, string, error) {
	c, version, err := readPolicy(ctx, q)
	return c, etag(version), err
}

func etag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// Edit is a change of the policy that somebody wants.
type Edit struct {
	Body    []byte // of a PATCH
	Reset   bool   // back to Default (DELETE); Body does not count then
	Import  bool   // Body is the whole document of an Entra tenant (PK-36)
	IfMatch string // the ETag the caller has seen; "" or "*": whatever is there
	Force   bool   // cardea.force: even if no administrator can sign in afterwards (PK-42)
	Actor   audit.Actor
	At      time.Time
}

// after gives the document that e makes of c.
func (e Edit) after(ctx context.Context, q db.Querier, c Configuration) (Configuration, []Warning, error) {
	targets := targetLookup{ctx: ctx, q: q}
	var next Configuration
	var warnings []Warning
	var err error
	switch {
	case e.Reset:
		next = Default()
		warnings = next.Warnings(targets.known)
	case e.Import:
		next, warnings, err = c.Imported(e.Body, targets.known, newGUID)
	default:
		next, warnings, err = c.Patched(e.Body, targets.known, newGUID)
	}
	if targets.err != nil {
		return Configuration{}, nil, targets.err
	}
	return next, warnings, err
}

// targetLookup answers whether a target exists; it keeps the first failure of
// the database, since the pure half has no errors to carry.
type targetLookup struct {
	ctx context.Context
	q   db.Querier
	err error
}

func (l *targetLookup) known(kind, id string) bool {
	var err error
	switch kind {
	case TargetUser:
		_, err = directory.GetUser(l.ctx, l.q, id)
	case TargetGroup:
		_, err = directory.GetGroup(l.ctx, l.q, id)
	default:
		return directory.RoleName(id) != ""
	}
	if err != nil && problem.KindOf(err) != problem.NotFound && l.err == nil {
		l.err = err
	}
	return err == nil
}

func newGUID() string {
	var g [16]byte
	rand.Read(g[:])
	g[6], g[8] = g[6]&0x0f|0x40, g[8]&0x3f|0x80
	return AAGUID(g).String()
}

// Change applies e and returns the warnings about the result (PK-29).
//
// Errors: what Patched refuses; PreconditionFailed if the policy is no longer
// the one of IfMatch (PK-17); Invalid, wouldLockOutAdministrators (PK-42).
// Document, audit records and version are one transaction.
func (k *Keeper) Change(ctx context.Context, e Edit) ([]Warning, error) {
	// Counting looks at every passkey, so it happens before the transaction.
	// The version makes sure that the document is still the same inside.
	before, version, err := readPolicy(ctx, k.DB)
	if err != nil {
		return nil, err
	}
	if e.IfMatch != "" && e.IfMatch != "*" && e.IfMatch != etag(version) {
		return nil, problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this policy. Read it again, then change it.")
	}
	after, warnings, err := e.after(ctx, k.DB, before)
	if err != nil {
		return nil, err
	}
	impact, err := k.impact(ctx, before, after, e.At, nil)
	if err != nil {
		return nil, err
	}
	err = k.DB.Write(ctx, func(q db.Querier) error {
		forced, err := k.guardPolicy(ctx, q, Compile(before), Compile(after), e.Force)
		if err != nil {
			return err
		}
		c := directory.MethodPolicyChange{ID: directory.MethodPasskey, Before: before, After: after, Version: version, Reset: e.Reset, Details: impact.details()}
		if e.Force {
			c.Details = append(c.Details, audit.KeyValue{Key: "cardea.force", Value: "true"})
		}
		if err := directory.SaveMethodPolicy(ctx, q, e.Actor, e.At, c); err != nil {
			return err
		}
		if forced {
			if err := audit.Write(ctx, q, e.Actor, e.At, audit.Record{ActivityDisplayName: "Override lockout guard", Category: "Policy", LoggedByService: "Cardea",
				OperationType: "Update", TargetResources: []audit.Target{{ID: directory.MethodPasskey, DisplayName: directory.MethodPasskey, Type: "Policy", ModifiedProperties: []audit.Modified{}}}}); err != nil {
				return err
			}
		}
		return recordProfiles(ctx, q, e, before, after)
	})
	if err != nil {
		return nil, err
	}
	_, err = k.Snapshot(ctx)
	return warnings, err
}

// recordProfiles writes one event per profile that was made, changed, deleted
// or newly assigned (reports-and-logs §5).
func recordProfiles(ctx context.Context, q db.Querier, e Edit, before, after Configuration) error {
	write := func(p Profile, what, operation string, was, is any) error {
		t := audit.Target{ID: p.ID, DisplayName: p.Name, Type: "Policy", ModifiedProperties: []audit.Modified{audit.Change("passkeyProfile", was, is)}}
		return audit.Write(ctx, q, e.Actor, e.At, audit.Record{ActivityDisplayName: "Passkey profile " + what, Category: "Policy", LoggedByService: "Cardea",
			OperationType: operation, TargetResources: []audit.Target{t}})
	}
	was, is := before.byID(), after.byID()
	for _, p := range before.PasskeyProfiles {
		if is[p.ID] == nil {
			if err := write(p, "deleted", "Delete", p, nil); err != nil {
				return err
			}
		}
	}
	for _, p := range after.PasskeyProfiles {
		var err error
		if old := was[p.ID]; old == nil {
			err = write(p, "created", "Add", nil, p)
		} else if fmt.Sprint(*old) != fmt.Sprint(p) {
			err = write(p, "updated", "Update", *old, p)
		}
		if err != nil {
			return err
		}
		if from, to := assignments(before, p.ID), assignments(after, p.ID); fmt.Sprint(from) != fmt.Sprint(to) {
			if err := write(p, "assigned", "Assign", from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// assignments lists the targets of a profile.
func assignments(c Configuration, profileID string) []TargetRef {
	refs := []TargetRef{}
	for _, t := range c.IncludeTargets {
		for _, id := range t.AllowedPasskeyProfiles {
			if id == profileID {
				refs = append(refs, TargetRef{t.TargetType, t.ID})
			}
		}
	}
	return refs
}
