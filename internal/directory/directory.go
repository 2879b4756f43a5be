// Package directory holds the organisation, its people, its groups and who
// has which role.
//
// Membership is transitive: a group may contain groups, to any depth and in
// circles. What policies ask is always MemberOf: every group a person is in,
// directly or not, and the template ids of the person's roles.
//
// Whoever changes something passes the audit.Actor; the record is written in
// the same transaction.
package directory

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// User is a person who can sign in: Graph's user.
type User struct {
	ID                string    `json:"id"`
	UserPrincipalName string    `json:"userPrincipalName"`
	DisplayName       string    `json:"displayName"`
	GivenName         string    `json:"givenName"`
	Surname           string    `json:"surname"`
	Mail              string    `json:"mail"`
	Department        string    `json:"department"`
	JobTitle          string    `json:"jobTitle"`
	UserType          string    `json:"userType"` // Member or Guest
	AccountEnabled    bool      `json:"accountEnabled"`
	CreatedDateTime   time.Time `json:"createdDateTime"`
	SessionsValidFrom time.Time `json:"signInSessionsValidFromDateTime"` // sessions and refresh tokens from before are void
	Version           int64     `json:"-"`
}

var upnShape = regexp.MustCompile(`^[^\s@"(),:;<>\[\\\]]{1,64}@[A-Za-z0-9.-]{1,190}$`)

// Check reports the first rule that u breaks.
func (u *User) Check() error {
	if !upnShape.MatchString(u.UserPrincipalName) {
		return problem.New(problem.Invalid, "invalidValue", "A user name looks like ada@example.com.").On("userPrincipalName")
	}
	if u.DisplayName == "" || len(u.DisplayName) > 256 {
		return problem.New(problem.Invalid, "invalidValue", "A display name has 1 to 256 characters.").On("displayName")
	}
	if u.UserType != "Member" && u.UserType != "Guest" {
		return problem.New(problem.Invalid, "invalidValue", "A user is a Member or a Guest.").On("userType")
	}
	return nil
}

func (u *User) target() audit.Target { return audit.Person(u.ID, u.DisplayName, u.UserPrincipalName) }

const userColumns = `id, upn, display_name, given_name, surname, mail, department, job_title, user_type, enabled, created_at, sessions_from, version`

func scanUser(r interface{ Scan(...any) error }, u *User) error {
	var created, from int64
	err := r.Scan(&u.ID, &u.UserPrincipalName, &u.DisplayName, &u.GivenName, &u.Surname, &u.Mail, &u.Department, &u.JobTitle, &u.UserType, &u.AccountEnabled, &created, &from, &u.Version)
	u.CreatedDateTime, u.SessionsValidFrom = db.Time(created), db.Time(from)
	return err
}

// GetUser returns the user with an object id or a user name (in any case).
func GetUser(ctx context.Context, d db.Querier, idOrName string) (u User, err error) {
	column := "id"
	if strings.Contains(idOrName, "@") {
		column, idOrName = "upn_key", strings.ToLower(idOrName)
	}
	err = scanUser(d.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE `+column+` = $1`, idOrName), &u)
	return u, db.Err("The user "+idOrName, err)
}

// UserQuery selects users; zero members select everybody.
type UserQuery struct {
	Search string // start of the display name or of the user name, in any case
	Group  string // direct or transitive members of this group
	Role   string // holders of this role
	After  User   // last user of the page before; the order is displayName, id
	Limit  int    // 0 is 100; at most 999
}

// ListUsers returns users in the order of their names.
func ListUsers(ctx context.Context, d db.Querier, q UserQuery) ([]User, error) {
	text, args := `SELECT `+userColumns+` FROM users WHERE 1 = 1`, []any{}
	arg := func(v any) string { args = append(args, v); return placeholder(len(args)) }
	if q.Search != "" {
		p := arg(escapeLike(strings.ToLower(q.Search)) + "%")
		text += ` AND (upn_key LIKE ` + p + ` ESCAPE '\' OR lower(display_name) LIKE ` + p + ` ESCAPE '\')`
	}
	if q.Group != "" {
		text += ` AND id IN (` + transitiveMembers(arg(q.Group)) + `)`
	}
	if q.Role != "" {
		text += ` AND id IN (SELECT principal_id FROM role_assignments WHERE role_id = ` + arg(q.Role) + `)`
	}
	if q.After.ID != "" {
		text += ` AND (display_name, id) > (` + arg(q.After.DisplayName) + `, ` + arg(q.After.ID) + `)`
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	text += ` ORDER BY display_name, id LIMIT ` + arg(min(limit, 1000))
	rows, err := d.QueryContext(ctx, text, args...)
	return db.Collect(rows, err, func(r *sql.Rows, u *User) error { return scanUser(r, u) })
}

// CountUsers returns how many users there are.
func CountUsers(ctx context.Context, d db.Querier) (n int64, err error) {
	return n, d.QueryRowContext(ctx, `SELECT count(*) FROM users`).Scan(&n)
}

// CreateUser stores u, whose ID and CreatedDateTime it sets.
func CreateUser(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, u User) (User, error) {
	u.ID, u.CreatedDateTime, u.SessionsValidFrom, u.Version = db.NewID(now), now.UTC(), time.UnixMilli(0).UTC(), 1
	if u.UserType == "" {
		u.UserType = "Member"
	}
	if err := u.Check(); err != nil {
		return u, err
	}
	_, err := q.ExecContext(ctx, `INSERT INTO users (id, upn, upn_key, display_name, given_name, surname, mail, department, job_title, user_type, enabled, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, u.ID, u.UserPrincipalName, strings.ToLower(u.UserPrincipalName), u.DisplayName,
		u.GivenName, u.Surname, u.Mail, u.Department, u.JobTitle, u.UserType, u.AccountEnabled, now.UnixMilli())
	if err != nil {
		return u, db.Err("A user named "+u.UserPrincipalName, err)
	}
	return u, audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Add user", Category: "UserManagement", OperationType: "Add", TargetResources: []audit.Target{u.target()}})
}

// UpdateUser applies change to the stored user. Id, creation time and version
// cannot be changed. Switching the account off voids its sessions.
func UpdateUser(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string, change func(*User) error) (User, error) {
	u, err := GetUser(ctx, q, id)
	if err != nil {
		return u, err
	}
	was := u
	if err := change(&u); err != nil {
		return u, err
	}
	u.ID, u.Version, u.CreatedDateTime = was.ID, was.Version, was.CreatedDateTime
	if was.AccountEnabled && !u.AccountEnabled {
		u.SessionsValidFrom = now
	}
	if err := u.Check(); err != nil {
		return u, err
	}
	res, err := q.ExecContext(ctx, `UPDATE users SET upn = $1, upn_key = $2, display_name = $3, given_name = $4, surname = $5, mail = $6, department = $7,
		job_title = $8, user_type = $9, enabled = $10, sessions_from = $11, version = version + 1 WHERE id = $12 AND version = $13`,
		u.UserPrincipalName, strings.ToLower(u.UserPrincipalName), u.DisplayName, u.GivenName, u.Surname, u.Mail, u.Department,
		u.JobTitle, u.UserType, u.AccountEnabled, u.SessionsValidFrom.UnixMilli(), u.ID, u.Version)
	if err != nil {
		return u, db.Err("A user named "+u.UserPrincipalName, err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return u, problem.New(problem.PreconditionFailed, "changed", "Somebody else changed this user just now. Read it again.")
	}
	u.Version++
	t := u.target()
	for _, p := range []struct{ name, old, new string }{
		{"userPrincipalName", was.UserPrincipalName, u.UserPrincipalName}, {"displayName", was.DisplayName, u.DisplayName},
		{"givenName", was.GivenName, u.GivenName}, {"surname", was.Surname, u.Surname}, {"mail", was.Mail, u.Mail},
		{"department", was.Department, u.Department}, {"jobTitle", was.JobTitle, u.JobTitle}, {"userType", was.UserType, u.UserType},
	} {
		if p.old != p.new {
			t.ModifiedProperties = append(t.ModifiedProperties, audit.Change(p.name, p.old, p.new))
		}
	}
	if was.AccountEnabled != u.AccountEnabled {
		t.ModifiedProperties = append(t.ModifiedProperties, audit.Change("accountEnabled", was.AccountEnabled, u.AccountEnabled))
	}
	return u, audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Update user", Category: "UserManagement", OperationType: "Update", TargetResources: []audit.Target{t}})
}

// DeleteUser removes a user and everything that belongs to the user.
func DeleteUser(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, id string) error {
	u, err := GetUser(ctx, q, id)
	if err != nil {
		return err
	}
	for _, text := range []string{`DELETE FROM group_members WHERE member_id = $1`, `DELETE FROM role_assignments WHERE principal_id = $1`, `DELETE FROM users WHERE id = $1`} {
		if _, err := q.ExecContext(ctx, text, u.ID); err != nil {
			return err
		}
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Delete user", Category: "UserManagement", OperationType: "Delete", TargetResources: []audit.Target{u.target()}})
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
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Update user", Category: "UserManagement", OperationType: "Update",
		ResultReason: "Signed out everywhere", TargetResources: []audit.Target{u.target()}})
}
