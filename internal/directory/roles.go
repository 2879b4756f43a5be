package directory

import (
	"context"
	"database/sql"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Role is a built-in directory role; its id is Entra's template id.
type Role struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

// The roles that Cardea itself asks for.
const (
	GlobalAdministrator                   = "62e90394-69f5-4237-9190-012177145e10"
	GlobalReader                          = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	PrivilegedAuthenticationAdministrator = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	AuthenticationAdministrator           = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
	AuthenticationPolicyAdministrator     = "0526716b-113d-4c15-b2c8-68e3c22b9f80"
	UserAdministrator                     = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	GroupsAdministrator                   = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
	PrivilegedRoleAdministrator           = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	ApplicationAdministrator              = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	CloudApplicationAdministrator         = "158c047a-c907-4556-b7ef-446551a6b5f7"
	SecurityAdministrator                 = "194ae4cb-b126-40b2-bd5b-6091b380977d"
	SecurityOperator                      = "5f2222b1-57c3-48ba-8ad5-d4759f1fde6f"
	SecurityReader                        = "5d6b6bb7-de71-4623-b4af-96380a352509"
	ReportsReader                         = "4a5d8f65-41da-4de4-8968-e035b65339cf"
)

// Roles lists every built-in role. Those without a function in Cardea exist
// too, so that policies that name them can be imported (DO-20).
var Roles = []Role{
	{GlobalAdministrator, "Global Administrator"}, {GlobalReader, "Global Reader"},
	{PrivilegedAuthenticationAdministrator, "Privileged Authentication Administrator"},
	{AuthenticationAdministrator, "Authentication Administrator"},
	{AuthenticationPolicyAdministrator, "Authentication Policy Administrator"},
	{"25a516ed-2fa0-40ea-a2d0-12923a21473a", "Authentication Extensibility Administrator"},
	{"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "Conditional Access Administrator"},
	{SecurityAdministrator, "Security Administrator"}, {SecurityOperator, "Security Operator"},
	{SecurityReader, "Security Reader"}, {ReportsReader, "Reports Reader"},
	{"75934031-6c7e-415a-99d7-48dbd49e875e", "Usage Summary Reports Reader"},
	{UserAdministrator, "User Administrator"},
	{"729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator"},
	{"966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator"},
	{GroupsAdministrator, "Groups Administrator"},
	{PrivilegedRoleAdministrator, "Privileged Role Administrator"},
	{ApplicationAdministrator, "Application Administrator"},
	{"cf1c38e5-3621-4004-a7cb-879624dced7c", "Application Developer"},
	{CloudApplicationAdministrator, "Cloud Application Administrator"},
	{"7698a772-787b-4ac8-901f-60d6b08affd2", "Cloud Device Administrator"},
	{"b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator"},
	{"29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator"},
	{"f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator"},
	{"69091246-20e8-4a56-aa4d-066075b2a7a8", "Teams Administrator"},
	{"3a2c62db-5318-420d-8d74-23affee5d9d5", "Intune Administrator"},
	{"17315797-102d-40b4-93e0-432062caca18", "Compliance Administrator"},
	{"e6d1a23a-da11-4be4-9570-befc86d067a7", "Compliance Data Administrator"},
	{"44367163-eba1-44c3-98af-f5787879f96a", "Dynamics 365 Administrator"},
	{"11648597-926c-4cf3-9c36-bcebb0ba8dcc", "Power Platform Administrator"},
	{"8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "Hybrid Identity Administrator"},
	{"45d8d3c5-c802-45c6-b32a-1d70b5e1e86e", "Identity Governance Administrator"},
	{"d29b2b05-8046-44ba-8758-1e26182fcf32", "Directory Synchronization Accounts"},
	{"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers"},
	{"9360feb5-f418-4baa-8175-e2a00bac4301", "Directory Writers"},
	{"95e79109-95c0-4d8e-aee3-d01accf2d47b", "Guest Inviter"},
	{"790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", "Message Center Reader"},
	{"27460883-1df1-4691-b032-3b79643e5e63", "User Experience Success Manager"},
	{"db506228-d27e-4b7d-95e5-295956d6615f", "Agent ID Administrator"},
	{"adb2368d-a9be-41b5-8667-d96778e081b0", "Agent ID Developer"},
}

// RoleName returns the name of a role, "" if there is none.
func RoleName(id string) string {
	for _, r := range Roles {
		if r.ID == id {
			return r.DisplayName
		}
	}
	return ""
}

// RolesOf returns the template ids of a user's roles.
func RolesOf(ctx context.Context, d db.Querier, userID string) ([]string, error) {
	rows, err := d.QueryContext(ctx, `SELECT role_id FROM role_assignments WHERE principal_id = $1 ORDER BY role_id`, userID)
	return db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}

// AssignRole gives a user a role. A role the user has already stays as it is.
func AssignRole(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, r RoleAssignment) error {
	u, err := r.check(ctx, q)
	if err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `INSERT INTO role_assignments (id, principal_id, role_id, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		db.NewID(now), u.ID, r.RoleID, now.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return audit.Write(ctx, q, a, now, r.record("Add member to role", "Assign", u))
}

// UnassignRole takes a role away. That the last able Global Administrator
// stays is the caller's guard (DO-18), because it depends on methods.
func UnassignRole(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, r RoleAssignment) error {
	u, err := r.check(ctx, q)
	if err != nil {
		return err
	}
	res, err := q.ExecContext(ctx, `DELETE FROM role_assignments WHERE principal_id = $1 AND role_id = $2`, u.ID, r.RoleID)
	if err := db.Changed("This role assignment", res, err); err != nil {
		return err
	}
	return audit.Write(ctx, q, a, now, r.record("Remove member from role", "Unassign", u))
}

// RoleAssignment names a user and a role.
type RoleAssignment struct{ UserID, RoleID string }

func (r RoleAssignment) check(ctx context.Context, q db.Querier) (User, error) {
	if RoleName(r.RoleID) == "" {
		return User{}, problem.New(problem.NotFound, "notFound", "There is no role %s.", r.RoleID)
	}
	return GetUser(ctx, q, r.UserID)
}

func (r RoleAssignment) record(activity, operation string, u User) audit.Record {
	role := audit.Target{ID: r.RoleID, DisplayName: RoleName(r.RoleID), Type: "Role", ModifiedProperties: []audit.Modified{}}
	return audit.Record{ActivityDisplayName: activity, Category: "RoleManagement", OperationType: operation, TargetResources: []audit.Target{u.target(), role}}
}
