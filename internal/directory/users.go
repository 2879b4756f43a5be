package directory

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// GetUser returns the user with an object id or a user name (in any case),
// without the Profile.
func GetUser(ctx context.Context, d db.Querier, idOrName string) (u User, err error) {
	column, key := named(idOrName)
	err = scanUser(d.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE `+column+` = $1 AND deleted_at = 0`, key), &u)
	return u, db.Err("The user "+idOrName, err)
}

// GetWhole is GetUser with the Profile.
func GetWhole(ctx context.Context, d db.Querier, idOrName string) (u User, err error) {
	column, key := named(idOrName)
	err = scanWhole(d.QueryRowContext(ctx, `SELECT `+wholeColumns+` FROM users WHERE `+column+` = $1 AND deleted_at = 0`, key), &u)
	return u, db.Err("The user "+idOrName, err)
}

// CreateUser stores u, whose ID and CreatedDateTime it sets.
func CreateUser(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, u User) (User, error) {
	all, err := CreateUsers(ctx, q, []Newcomer{{By: a, At: now, User: u}})
	if err != nil {
		return u, err
	}
	return all[0], nil
}

// Newcomer is a person who is to be stored, by whom and when.
type Newcomer struct {
	By   audit.Actor
	At   time.Time
	User User
}

// CreateUsers is CreateUser for many, in one transaction: all of them or none.
// It is for imports: each person has an audit record, but the log of changes,
// which all changes wait for, is written once. An error is about the first
// person who cannot be stored.
func CreateUsers(ctx context.Context, q db.Querier, all []Newcomer) ([]User, error) {
	var now time.Time
	out := make([]User, len(all))
	for i, n := range all {
		made, err := insertUser(ctx, q, n.At, n.User)
		if err == nil {
			err = audit.Write(ctx, q, n.By, n.At, audit.Record{ActivityDisplayName: "Add user", Category: "UserManagement", OperationType: "Add", TargetResources: []audit.Target{made.target()}})
		}
		if err != nil {
			return nil, err
		}
		out[i] = made
		if n.At.After(now) {
			now = n.At
		}
	}
	return out, logPeople(ctx, q, now, out, nil)
}

func insertUser(ctx context.Context, q db.Querier, now time.Time, u User) (User, error) {
	u.ID, u.CreatedDateTime, u.SessionsValidFrom, u.DeletedDateTime, u.Version = db.NewID(now), db.Time(now.UnixMilli()), time.UnixMilli(0).UTC(), nil, 1
	u.SecurityIdentifier, u.Seen = SecurityIdentifier(u.ID), Seen{}
	if u.UserType == "" {
		u.UserType = "Member"
	}
	if err := u.Check(); err != nil {
		return u, err
	}
	values, err := u.stored()
	if err != nil {
		return u, err
	}
	values = append(values, u.ID, now.UnixMilli())
	if _, err := q.ExecContext(ctx, `INSERT INTO users (`+storedColumns+`, id, created_at) VALUES (`+placeholders(1, len(values))+`)`, values...); err != nil {
		return u, db.Err("A user named "+u.UserPrincipalName, err)
	}
	return u, storeValues(ctx, q, u.ID, u.Profile.values())
}

// Invent stores a person as if they had come at u.CreatedDateTime, without an
// audit record. It is for demonstrations: five thousand records of one second
// would bury the log.
func Invent(ctx context.Context, q db.Querier, now time.Time, u User) (User, error) {
	u, err := insertUser(ctx, q, u.CreatedDateTime, u)
	if err != nil {
		return u, err
	}
	return u, logChanges(ctx, q, now, kindUser, came(u.ID))
}

func storeValues(ctx context.Context, q db.Querier, id string, all []value) error {
	for n, v := range all {
		if _, err := q.ExecContext(ctx, `INSERT INTO user_values (user_id, kind, n, key, issuer, type) VALUES ($1, $2, $3, $4, $5, $6)`,
			id, v.kind, n, v.key, v.issuer, v.signInType); err != nil {
			return err
		}
	}
	return nil
}

// UpdateUser applies change to the stored user. Id, creation time and version
// cannot be changed. Switching the account off voids its sessions.
func UpdateUser(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string, change func(*User) error) (User, error) {
	u, err := GetWhole(ctx, q, id)
	if err != nil {
		return u, err
	}
	was, err := clone(u)
	if err != nil {
		return u, err
	}
	if err := change(&u); err != nil {
		return u, err
	}
	u.ID, u.Version, u.CreatedDateTime, u.DeletedDateTime, u.SecurityIdentifier = was.ID, was.Version, was.CreatedDateTime, nil, was.SecurityIdentifier
	u.Seen = Seen{}
	if was.AccountEnabled && !u.AccountEnabled {
		u.SessionsValidFrom = now
	}
	if err := u.Check(); err != nil {
		return u, err
	}
	return u, u.update(ctx, q, a, now, &was)
}

// clone copies u deep enough: a change may write into lists and maps.
func clone(u User) (User, error) {
	out := u
	out.Profile = Profile{}
	return out, recode(&out.Profile, u.Profile)
}

// update stores u in place of was, with its record and its row of the log.
func (u *User) update(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, was *User) error {
	names, modified, err := u.changes(was)
	if err != nil {
		return err
	}
	values, err := u.stored()
	if err != nil {
		return err
	}
	n := len(values)
	values = append(values, u.ID, u.Version)
	res, err := q.ExecContext(ctx, `UPDATE users SET (`+storedColumns+`) = (`+placeholders(1, n)+`), version = version + 1
		WHERE id = `+placeholder(n+1)+` AND version = `+placeholder(n+2), values...)
	if err != nil {
		return db.Err("A user named "+u.UserPrincipalName, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this user just now. Read it again.").Because(err)
	}
	u.Version++
	if before, after := was.Profile.values(), u.Profile.values(); !equal(before, after) {
		if _, err := q.ExecContext(ctx, `DELETE FROM user_values WHERE user_id = $1`, u.ID); err != nil {
			return err
		}
		if err := storeValues(ctx, q, u.ID, after); err != nil {
			return err
		}
	}
	t := u.target()
	t.ModifiedProperties = append(t.ModifiedProperties, modified...)
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Update user", Category: "UserManagement", OperationType: "Update", TargetResources: []audit.Target{t}}); err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	return logPeople(ctx, q, now, []User{*u}, names)
}

// RevokeSessions voids every session and refresh token that u has now.
func RevokeSessions(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	u, err := GetUser(ctx, q, id)
	if err != nil {
		return err
	}
	// One millisecond later than now: what is older than this is void, and
	// sessions made in this very millisecond belong to the past too.
	if _, err := q.ExecContext(ctx, `UPDATE users SET sessions_from = $1, version = version + 1 WHERE id = $2`, now.UnixMilli()+1, u.ID); err != nil {
		return err
	}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Update user", Category: "UserManagement", OperationType: "Update",
		ResultReason: "Signed out everywhere", TargetResources: []audit.Target{u.target()}}); err != nil {
		return err
	}
	return logChanges(ctx, q, now, kindUser, change{id: u.ID, what: []string{"signInSessionsValidFromDateTime"}})
}

// collectWhole reads rows of wholeColumns.
func collectWhole(rows *sql.Rows, err error) ([]User, error) {
	return db.Collect(rows, err, func(r *sql.Rows, u *User) error { return scanWhole(r, u) })
}
