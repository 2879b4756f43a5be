package directory

import (
	"encoding/json"
	"regexp"
	"slices"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// The two words that groupTypes may hold.
const (
	Unified           = "Unified"           // a group of Microsoft 365: stored, without a function here
	DynamicMembership = "DynamicMembership" // membershipRule says who is in
)

// Group is Graph's group.
type Group struct {
	ID                            string     `json:"id"`
	DisplayName                   string     `json:"displayName"`
	Description                   string     `json:"description"`
	CreatedDateTime               time.Time  `json:"createdDateTime"`
	DeletedDateTime               *time.Time `json:"deletedDateTime,omitempty"` // set in the deleted items only
	MailEnabled                   bool       `json:"mailEnabled"`
	MailNickname                  string     `json:"mailNickname"`
	SecurityEnabled               bool       `json:"securityEnabled"` // CreateGroup makes it true for what is neither security, mail nor Unified
	GroupTypes                    []string   `json:"groupTypes"`
	MembershipRule                string     `json:"membershipRule"`
	MembershipRuleProcessingState string     `json:"membershipRuleProcessingState"` // On, Paused; "" for assigned membership
	IsAssignableToRole            bool       `json:"isAssignableToRole"`            // fixed at creation (DO-11)
	UniqueName                    string     `json:"uniqueName,omitempty"`
	SecurityIdentifier            string     `json:"securityIdentifier,omitempty"` // computed
	Cardea                        *Managed   `json:"cardea,omitempty"`
	Version                       int64      `json:"-"`
	GroupProfile
}

// Managed is Cardea's own member of a group that a part of Cardea keeps (DO-14).
type Managed struct {
	ManagedBy string `json:"managedBy"` // e.g. "agent"
}

// GroupProfile is what is stored of a group as one JSON text.
type GroupProfile struct {
	Mail                        string     `json:"mail,omitempty"`
	Visibility                  string     `json:"visibility,omitempty"`
	Classification              string     `json:"classification,omitempty"`
	Theme                       string     `json:"theme,omitempty"`
	PreferredLanguage           string     `json:"preferredLanguage,omitempty"`
	PreferredDataLocation       string     `json:"preferredDataLocation,omitempty"`
	ProxyAddresses              []string   `json:"proxyAddresses,omitempty"`
	ResourceBehaviorOptions     []string   `json:"resourceBehaviorOptions,omitempty"`
	ResourceProvisioningOptions []string   `json:"resourceProvisioningOptions,omitempty"`
	ExpirationDateTime          *time.Time `json:"expirationDateTime,omitempty"`
	OnPremisesSyncEnabled       *bool      `json:"onPremisesSyncEnabled,omitempty"`
}

// Is reports whether groupTypes holds a word.
func (g *Group) Is(groupType string) bool { return slices.Contains(g.GroupTypes, groupType) }

var uniqueShape = regexp.MustCompile(`^[^\s/\\'"]{1,128}$`)

func (g *Group) check() error {
	if g.DisplayName == "" || len(g.DisplayName) > 256 {
		return problem.New(problem.Invalid, "invalidValue", "A group's name has 1 to 256 characters.").On("displayName")
	}
	if err := tooLong([]limit{{"description", g.Description, 1024}, {"mailNickname", g.MailNickname, 64}, {"mail", g.Mail, 256}, {"classification", g.Classification, 128},
		{"theme", g.Theme, 64}, {"preferredLanguage", g.PreferredLanguage, 64}, {"preferredDataLocation", g.PreferredDataLocation, 64}}); err != nil {
		return err
	}
	if g.UniqueName != "" && !uniqueShape.MatchString(g.UniqueName) {
		return invalid("uniqueName", "uniqueName has 1 to 128 characters, without blanks, slashes and quotes.")
	}
	for _, t := range g.GroupTypes {
		if err := enumerated("groupTypes", t, Unified, DynamicMembership); err != nil || t == "" {
			return invalid("groupTypes", "groupTypes holds Unified, DynamicMembership, both, or nothing.")
		}
	}
	for name, list := range map[string][]string{"proxyAddresses": g.ProxyAddresses, "resourceBehaviorOptions": g.ResourceBehaviorOptions, "resourceProvisioningOptions": g.ResourceProvisioningOptions} {
		if len(list) > maxList || slices.ContainsFunc(list, func(s string) bool { return s == "" || len(s) > 256 }) {
			return invalid(name, "%s has at most %d entries of 1 to 256 bytes.", name, maxList)
		}
	}
	if err := enumerated("visibility", g.Visibility, "Private", "Public", "HiddenMembership"); err != nil {
		return err
	}
	return g.checkMembership()
}

// checkMembership keeps rule, state and type together (DO-10, DO-11).
func (g *Group) checkMembership() error {
	if !g.Is(DynamicMembership) {
		if g.MembershipRule != "" {
			return invalid("membershipRule", "A group with a membershipRule has DynamicMembership among its groupTypes. Add it, or leave the rule out.")
		}
		g.MembershipRuleProcessingState = ""
		return nil
	}
	if g.IsAssignableToRole {
		return invalid("groupTypes", "A group that roles can be assigned to has assigned members. Leave DynamicMembership out.")
	}
	if g.MembershipRule == "" {
		return invalid("membershipRule", "A group with DynamicMembership needs a membershipRule, for example user.department -eq \"IT\".")
	}
	if _, err := ParseRule(g.MembershipRule); err != nil {
		return err
	}
	if g.MembershipRuleProcessingState == "" {
		g.MembershipRuleProcessingState = "On"
	}
	return enumerated("membershipRuleProcessingState", g.MembershipRuleProcessingState, "On", "Paused")
}

func (g *Group) target() audit.Target {
	return audit.Target{ID: g.ID, DisplayName: g.DisplayName, Type: "Group", ModifiedProperties: []audit.Modified{}}
}

// writable refuses a write to a group by who may not change it: one that roles
// can be assigned to is for those who assign roles (DO-11), and one that a
// part of Cardea keeps is for that part alone (DO-14), whose actor is
// audit.System(managedBy).
func (g *Group) writable(a audit.Actor) error {
	switch {
	case g.IsAssignableToRole && !a.RoleManager:
		return problem.New(problem.Forbidden, "authorizationRequestDenied", "Roles can be assigned to this group, so changing it needs the role %s, or for an application the permission RoleManagement.ReadWrite.Directory. Ask an administrator.", RoleName(PrivilegedRoleAdministrator))
	case !g.IsAssignableToRole && a.RoleGroupsOnly:
		return problem.New(problem.Forbidden, "authorizationRequestDenied", "This needs the role %s. Ask an administrator to assign it, or to do this for you.", RoleName(GroupsAdministrator))
	case g.Cardea == nil || a == audit.System(g.Cardea.ManagedBy):
		return nil
	}
	return problem.New(problem.Forbidden, "groupManaged", "This group is kept by Cardea itself (%s), which alone changes it. Use another group.", g.Cardea.ManagedBy)
}

const (
	groupColumns = `id, display_name, description, created_at, version, deleted_at, mail_enabled, nickname, security_enabled, unified, dynamic, rule, rule_state,
		role_assignable, unique_name, managed_by, profile`

	// What storing a group writes, in the order of stored.
	storedGroupColumns = `display_name, display_key, description, description_key, mail_enabled, nickname, nickname_key, security_enabled, unified, dynamic,
		rule, rule_state, role_assignable, unique_name, unique_key, managed_by, profile`
)

func (g *Group) stored() ([]any, error) {
	profile, err := json.Marshal(g.GroupProfile)
	managed := ""
	if g.Cardea != nil {
		managed = g.Cardea.ManagedBy
	}
	return []any{g.DisplayName, fold(g.DisplayName), g.Description, fold(g.Description), g.MailEnabled, g.MailNickname, fold(g.MailNickname), g.SecurityEnabled,
		g.Is(Unified), g.Is(DynamicMembership), g.MembershipRule, g.MembershipRuleProcessingState, g.IsAssignableToRole, g.UniqueName, fold(g.UniqueName), managed, string(profile)}, err
}

func scanGroup(r interface{ Scan(...any) error }, g *Group) error {
	var created, deleted int64
	var unified, dynamic bool
	var managed, profile string
	err := r.Scan(&g.ID, &g.DisplayName, &g.Description, &created, &g.Version, &deleted, &g.MailEnabled, &g.MailNickname, &g.SecurityEnabled, &unified, &dynamic,
		&g.MembershipRule, &g.MembershipRuleProcessingState, &g.IsAssignableToRole, &g.UniqueName, &managed, &profile)
	if err != nil {
		return err
	}
	g.CreatedDateTime, g.SecurityIdentifier, g.GroupTypes = db.Time(created), SecurityIdentifier(g.ID), []string{}
	if deleted > 0 {
		at := db.Time(deleted)
		g.DeletedDateTime = &at
	}
	if dynamic {
		g.GroupTypes = append(g.GroupTypes, DynamicMembership)
	}
	if unified {
		g.GroupTypes = append(g.GroupTypes, Unified)
	}
	if managed != "" {
		g.Cardea = &Managed{managed}
	}
	if profile == "{}" {
		return nil
	}
	return json.Unmarshal([]byte(profile), &g.GroupProfile)
}
