package condaccess

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// VersionName is the version row that every change of a policy, location,
// strength or context bumps.
const VersionName = "conditionalAccess"

// Keeper keeps the policies of an organisation and what they name. One per
// process, safe for concurrent use.
type Keeper struct {
	DB        *db.DB
	Passkeys  *passkey.Keeper
	AdminApps []string // client ids that MicrosoftAdminPortals stands for: the admin centre and its API
	Office365 []string // client ids that Office365 stands for

	load sync.Mutex // one reading at a time
	held atomic.Pointer[held]
}

// held is the compiled snapshot and the version row it was read under.
type held struct {
	version  int64
	snapshot *Snapshot
}

// Snapshot returns the policies as they are in the database now. It costs one
// small read.
func (k *Keeper) Snapshot(ctx context.Context) (*Snapshot, error) {
	v, err := db.Version(ctx, k.DB, VersionName)
	if err != nil {
		return nil, err
	}
	return k.SnapshotAt(ctx, v)
}

// SnapshotAt returns the policies of a version row that was just read together
// with other data, so that a change counts from the next sign-in on, on every
// node (CA-21).
func (k *Keeper) SnapshotAt(ctx context.Context, version int64) (*Snapshot, error) {
	if h := k.held.Load(); h != nil && h.version >= version {
		return h.snapshot, nil
	}
	k.load.Lock()
	defer k.load.Unlock()
	if h := k.held.Load(); h != nil && h.version >= version {
		return h.snapshot, nil
	}
	// The version is read before the rows: a change in between is read twice
	// rather than never.
	version, err := db.Version(ctx, k.DB, VersionName)
	if err != nil {
		return nil, err
	}
	src, err := k.source(ctx, k.DB)
	if err != nil {
		return nil, err
	}
	h := &held{version, Compile(src)}
	k.held.Store(h)
	return h.snapshot, nil
}

// source reads everything that a snapshot is made of.
func (k *Keeper) source(ctx context.Context, q db.Querier) (Source, error) {
	src := Source{Office365: k.Office365, AdminPortals: k.AdminApps}
	policies, err := allRows(ctx, q, sortPolicy)
	if err != nil {
		return src, err
	}
	locations, err := allRows(ctx, q, sortLocation)
	if err != nil {
		return src, err
	}
	strengths, err := allRows(ctx, q, sortStrength)
	if err != nil {
		return src, err
	}
	for _, r := range policies {
		p, err := r.policy()
		if err != nil {
			return src, err
		}
		src.Policies = append(src.Policies, p)
	}
	for _, r := range locations {
		l, err := r.location()
		if err != nil {
			return src, err
		}
		src.Locations = append(src.Locations, l)
	}
	for _, r := range strengths {
		s, err := r.strength()
		if err != nil {
			return src, err
		}
		src.Strengths = append(src.Strengths, s)
	}
	return src, nil
}

// Edit is a change that somebody wants.
type Edit struct {
	Body    []byte // of a POST or PATCH
	IfMatch string // the ETag the caller has seen; "" or "*": whatever is there
	// Force saves what the lock-out guard refuses (CA-30). Whether the caller
	// may do so is for the edge to judge; Reason has 10 characters or more.
	Force  bool
	Reason string
	Actor  audit.Actor
	At     time.Time

	passkeys *passkey.Snapshot // read before the transaction, which must not read past itself
}

// prepared is e with what the guard needs.
func (k *Keeper) prepared(ctx context.Context, e Edit) (Edit, error) {
	var err error
	e.passkeys, err = k.Passkeys.Snapshot(ctx)
	return e, err
}

// Checked is what the guard and the warnings say about a change that was saved.
type Checked struct {
	Warnings []Warning
	Guard    GuardResult
}

// ETag is the ETag of a version.
func ETag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// expect refuses if the object is no longer the one that the caller has seen.
func (e *Edit) expect(version int64) error {
	if e.IfMatch != "" && e.IfMatch != "*" && e.IfMatch != ETag(version) {
		return problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this meanwhile. Read it again, then change it.")
	}
	return nil
}

// begin makes changes that the guard judges wait for one another, also for
// those of package passkey, so that two that are harmless alone do not lock
// everybody out together. Setting a column to itself takes the rows' locks on
// PostgreSQL; SQLite has one writer anyway.
func begin(ctx context.Context, q db.Querier) error {
	if err := db.Bump(ctx, q, VersionName); err != nil {
		return err
	}
	_, err := q.ExecContext(ctx, `UPDATE role_assignments SET role_id = role_id WHERE role_id = $1`, directory.GlobalAdministrator)
	return err
}

// guard judges the step from one source to another. It refuses with
// wouldLockOutAdministrators unless e forces it, which is recorded.
func (k *Keeper) guard(ctx context.Context, q db.Querier, before, after Source, e Edit) (GuardResult, error) {
	people, err := k.administrators(ctx, q, e)
	if err != nil {
		return GuardResult{}, err
	}
	r := Guard(Compile(before), Compile(after), people)
	if r.Verdict != GuardRefused {
		return r, nil
	}
	if !e.Force || len([]rune(e.Reason)) < 10 {
		return r, r.err()
	}
	return r, audit.Write(ctx, q, e.Actor, e.At, audit.Record{ActivityDisplayName: "Override lockout guard", Category: "Policy", LoggedByService: "Cardea", OperationType: "Update",
		ResultReason: e.Reason, AdditionalDetails: []audit.KeyValue{{Key: "cardea.force", Value: "true"}, {Key: "cardea.reason", Value: e.Reason}}})
}

// warn adds what the guard found short of a refusal (CA-31).
func (c *Checked) warn(actor string) {
	if len(c.Guard.Affected) == 0 {
		return
	}
	c.Warnings = append(c.Warnings, Warning{"lockoutGuard", strconv.Itoa(len(c.Guard.Affected)) + " of " + strconv.Itoa(c.Guard.AdministratorsTotal) + " Global Administrators can no longer sign in after this.", "/"})
	for _, a := range c.Guard.Affected {
		if a.UserID == actor {
			c.Warnings = append(c.Warnings, Warning{"callerAffected", "You are one of those who can no longer sign in after this.", "/"})
		}
	}
}

// lookup is the World of the database. It keeps the first failure, since the
// pure half has no errors to carry.
type lookup struct {
	World
	err error
}

func (k *Keeper) world(ctx context.Context, q db.Querier, before *Policy) (*lookup, error) {
	w := &lookup{}
	o, err := directory.GetOrganization(ctx, q)
	if err != nil {
		return w, err
	}
	w.Before, w.BreakGlass = before, o.BreakGlassGroup
	there := func(err error) bool {
		if err != nil && problem.KindOf(err) != problem.NotFound && w.err == nil {
			w.err = err
		}
		return err == nil
	}
	w.Known = func(kind Kind, id string) bool {
		switch kind {
		case KindUser:
			_, err := directory.GetUser(ctx, q, id)
			return there(err)
		case KindGroup:
			_, err := directory.GetGroup(ctx, q, id)
			return there(err)
		case KindRole:
			return directory.RoleName(id) != ""
		case KindServicePrincipal:
			p, err := directory.GetPrincipal(ctx, q, id)
			return there(err) && p.Type == "servicePrincipal"
		case KindApplication:
			var n int
			err := q.QueryRowContext(ctx, `SELECT count(*) FROM applications WHERE lower(app_id) = $1`, id).Scan(&n)
			return there(err) && n > 0
		case KindStrength:
			_, err := k.Strength(ctx, q, id)
			return there(err)
		}
		return false // Cardea has no terms of use and no custom factors
	}
	w.Location = func(id string) *NamedLocation {
		l, err := k.Location(ctx, q, id)
		if !there(err) {
			return nil
		}
		return &l
	}
	return w, nil
}

// check is Check with the failures of the database.
func (w *lookup) check(p *Policy) error {
	err := p.Check(w.World)
	if w.err != nil {
		return w.err
	}
	return err
}

func (w *lookup) warnings(p *Policy) ([]Warning, error) {
	ws := p.Warnings(w.World)
	return ws, w.err
}
