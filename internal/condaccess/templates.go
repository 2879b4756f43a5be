package condaccess

import (
	"context"
	"encoding/json"
	"slices"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// Template is Graph's conditionalAccessTemplate: a policy to begin with. Ids and
// names are Entra's where Entra has the same, so that templateId keeps its
// meaning; the descriptions are our own.
type Template struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Scenarios   string  `json:"scenarios"` // flags
	Details     Details `json:"details"`
}

// Details is Graph's conditionalAccessPolicyDetail.
type Details struct {
	Conditions      Conditions       `json:"conditions"`
	GrantControls   *GrantControls   `json:"grantControls"`
	SessionControls *SessionControls `json:"sessionControls"`
}

// deviceBound is the strength that one of our templates needs. It is stored when
// the first policy is made from it, and is an ordinary custom strength then.
var deviceBound = Strength{
	ID: "cadea000-0000-4000-8000-000000000010", DisplayName: "Device-bound passkey, attested", PolicyType: Custom, RequirementsSatisfied: ForMFA, AllowedCombinations: []Combination{"fido2"},
	CombinationConfigurations: []Configuration{{ODataType: fido2Configuration, ID: "cadea000-0000-4000-8000-000000000011", AppliesTo: []Combination{"fido2"},
		AAGUIDs: []string{}, IssuerSKIs: []string{}, PolicyOIDs: []string{}, Restriction: &Restriction{AllowedPasskeyTypes: passkey.SetOf(passkey.DeviceBound), RequireAttested: true}}},
}

// Administrator roles that templates protect: set A, and what set B adds.
var (
	rolesA = []string{"Global Administrator", "Security Administrator", "SharePoint Administrator", "Exchange Administrator", "Conditional Access Administrator",
		"Helpdesk Administrator", "Billing Administrator", "User Administrator", "Authentication Administrator", "Application Administrator", "Cloud Application Administrator",
		"Password Administrator", "Privileged Authentication Administrator", "Privileged Role Administrator"}
	rolesB = append(slices.Clone(rolesA), "Compliance Administrator", "Compliance Data Administrator", "Intune Administrator", "Dynamics 365 Administrator", "Power Platform Administrator")
)

func roleIDs(names []string) []string {
	var out []string
	for _, name := range names {
		i := slices.IndexFunc(directory.Roles, func(r directory.Role) bool { return r.DisplayName == name })
		out = append(out, directory.Roles[i].ID)
	}
	return out
}

// Templates returns all templates, each time new values.
func Templates() []Template {
	everybody, everything := func() *Users { return &Users{IncludeUsers: []string{All}} }, func() *Applications { return &Applications{IncludeApplications: []string{All}} }
	controls := func(op Operator, list ...Control) *GrantControls { return &GrantControls{Operator: op, BuiltIn: list} }
	demand := func(s *Strength) *GrantControls {
		return &GrantControls{Operator: Or, AuthStrength: &StrengthRef{ID: s.ID, Strength: s}}
	}
	yes, every, hours, one, all, never := true, EveryTime, Hours, 1, AllFactors, BrowserNever
	always := func() *SessionControls {
		return &SessionControls{SignInFrequency: &SignInFrequency{IsEnabled: &yes, Interval: &every, AuthenticationType: &all}}
	}
	mfa, strong := builtIn[0], builtIn[2]
	strict := deviceBound
	list := []Template{
		{"c7503427-338e-4c5e-902d-abe252abfb43", "Require multifactor authentication for admins", "People with an administrator role prove two factors wherever they sign in.", "secureFoundation,zeroTrust,protectAdmins",
			Details{Conditions{Users: &Users{IncludeRoles: roleIDs(rolesA)}, Applications: everything()}, controls(Or, RequireMFA), nil}},
		{"b8bda7f8-6584-4446-bce9-d871480e53fa", "Securing security info registration", "Sign-in methods are registered from a trusted location, or after two factors.", "secureFoundation,zeroTrust,remoteWork",
			Details{Conditions{Users: &Users{IncludeUsers: []string{All}, ExcludeUsers: []string{GuestsOrExternalUsers}, ExcludeRoles: []string{directory.GlobalAdministrator}}, Applications: &Applications{IncludeUserActions: []UserAction{RegisterSecurityInfo}},
				Locations: &Locations{IncludeLocations: []string{All}, ExcludeLocations: []string{AllTrusted}}}, controls(Or, RequireMFA), nil}},
		{"0b2282f9-2862-4178-88b5-d79340b36cb8", "Block legacy authentication", "Programs that cannot ask for a second factor stay outside.", "secureFoundation,zeroTrust,remoteWork,protectAdmins",
			Details{Conditions{Users: everybody(), Applications: everything(), ClientAppTypes: []ClientApp{ExchangeActiveSync, OtherClients}}, controls(Or, Block), nil}},
		{"a3d0a415-b068-4326-9251-f9cdf9feeb64", "Require multifactor authentication for all users", "Everybody proves two factors for every application.", "secureFoundation,zeroTrust,remoteWork",
			Details{Conditions{Users: everybody(), Applications: everything()}, controls(Or, RequireMFA), nil}},
		{"a4072ac0-722b-4991-981b-7f9755daef14", "Require multifactor authentication for guest access", "Guests prove two factors for every application.", "zeroTrust,remoteWork",
			Details{Conditions{Users: &Users{IncludeUsers: []string{GuestsOrExternalUsers}}, Applications: everything()}, controls(Or, RequireMFA), nil}},
		{"6b619f55-792e-45dc-9711-d83ec9d7ae90", "Require multifactor authentication for risky sign-ins", "A sign-in of medium or high risk proves two factors again. Needs a risk provider.", "zeroTrust,remoteWork",
			Details{Conditions{Users: everybody(), Applications: everything(), SignInRisk: []RiskLevel{RiskHigh, RiskMedium}}, controls(Or, RequireMFA), always()}},
		{"634b6de7-c38d-4357-a2c7-3842706eedd7", "Require password change for high-risk users", "Somebody whose account is at high risk changes the password after two factors. Needs a risk provider.", "zeroTrust,remoteWork",
			Details{Conditions{Users: everybody(), Applications: everything(), UserRisk: []RiskLevel{RiskHigh}}, controls(And, RequireMFA, PasswordChange), always()}},
		{"4e39a309-931e-4cb1-a371-e2beea168002", "Block access for unknown or unsupported device platform", "A device whose system is not one of the known ones stays outside.", "zeroTrust,remoteWork",
			Details{Conditions{Users: everybody(), Applications: everything(), Platforms: &Platforms{IncludePlatforms: []Platform{AllPlatforms}, ExcludePlatforms: []Platform{Android, IOS, Windows, WindowsPhone, MacOS, Linux}}}, controls(Or, Block), nil}},
		{"62e51ccc-c9c3-4554-ac70-066172c81007", "No persistent browser session", "On devices that nobody manages, a session ends with the browser, and after an hour.", "zeroTrust,remoteWork",
			Details{Conditions{Users: everybody(), Applications: everything(), Devices: &Devices{DeviceFilter: &Filter{Include, `device.trustType -ne "ServerAD" -or device.isCompliant -ne True`}}}, nil,
				&SessionControls{SignInFrequency: &SignInFrequency{IsEnabled: &yes, Type: &hours, Value: &one, AuthenticationType: &all}, PersistentBrowser: &PersistentBrowser{&yes, &never}}}},
		{"927c884e-7888-4e81-abc4-bd56ded28985", "Require compliant or hybrid joined device or multifactor authentication for all users", "Two factors, unless the device is managed.", "zeroTrust,remoteWork",
			Details{Conditions{Users: everybody(), Applications: everything()}, controls(Or, RequireMFA, CompliantDevice, DomainJoinedDevice), nil}},
		{"76c03f19-ea37-4656-a772-a183b4ddb81d", "Require phishing-resistant multifactor authentication for admins", "People with an administrator role sign in with a passkey.", "zeroTrust,protectAdmins,emergingThreats",
			Details{Conditions{Users: &Users{IncludeRoles: roleIDs(rolesB)}, Applications: everything()}, demand(&strong), nil}},
		{"6364131e-bc4a-47c4-a20b-33492d1fff6c", "Require multifactor authentication for Microsoft admin portals", "People with an administrator role prove two factors for the administration.", "zeroTrust,protectAdmins",
			Details{Conditions{Users: &Users{IncludeRoles: roleIDs(rolesA)}, Applications: &Applications{IncludeApplications: []string{AdminPortals}}}, demand(&mfa), nil}},
		{"cadea000-0000-4000-8000-000000000001", "Phishing-resistant MFA for all users", "Everybody signs in with a passkey, on any device or in a password manager.", "new,zeroTrust",
			Details{Conditions{Users: everybody(), Applications: everything()}, demand(&strong), nil}},
		{"cadea000-0000-4000-8000-000000000002", "Device-bound passkey for admins", "People with an administrator role sign in with a passkey that never leaves its device, and whose model is proved.", "new,protectAdmins",
			Details{Conditions{Users: &Users{IncludeRoles: roleIDs(rolesB)}, Applications: everything()}, demand(&strict), nil}},
		{"cadea000-0000-4000-8000-000000000003", "Registration bootstrap", "Registering a first passkey needs two factors or a Temporary Access Pass. Goes with a policy that demands passkeys for all applications, which would otherwise ask for the passkey that is to be made.", "new,secureFoundation",
			Details{Conditions{Users: everybody(), Applications: &Applications{IncludeUserActions: []UserAction{RegisterSecurityInfo}}}, demand(&mfa), nil}},
	}
	for i := range list {
		p := Policy{Conditions: list[i].Details.Conditions, GrantControls: list[i].Details.GrantControls, SessionControls: list[i].Details.SessionControls}
		p.settle()
		list[i].Details = Details{p.Conditions, p.GrantControls, p.SessionControls}
	}
	return list
}

// FindTemplate returns the template with an id. An unknown one is NotFound.
func FindTemplate(id string) (Template, error) {
	all := Templates()
	i := slices.IndexFunc(all, func(t Template) bool { return t.ID == canonicalID(id) })
	if i < 0 {
		return Template{}, problem.New(problem.NotFound, "notFound", "There is no template %s.", escape(id))
	}
	return all[i], nil
}

// policy is the policy of a template: in report-only (CA-94), without the
// emergency accounts and without who makes it (CA-95). Either may be "".
func (t Template) policy(breakGlass, creator string) Policy {
	p := Policy{DisplayName: t.Name, TemplateID: &t.ID, State: ReportOnly, Conditions: t.Details.Conditions, GrantControls: t.Details.GrantControls, SessionControls: t.Details.SessionControls}
	if breakGlass != "" {
		p.Conditions.Users.ExcludeGroups = append(p.Conditions.Users.ExcludeGroups, breakGlass)
	}
	if creator != "" {
		p.Conditions.Users.ExcludeUsers = append(p.Conditions.Users.ExcludeUsers, creator)
	}
	return p
}

// CreateFromTemplate stores a policy made from a template, and the strength
// that it needs.
func (k *Keeper) CreateFromTemplate(ctx context.Context, id string, e Edit) (Policy, Checked, error) {
	t, err := FindTemplate(id)
	if err != nil {
		return Policy{}, Checked{}, err
	}
	if g := t.Details.GrantControls; g != nil && g.AuthStrength != nil && g.AuthStrength.ID == deviceBound.ID {
		if err := k.ensureDeviceBound(ctx, e); err != nil {
			return Policy{}, Checked{}, err
		}
	}
	o, err := directory.GetOrganization(ctx, k.DB)
	if err != nil {
		return Policy{}, Checked{}, err
	}
	body, err := json.Marshal(t.policy(o.BreakGlassGroup, e.Actor.UserID))
	if err != nil {
		return Policy{}, Checked{}, err
	}
	e.Body = body
	return k.CreatePolicy(ctx, e)
}

func (k *Keeper) ensureDeviceBound(ctx context.Context, e Edit) error {
	_, err := k.Strength(ctx, k.DB, deviceBound.ID)
	if problem.KindOf(err) != problem.NotFound {
		return err
	}
	err = k.DB.Write(ctx, func(q db.Querier) error {
		if err := begin(ctx, q); err != nil {
			return err
		}
		// Another node may have been faster, or somebody deleted it before.
		if _, err := k.Strength(ctx, q, deviceBound.ID); problem.KindOf(err) != problem.NotFound {
			return err
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM ca_objects WHERE id = $1 AND deleted_at > 0`, deviceBound.ID); err != nil {
			return err
		}
		return storeStrength(ctx, q, nil, deviceBound, e)
	})
	return err
}
