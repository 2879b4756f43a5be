package directory

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// User is a person who can sign in: Graph's user. GetUser leaves Profile empty.
type User struct {
	ID                 string     `json:"id"`
	UserPrincipalName  string     `json:"userPrincipalName"`
	DisplayName        string     `json:"displayName"`
	GivenName          string     `json:"givenName"`
	Surname            string     `json:"surname"`
	Mail               string     `json:"mail"`
	Department         string     `json:"department"`
	JobTitle           string     `json:"jobTitle"`
	UserType           string     `json:"userType"` // Member or Guest
	AccountEnabled     bool       `json:"accountEnabled"`
	CreatedDateTime    time.Time  `json:"createdDateTime"`
	SessionsValidFrom  time.Time  `json:"signInSessionsValidFromDateTime"` // sessions and refresh tokens from before are void
	DeletedDateTime    *time.Time `json:"deletedDateTime,omitempty"`       // set in the deleted items only
	SecurityIdentifier string     `json:"securityIdentifier,omitempty"`    // computed; set by whole reads
	Version            int64      `json:"-"`
	Profile
	Seen
}

// Seen is what the logs know of a person. Whoever shows it fills it.
type Seen struct {
	SignInActivity         *audit.Activity `json:"signInActivity,omitempty"`
	LastPasswordChangeDate *time.Time      `json:"lastPasswordChangeDateTime,omitempty"`
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
	if err := tooLong(u.limits()); err != nil {
		return err
	}
	return u.Profile.check()
}

func (u *User) target() audit.Target { return audit.Person(u.ID, u.DisplayName, u.UserPrincipalName) }

const (
	userColumns  = `id, upn, display_name, given_name, surname, mail, department, job_title, user_type, enabled, created_at, sessions_from, version`
	wholeColumns = userColumns + `, deleted_at, profile`

	// What storing a person writes, in the order of stored.
	storedColumns = `upn, upn_key, display_name, given_name, surname, mail, department, job_title, user_type, enabled, sessions_from,
		display_key, given_key, surname_key, mail_key, department_key, job_title_key, user_type_key, nickname_key, company_key, city_key, country_key,
		office_key, usage_key, employee_id_key, employee_type_key, immutable_id_key, sam_account_key, synced, profile`
)

func (u *User) stored() ([]any, error) {
	profile, err := json.Marshal(u.Profile)
	if err != nil {
		return nil, err
	}
	values := []any{u.UserPrincipalName, fold(u.UserPrincipalName), u.DisplayName, u.GivenName, u.Surname, u.Mail, u.Department, u.JobTitle, u.UserType, u.AccountEnabled, u.SessionsValidFrom.UnixMilli()}
	for _, text := range []string{u.DisplayName, u.GivenName, u.Surname, u.Mail, u.Department, u.JobTitle, u.UserType, u.MailNickname, u.CompanyName, u.City, u.Country,
		u.OfficeLocation, u.UsageLocation, u.EmployeeID, u.EmployeeType, u.OnPremisesImmutableID, u.OnPremisesSamAccountName} {
		values = append(values, fold(text))
	}
	return append(values, u.OnPremisesSyncEnabled != nil && *u.OnPremisesSyncEnabled, string(profile)), nil
}

func scanUser(r interface{ Scan(...any) error }, u *User) error {
	var created, from int64
	err := r.Scan(&u.ID, &u.UserPrincipalName, &u.DisplayName, &u.GivenName, &u.Surname, &u.Mail, &u.Department, &u.JobTitle, &u.UserType, &u.AccountEnabled, &created, &from, &u.Version)
	u.CreatedDateTime, u.SessionsValidFrom = db.Time(created), db.Time(from)
	return err
}

func scanWhole(r interface{ Scan(...any) error }, u *User) error {
	var created, from, deleted int64
	var profile string
	err := r.Scan(&u.ID, &u.UserPrincipalName, &u.DisplayName, &u.GivenName, &u.Surname, &u.Mail, &u.Department, &u.JobTitle, &u.UserType, &u.AccountEnabled, &created, &from, &u.Version, &deleted, &profile)
	if err != nil {
		return err
	}
	u.CreatedDateTime, u.SessionsValidFrom, u.SecurityIdentifier = db.Time(created), db.Time(from), SecurityIdentifier(u.ID)
	if deleted > 0 {
		at := db.Time(deleted)
		u.DeletedDateTime = &at
	}
	if profile == "{}" {
		return nil
	}
	return json.Unmarshal([]byte(profile), &u.Profile)
}

// changes compares two states of a person, member by member: their names and,
// for the audit log, their values.
func (u *User) changes(was *User) ([]string, []audit.Modified, error) {
	is, err := membersOf(u)
	if err != nil {
		return nil, nil, err
	}
	before, err := membersOf(was)
	if err != nil {
		return nil, nil, err
	}
	names, modified := compare(before, is)
	return names, modified, nil
}

// membersOf is v as JSON, by member.
func membersOf(v any) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var out map[string]json.RawMessage
	return out, json.Unmarshal(text, &out)
}

func compare(was, is map[string]json.RawMessage) (names []string, modified []audit.Modified) {
	all := map[string]bool{}
	for n := range was {
		all[n] = true
	}
	for n := range is {
		all[n] = true
	}
	for _, n := range sortedKeys(all) {
		if string(was[n]) == string(is[n]) {
			continue
		}
		names = append(names, n)
		modified = append(modified, audit.Modified{DisplayName: n, OldValue: string(was[n]), NewValue: string(is[n])})
	}
	return names, modified
}

// named finds the column of an object id or, for what holds an @, a user name.
func named(idOrName string) (column, key string) {
	if strings.Contains(idOrName, "@") {
		return "upn_key", fold(idOrName)
	}
	return "id", idOrName
}
