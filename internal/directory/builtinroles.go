package directory

// Role is a built-in directory role; its id is Entra's template id.
type Role struct {
	ID          string
	DisplayName string
	Description string
	Privileged  bool     // Entra marks it so: whoever holds it could gain more
	Actions     []string // what Cardea lets its holders do, in Entra's names; none for roles that exist for policies only
}

// The roles that Cardea itself asks for.
const (
	GlobalAdministrator                   = "62e90394-69f5-4237-9190-012177145e10"
	GlobalReader                          = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	PrivilegedAuthenticationAdministrator = "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
	AuthenticationAdministrator           = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
	AuthenticationPolicyAdministrator     = "0526716b-113d-4c15-b2c8-68e3c22b9f80"
	ConditionalAccessAdministrator        = "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9"
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

const privileged = true

// Words of Entra's action names, so that the table below stays readable.
const (
	dir       = "microsoft.directory/"
	everyTask = "/allProperties/allTasks"
	readTask  = "/allProperties/read"
	auditLogs = dir + "auditLogs" + readTask
	signIns   = dir + "signInReports" + readTask
)

var (
	logReading  = []string{auditLogs, signIns}
	methodTasks = []string{dir + "users/authenticationMethods/create", dir + "users/authenticationMethods/delete", dir + "users/authenticationMethods/standard/restrictedRead",
		dir + "users/authenticationMethods/basic/update", dir + "users/invalidateAllRefreshTokens", dir + "users/password/update"}
	groupTasks = []string{dir + "groups/create", dir + "groups/delete", dir + "groups/restore", dir + "groups/basic/update", dir + "groups/dynamicMembershipRule/update",
		dir + "groups/members/update", dir + "groups/owners/update"}
	userTasks = append([]string{dir + "users/create", dir + "users/delete", dir + "users/restore", dir + "users/disable", dir + "users/enable", dir + "users/basic/update",
		dir + "users/manager/update", dir + "users/userPrincipalName/update", dir + "users/invalidateAllRefreshTokens"}, groupTasks...)
	applicationTasks = []string{dir + "applications" + everyTask, dir + "servicePrincipals" + everyTask, dir + "oAuth2PermissionGrants" + everyTask}
	roleTasks        = []string{dir + "directoryRoles" + everyTask, dir + "roleAssignments" + everyTask, dir + "groupsAssignableToRoles" + everyTask}
	methodPolicies   = []string{dir + "organization/strongAuthentication/allTasks", dir + "userCredentialPolicies/basic/update", dir + "userCredentialPolicies/standard/read"}
)

// Roles lists every built-in role. Those without a function in Cardea exist
// too, so that policies that name them can be imported (DO-20).
var Roles = []Role{
	{GlobalAdministrator, "Global Administrator", "May do everything there is, and reaches everybody.", privileged,
		[]string{dir + "users" + everyTask, dir + "users/authenticationMethods" + everyTask, dir + "groups" + everyTask, dir + "groupsAssignableToRoles" + everyTask, dir + "directoryRoles" + everyTask, dir + "roleAssignments" + everyTask,
			dir + "applications" + everyTask, dir + "servicePrincipals" + everyTask, dir + "oAuth2PermissionGrants" + everyTask, dir + "organization" + everyTask, dir + "organization/strongAuthentication/allTasks",
			dir + "userCredentialPolicies" + everyTask, auditLogs, signIns}},
	{GlobalReader, "Global Reader", "Reads everything and changes nothing.", privileged,
		[]string{dir + "users" + readTask, dir + "users/authenticationMethods/standard/restrictedRead", dir + "groups" + readTask, dir + "directoryRoles" + readTask, dir + "roleAssignments" + readTask, dir + "applications" + readTask,
			dir + "servicePrincipals" + readTask, dir + "organization" + readTask, dir + "userCredentialPolicies/standard/read", auditLogs, signIns}},
	{PrivilegedAuthenticationAdministrator, "Privileged Authentication Administrator", "Manages the sign-in methods of everybody, Global Administrators included.", privileged, methodTasks},
	{AuthenticationAdministrator, "Authentication Administrator", "Manages the sign-in methods of people who hold no administrator role.", privileged, methodTasks},
	{AuthenticationPolicyAdministrator, "Authentication Policy Administrator", "Decides which sign-in methods exist and who may use them: methods policy, passkey profiles, registration campaign.", false, methodPolicies},
	{"25a516ed-2fa0-40ea-a2d0-12923a21473a", "Authentication Extensibility Administrator", "Manages custom extensions of sign-in.", privileged, nil},
	{ConditionalAccessAdministrator, "Conditional Access Administrator", "Manages Conditional Access: policies, named locations, authentication strengths.", privileged, nil},
	{SecurityAdministrator, "Security Administrator", "Manages security policies and reads security reports and logs.", privileged, logReading},
	{SecurityOperator, "Security Operator", "Handles security events and reads the logs.", privileged, logReading},
	{SecurityReader, "Security Reader", "Reads security reports and logs.", privileged, logReading},
	{ReportsReader, "Reports Reader", "Reads reports and logs.", false, logReading},
	{"75934031-6c7e-415a-99d7-48dbd49e875e", "Usage Summary Reports Reader", "Reads usage summaries without names.", false, nil},
	{UserAdministrator, "User Administrator", "Manages people and groups, and the accounts of people who hold no administrator role.", privileged, userTasks},
	{"729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator", "Helps people who hold no administrator role.", privileged, nil},
	{"966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator", "Resets passwords of people who hold no administrator role.", privileged, nil},
	{GroupsAdministrator, "Groups Administrator", "Manages groups, but for those that roles can be assigned to.", false, groupTasks},
	{PrivilegedRoleAdministrator, "Privileged Role Administrator", "Assigns roles, and manages the groups that roles can be assigned to.", privileged, roleTasks},
	{ApplicationAdministrator, "Application Administrator", "Manages every aspect of applications.", privileged, applicationTasks},
	{"cf1c38e5-3621-4004-a7cb-879624dced7c", "Application Developer", "Registers applications of their own.", privileged, nil},
	{CloudApplicationAdministrator, "Cloud Application Administrator", "Manages every aspect of applications but application proxies, of which Cardea has none.", privileged, applicationTasks},
	{"7698a772-787b-4ac8-901f-60d6b08affd2", "Cloud Device Administrator", "Manages devices.", privileged, nil},
	{"b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator", "Manages purchases and subscriptions.", false, nil},
	{"29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator", "Manages Exchange.", false, nil},
	{"f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator", "Manages SharePoint.", false, nil},
	{"69091246-20e8-4a56-aa4d-066075b2a7a8", "Teams Administrator", "Manages Teams.", false, nil},
	{"3a2c62db-5318-420d-8d74-23affee5d9d5", "Intune Administrator", "Manages Intune.", privileged, nil},
	{"17315797-102d-40b4-93e0-432062caca18", "Compliance Administrator", "Manages compliance.", false, nil},
	{"e6d1a23a-da11-4be4-9570-befc86d067a7", "Compliance Data Administrator", "Manages data of compliance.", false, nil},
	{"44367163-eba1-44c3-98af-f5787879f96a", "Dynamics 365 Administrator", "Manages Dynamics 365.", false, nil},
	{"11648597-926c-4cf3-9c36-bcebb0ba8dcc", "Power Platform Administrator", "Manages Power Platform.", false, nil},
	{"8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "Hybrid Identity Administrator", "Manages synchronisation with a directory on premises.", privileged, nil},
	{"45d8d3c5-c802-45c6-b32a-1d70b5e1e86e", "Identity Governance Administrator", "Manages access packages and reviews.", false, nil},
	{"d29b2b05-8046-44ba-8758-1e26182fcf32", "Directory Synchronization Accounts", "For the account that synchronises a directory on premises.", privileged, nil},
	{"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers", "Reads the basics of the directory, as every member of the organisation may here.", false, nil},
	{"9360feb5-f418-4baa-8175-e2a00bac4301", "Directory Writers", "Writes the basics of the directory.", privileged, nil},
	{"95e79109-95c0-4d8e-aee3-d01accf2d47b", "Guest Inviter", "Invites guests.", false, nil},
	{"790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", "Message Center Reader", "Reads announcements.", false, nil},
	{"27460883-1df1-4691-b032-3b79643e5e63", "User Experience Success Manager", "Reads feedback and usage.", false, nil},
	{"db506228-d27e-4b7d-95e5-295956d6615f", "Agent ID Administrator", "Manages the identities of agents.", privileged, nil},
	{"adb2368d-a9be-41b5-8667-d96778e081b0", "Agent ID Developer", "Makes identities of agents.", false, nil},
}

// RoleName returns the name of a role, "" if there is none.
func RoleName(id string) string { return FindRole(id).DisplayName }

// FindRole returns the role with an id; the zero Role if there is none.
func FindRole(id string) Role {
	for _, r := range Roles {
		if r.ID == id {
			return r
		}
	}
	return Role{}
}
