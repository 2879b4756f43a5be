package graph

import (
	"fmt"
	"net/http"
	"slices"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/odata"
	"cardea/internal/passkey"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// userShape is Graph's user (directory-and-odata §1.1).
var userShape = Shape{
	Set:     "users",
	Nulls:   true,
	Default: []string{"id", "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName"},
	Absent: map[string]any{
		// Stored, and left out of the JSON where empty.
		"businessPhones": []string{}, "otherMails": []string{}, "proxyAddresses": []string{}, "identities": []string{},
		"mobilePhone": nil, "faxNumber": nil, "officeLocation": nil, "streetAddress": nil, "postalCode": nil, "city": nil, "state": nil, "country": nil,
		"usageLocation": nil, "preferredLanguage": nil, "showInAddressList": nil, "mailNickname": nil,
		"companyName": nil, "employeeId": nil, "employeeType": nil, "employeeHireDate": nil, "employeeLeaveDateTime": nil, "employeeOrgData": nil,
		"passwordPolicies": nil, "ageGroup": nil, "consentProvidedForMinor": nil, "externalUserState": nil, "externalUserStateChangeDateTime": nil,
		"onPremisesSyncEnabled": nil, "onPremisesLastSyncDateTime": nil, "onPremisesImmutableId": nil, "onPremisesSamAccountName": nil,
		"onPremisesUserPrincipalName": nil, "onPremisesDistinguishedName": nil, "onPremisesDomainName": nil, "onPremisesSecurityIdentifier": nil,
		"onPremisesExtensionAttributes": nil, "securityIdentifier": nil, "deletedDateTime": nil,
		// From elsewhere (fillUsers), or never shown.
		"lastPasswordChangeDateTime": nil, "signInActivity": nil, "passwordProfile": nil,
		// Graph's, and nothing to Cardea (DO-6).
		"aboutMe": nil, "assignedLicenses": []string{}, "assignedPlans": []string{}, "authorizationInfo": nil, "birthday": "0001-01-01T00:00:00Z", "creationType": nil,
		"customSecurityAttributes": nil, "deviceEnrollmentLimit": 0, "hireDate": "0001-01-01T00:00:00Z", "identityParentId": nil, "imAddresses": []string{}, "interests": []string{},
		"isManagementRestricted": nil, "isResourceAccount": nil, "legalAgeGroupClassification": nil, "licenseAssignmentStates": []string{}, "mailboxSettings": nil,
		"mySite": nil, "onPremisesProvisioningErrors": []string{}, "pastProjects": []string{}, "preferredDataLocation": nil, "preferredName": nil, "print": nil,
		"provisionedPlans": []string{}, "responsibilities": []string{}, "schools": []string{}, "serviceProvisioningErrors": []string{}, "skills": []string{},
	},
}

func userETag(u directory.User) string { return fmt.Sprintf(`W/"%d"`, u.Version) }

// users is the /users entity set, and /me through it.
func users() []resource {
	return []resource{
		route{Method: "GET", Path: "/users/delta", Access: readUsers, Run: userDelta.serve},
		Collection[directory.User]{
			Path: "/users", Key: "{user}", Shape: userShape, Schema: directory.UserSchema, Paging: directory.UserPaging,
			Read: readUsers, Write: writeUsers, ETag: userETag, View: viewUser,
			List:   listUsers,
			Count:  countUsers,
			Get:    getUser,
			Update: updateUser,
			Delete: deleteUser,
			Expand: expandUser,
		},
		route{Method: "POST", Path: "/users", Access: createUsers, Run: createUser},
		route{Method: "POST", Path: "/users/{user}/revokeSignInSessions", Access: endSessions, Run: revokeSessions},
	}
}

// basic are the members that User.ReadBasic.All shows.
var basic = []string{"id", "displayName", "givenName", "surname", "mail", "userPrincipalName"}

// basically reports whether the caller sees only the basics of people: an
// application too that came by way of a group.
func (c *Call) basically() bool {
	more := slices.DeleteFunc(slices.Clone(readUsers.Scopes), func(s string) bool { return s == "User.ReadBasic.All" })
	if c.Caller.App {
		return !c.Caller.hasPermission(more)
	}
	return !c.Caller.hasScope(more)
}

// viewUser hides what is more than basic from who may see the basics only.
func viewUser(c *Call, u directory.User, o object) object {
	if !c.basically() || c.Caller.is(u.ID) {
		return o
	}
	o = slices.Clone(o)
	for i := range o {
		if !slices.Contains(basic, o[i].name) {
			o[i].value = []byte("null")
		}
	}
	return o
}

// listUsers, as countUsers, lets nobody filter or sort by what is hidden from
// them.
func listUsers(c *Call, q odata.Query) ([]directory.User, error) {
	if err := c.mayFilter(q); err != nil {
		return nil, err
	}
	found, err := directory.FindUsers(c.Context, c.DB, q)
	if err != nil {
		return nil, err
	}
	return found, c.see(found, q.Select)
}

func getUser(c *Call) (directory.User, error) {
	u, err := directory.GetWhole(c.Context, c.DB, c.Params["user"])
	one := []directory.User{u}
	if err == nil {
		err = c.see(one, selection(c.Query))
	}
	return one[0], err
}

// see adds what the logs know of people, where it is selected. When people
// signed in is for who may read the logs.
func (c *Call) see(people []directory.User, sel []string) error {
	activity, changed := containsFold(sel, "signInActivity"), containsFold(sel, "lastPasswordChangeDateTime")
	if activity {
		if err := readLogs.allow(c.Caller, false); err != nil {
			return err
		}
	}
	var err error
	for i := range people {
		seen := &people[i].Seen
		if activity && err == nil {
			seen.SignInActivity, err = audit.ActivityOf(c.Context, c.DB, people[i].ID)
		}
		if changed && err == nil {
			seen.LastPasswordChangeDate, err = password.ChangedAt(c.Context, c.DB, people[i].ID)
		}
	}
	return err
}

func countUsers(c *Call, q odata.Query) (int64, error) {
	if err := c.mayFilter(q); err != nil {
		return 0, err
	}
	return directory.CountFound(c.Context, c.DB, q)
}

func (c *Call) mayFilter(q odata.Query) error {
	if odata.Names(q.Filter, "signInActivity/lastSignInDateTime") {
		if err := readLogs.allow(c.Caller, false); err != nil {
			return err
		}
	}
	for name := range directory.UserSchema {
		if !slices.Contains(basic, name) && q.Names(name) && c.basically() {
			return denied("Filtering and sorting by %s needs the scope User.Read.All.", name)
		}
	}
	return nil
}

// user reads the person whom the path names.
func (c *Call) user() (directory.User, error) {
	return directory.GetUser(c.Context, c.DB, c.Params["user"])
}

// createUser needs no password: people may come by passkey or Temporary Access
// Pass only (DO-2). An account is enabled unless the body says otherwise.
func createUser(c *Call) (Answer, error) {
	var u directory.User
	var enabled struct {
		Value *bool `json:"accountEnabled"`
	}
	if err := c.decode(&u); err != nil {
		return Answer{}, err
	}
	if err := c.decode(&enabled); err != nil {
		return Answer{}, err
	}
	u.AccountEnabled = enabled.Value == nil || *enabled.Value
	store, ignored, err := c.firstPassword(u)
	if err != nil {
		return Answer{}, err
	}
	n := &newcomer{Newcomer: directory.Newcomer{By: c.Actor, At: c.Now, User: u}, then: store}
	if err := c.welcome(n); err != nil {
		return Answer{}, err
	}
	u = n.made
	a, err := userShape.entity(c, http.StatusCreated, u)
	if err == nil {
		a.Header.Set("ETag", userETag(u))
		if ignored {
			a.Header.Set("Warning", `299 cardea "passwordIgnored: passwordProfile"`)
		}
	}
	return a, err
}

func updateUser(c *Call, change func(*directory.User) error) (out directory.User, err error) {
	if err := c.resetPassword(); err != nil {
		return out, err
	}
	err = c.guardedPerson(func(q db.Querier) error {
		out, err = directory.UpdateUser(c.Context, q, c.Actor, c.Now, c.Params["user"], func(u *directory.User) error {
			was := *u // PATCH replaces lists whole, so was keeps its own
			if err := change(u); err != nil {
				return err
			}
			u.SessionsValidFrom = was.SessionsValidFrom // only revokeSignInSessions moves it
			if sensitive(was, *u) && !c.Self {
				if err := c.reachIn(q, u.ID); err != nil {
					return err
				}
			}
			if was.AccountEnabled && !u.AccountEnabled { // DO-18
				return c.keeper.GuardAdministrators(c.Context, q, passkey.Without{UserID: u.ID})
			}
			return nil
		})
		return err
	})
	return out, err
}

// sensitive reports whether a change touches what only who reaches the person
// may change (DO-3): that, and the mail address, to which enrolment links and
// warnings go.
func sensitive(was, is directory.User) bool {
	return is.AccountEnabled != was.AccountEnabled || is.UserPrincipalName != was.UserPrincipalName || is.Mail != was.Mail ||
		is.MobilePhone != was.MobilePhone || is.OnPremisesImmutableID != was.OnPremisesImmutableID ||
		!slices.Equal(is.BusinessPhones, was.BusinessPhones) || !slices.Equal(is.OtherMails, was.OtherMails)
}

func deleteUser(c *Call) error {
	return c.write(func(q db.Querier) error {
		u, err := directory.GetUser(c.Context, q, c.Params["user"])
		if err != nil {
			return err
		}
		if c.Caller.is(u.ID) {
			return problem.New(problem.Invalid, "cannotDeleteSelf", "You cannot delete your own account. Ask another administrator.")
		}
		if err := c.reachIn(q, u.ID); err != nil {
			return err
		}
		if err := c.keeper.GuardAdministrators(c.Context, q, passkey.Without{UserID: u.ID}); err != nil {
			return err
		}
		return directory.DeleteUser(c.Context, q, c.Actor, c.Now, u.ID)
	})
}

func revokeSessions(c *Call) (Answer, error) {
	err := c.write(func(q db.Querier) error {
		u, err := directory.GetUser(c.Context, q, c.Params["user"])
		if err != nil {
			return err
		}
		if !c.Self {
			if err := c.reachIn(q, u.ID); err != nil {
				return err
			}
		}
		return directory.RevokeSessions(c.Context, q, c.Actor, c.Now, u.ID)
	})
	if err != nil {
		return Answer{}, err
	}
	return Answer{Status: http.StatusOK, Body: struct {
		Context string `json:"@odata.context"`
		Value   bool   `json:"value"`
	}{c.Base + "/$metadata#Edm.Boolean", true}}, nil
}

// expandUser are the relationships of a person that $expand may name.
var expandUser = map[string]Expansion[directory.User]{
	"memberOf":           {Access: readMemberOf, List: relatedGroups(false)},
	"transitiveMemberOf": {Access: readMemberOf, List: relatedGroups(true)},
	"manager": {Single: true, List: func(c *Call, u directory.User) ([]Related, error) {
		m, err := directory.ManagerOf(c.Context, c.DB, u.ID)
		return related(c, memberUsers, viewUser, []directory.User{m}, err)
	}},
	"directReports": {List: func(c *Call, u directory.User) ([]Related, error) {
		found, err := directory.FindAmong(c.Context, c.DB, odata.Query{Top: maxExpand}, directory.Among{Manager: u.ID})
		return related(c, memberUsers, viewUser, found, err)
	}},
}

func relatedGroups(transitive bool) func(*Call, directory.User) ([]Related, error) {
	return func(c *Call, u directory.User) ([]Related, error) {
		found, err := directory.GroupsOf(c.Context, c.DB, u.ID, transitive)
		return related(c, memberGroups, nil, found, err)
	}
}
