package directory

import (
	"context"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/odata"
)

// UserSchema says what $filter, $search and $orderby may name on users.
var UserSchema = odata.Schema{
	"id":                                {Column: "id", Folded: true},
	"displayName":                       {Column: "display_key", Folded: true, Sort: true, Search: true},
	"givenName":                         {Column: "given_key", Folded: true},
	"surname":                           {Column: "surname_key", Folded: true},
	"userPrincipalName":                 {Column: "upn_key", Folded: true, Sort: true, Search: true, More: []string{"endswith"}},
	"mail":                              {Column: "mail_key", Folded: true, Search: true, More: []string{"endswith"}},
	"mailNickname":                      {Column: "nickname_key", Folded: true},
	"department":                        {Column: "department_key", Folded: true},
	"jobTitle":                          {Column: "job_title_key", Folded: true},
	"userType":                          {Column: "user_type_key", Folded: true},
	"companyName":                       {Column: "company_key", Folded: true},
	"city":                              {Column: "city_key", Folded: true},
	"country":                           {Column: "country_key", Folded: true},
	"officeLocation":                    {Column: "office_key", Folded: true},
	"usageLocation":                     {Column: "usage_key", Folded: true},
	"employeeId":                        {Column: "employee_id_key", Folded: true},
	"employeeType":                      {Column: "employee_type_key", Folded: true},
	"onPremisesImmutableId":             {Column: "immutable_id_key", Folded: true},
	"onPremisesSamAccountName":          {Column: "sam_account_key", Folded: true},
	"onPremisesSyncEnabled":             {Column: "synced", Kind: odata.Boolean},
	"accountEnabled":                    {Column: "enabled", Kind: odata.Boolean},
	"createdDateTime":                   {Column: "created_at", Kind: odata.DateTimeOffset, Sort: true},
	"signInActivity/lastSignInDateTime": {Column: audit.LastSignInSQL, Kind: odata.DateTimeOffset, Zero: true},
	"otherMails":                        {Items: valuesOf("otherMails")},
	"proxyAddresses":                    {Items: valuesOf("proxyAddresses")},
	"identities": {Items: &odata.Items{From: "user_values v WHERE v.kind = 'identities'", Owner: "v.user_id", Row: "users.id", Members: odata.Schema{
		"issuer": {Column: "v.issuer", Folded: true}, "issuerAssignedId": {Column: "v.key", Folded: true}, "signInType": {Column: "v.type", Folded: true}}}},
	"memberOf": {Items: &odata.Items{From: "group_members m WHERE TRUE", Owner: "m.member_id", Row: "users.id", Members: odata.Schema{"id": {Column: "m.group_id", Folded: true}}}},
}

// valuesOf is a list of texts in user_values.
func valuesOf(kind string) *odata.Items {
	return &odata.Items{From: "user_values v WHERE v.kind = '" + kind + "'", Owner: "v.user_id", Row: "users.id", Count: true,
		Members: odata.Schema{"": {Column: "v.key", Folded: true, More: []string{"endswith"}}}}
}

// UserPaging is the page size and the usual order of users: by name.
var UserPaging = odata.Paging{Default: 100, Max: 999, Order: []odata.Order{{Name: "displayName", Property: UserSchema["displayName"]}}}

// FindUsers returns one page of users, and one more if there is a next page.
func FindUsers(ctx context.Context, d db.Querier, q odata.Query) ([]User, error) {
	return FindAmong(ctx, d, q, Among{})
}

// CountFound returns how many users q selects, on all pages.
func CountFound(ctx context.Context, d db.Querier, q odata.Query) (int64, error) {
	return CountAmong(ctx, d, q, Among{})
}

// GroupSchema says what $filter, $search and $orderby may name on groups.
var GroupSchema = odata.Schema{
	"id":                 {Column: "id", Folded: true},
	"displayName":        {Column: "display_key", Folded: true, Sort: true, Search: true},
	"description":        {Column: "description_key", Folded: true, Search: true},
	"mailNickname":       {Column: "nickname_key", Folded: true},
	"uniqueName":         {Column: "unique_key", Folded: true},
	"securityEnabled":    {Column: "security_enabled", Kind: odata.Boolean},
	"mailEnabled":        {Column: "mail_enabled", Kind: odata.Boolean},
	"isAssignableToRole": {Column: "role_assignable", Kind: odata.Boolean},
	"createdDateTime":    {Column: "created_at", Kind: odata.DateTimeOffset},
	"groupTypes": {Items: &odata.Items{From: `(SELECT id, 'unified' AS type FROM groups WHERE unified UNION ALL SELECT id, 'dynamicmembership' FROM groups WHERE dynamic) t WHERE TRUE`,
		Owner: "t.id", Row: "groups.id", Count: true, Members: odata.Schema{"": {Column: "t.type", Folded: true}}}},
	"members": {Items: &odata.Items{From: "group_members m WHERE TRUE", Owner: "m.group_id", Row: "groups.id", Count: true, Members: odata.Schema{"id": {Column: "m.member_id", Folded: true}}}},
	"owners":  {Items: &odata.Items{From: "group_owners o WHERE TRUE", Owner: "o.group_id", Row: "groups.id", Count: true, Members: odata.Schema{"id": {Column: "o.owner_id", Folded: true}}}},
}

// GroupPaging is the page size and the usual order of groups: by name.
var GroupPaging = odata.Paging{Default: 100, Max: 999, Order: []odata.Order{{Name: "displayName", Property: GroupSchema["displayName"]}}}

// GroupsAmong narrows a search to some groups; the zero value is all of them.
type GroupsAmong struct {
	Member     string // this person or group is a direct member,
	Transitive bool   // or a member of groups inside too
	Owner      string // this person or service principal is an owner
	Inside     string // direct members of this group,
	Deleted    bool   // the deleted, instead of the living
}

func (a GroupsAmong) conditions(s *odata.SQL) {
	if a.Deleted {
		s.Text(`deleted_at > 0 AND `)
	} else {
		s.Text(`deleted_at = 0 AND `)
	}
	switch {
	case a.Member != "" && a.Transitive:
		s.Text(`id IN (` + groupsAround(s.Bind(a.Member)) + `) AND `)
	case a.Member != "":
		s.Text(`id IN (SELECT group_id FROM group_members WHERE member_id = `).Arg(a.Member).Text(`) AND `)
	case a.Inside != "" && a.Transitive:
		s.Text(`id IN (` + groupsInside(s.Bind(a.Inside)) + `) AND `)
	case a.Inside != "":
		s.Text(`id IN (SELECT member_id FROM group_members WHERE group_id = `).Arg(a.Inside).Text(` AND member_type = 'group') AND `)
	case a.Owner != "":
		s.Text(`id IN (SELECT group_id FROM group_owners WHERE owner_id = `).Arg(a.Owner).Text(`) AND `)
	}
}

// FindGroups returns one page of groups, and one more if there is a next page.
func FindGroups(ctx context.Context, d db.Querier, q odata.Query) ([]Group, error) {
	return FindGroupsAmong(ctx, d, q, GroupsAmong{})
}

// FindGroupsAmong is FindGroups over some groups.
func FindGroupsAmong(ctx context.Context, d db.Querier, q odata.Query, a GroupsAmong) ([]Group, error) {
	s := new(odata.SQL).Text(`SELECT ` + groupColumns + ` FROM groups WHERE `)
	a.conditions(s)
	s.Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	return collectGroups(rows, err)
}

// CountFoundGroups returns how many groups q selects, on all pages.
func CountFoundGroups(ctx context.Context, d db.Querier, q odata.Query) (int64, error) {
	return CountGroupsAmong(ctx, d, q, GroupsAmong{})
}

// CountGroupsAmong is CountFoundGroups over some groups.
func CountGroupsAmong(ctx context.Context, d db.Querier, q odata.Query, a GroupsAmong) (n int64, err error) {
	if q.Filter == nil && q.Search == nil && a == (GroupsAmong{}) {
		return countLiving(ctx, d, kindGroup)
	}
	s := new(odata.SQL).Text(`SELECT count(*) FROM groups WHERE `)
	a.conditions(s)
	s.Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// GroupsOf returns the groups a user or a group is in: directly, or through
// other groups too if transitive, in the order of their names.
func GroupsOf(ctx context.Context, d db.Querier, memberID string, transitive bool) ([]Group, error) {
	from := `(SELECT group_id AS id FROM group_members WHERE member_id = $1) above`
	if transitive {
		from = `(WITH RECURSIVE above (id) AS (
			SELECT group_id FROM group_members WHERE member_id = $1
			UNION SELECT m.group_id FROM group_members m JOIN above ON m.member_id = above.id) SELECT id FROM above) above`
	}
	rows, err := d.QueryContext(ctx, `SELECT `+groupColumns+` FROM groups WHERE id IN (SELECT id FROM `+from+`) AND deleted_at = 0 ORDER BY display_key, id`, memberID)
	return collectGroups(rows, err)
}

// Among narrows a search to some people; the zero value is everybody.
type Among struct {
	Group      string // direct members of this group,
	Transitive bool   // or those of groups inside it too
	Role       string // holders of this role
	Manager    string // who reports to this person
	Deleted    bool   // the deleted, instead of the living
}

func (a Among) conditions(s *odata.SQL) {
	if a.Deleted {
		s.Text(`deleted_at > 0 AND `)
	} else {
		s.Text(`deleted_at = 0 AND `)
	}
	switch {
	case a.Group != "" && a.Transitive:
		s.Text(`id IN (` + transitiveMembers(s.Bind(a.Group)) + `) AND `)
	case a.Group != "":
		s.Text(`id IN (SELECT member_id FROM group_members WHERE group_id = `).Arg(a.Group).Text(`) AND `)
	case a.Manager != "":
		s.Text(`manager_id = `).Arg(a.Manager).Text(` AND manager_id <> '' AND `)
	case a.Role != "":
		s.Text(`id IN (SELECT principal_id FROM role_assignments WHERE role_id = `).Arg(a.Role).Text(`) AND `)
	}
}

// FindAmong is FindUsers over some people.
func FindAmong(ctx context.Context, d db.Querier, q odata.Query, a Among) ([]User, error) {
	s := new(odata.SQL).Text(`SELECT ` + wholeColumns + ` FROM users WHERE `)
	a.conditions(s)
	s.Page(q, "id")
	rows, err := d.QueryContext(ctx, s.String(), s.Args...)
	return collectWhole(rows, err)
}

// CountAmong is CountFound over some people.
func CountAmong(ctx context.Context, d db.Querier, q odata.Query, a Among) (n int64, err error) {
	if q.Filter == nil && q.Search == nil && a == (Among{}) {
		return CountUsers(ctx, d)
	}
	s := new(odata.SQL).Text(`SELECT count(*) FROM users WHERE `)
	a.conditions(s)
	s.Conditions(q)
	return n, d.QueryRowContext(ctx, s.String(), s.Args...).Scan(&n)
}

// FindMembers returns the people and the groups among the direct members of a
// group behind the id after, limit in all, each in the order of their ids.
func FindMembers(ctx context.Context, d db.Querier, groupID, after string, limit int) ([]User, []Group, error) {
	const window = ` WHERE id IN (SELECT member_id FROM group_members WHERE group_id = $1 AND member_id > $2 ORDER BY member_id LIMIT $3) ORDER BY id`
	rows, err := d.QueryContext(ctx, `SELECT `+wholeColumns+` FROM users`+window, groupID, after, limit)
	people, err := collectWhole(rows, err)
	if err != nil {
		return nil, nil, err
	}
	rows, err = d.QueryContext(ctx, `SELECT `+groupColumns+` FROM groups`+window, groupID, after, limit)
	groups, err := collectGroups(rows, err)
	return people, groups, err
}
