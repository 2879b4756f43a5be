package condaccess

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/oath"
	"cardea/internal/passkey"
	"cardea/internal/password"
)

// PlatformOf is the platform behind the name of an operating system, as
// session.ParseUserAgent gives it; "" is unknown.
func PlatformOf(os string) Platform {
	switch os {
	case "Windows":
		return Windows
	case "iOS", "iPadOS":
		return IOS
	case "Android":
		return Android
	case "macOS":
		return MacOS
	case "Linux":
		return Linux
	}
	return ""
}

// Person begins the situation of a person: who it is, which groups and roles,
// which methods count now (CA-51), and what could be registered (CA-52). The
// rest is for the caller, who knows the sign-in. policy is the passkey policy of
// this moment (passkey.Keeper.Snapshot).
func (k *Keeper) Person(ctx context.Context, q db.Querier, u directory.User, policy *passkey.Snapshot, now time.Time) (Situation, error) {
	x := Situation{At: now, Began: now, UserID: u.ID}
	if u.UserType == "Guest" {
		x.GuestType = InternalGuest
	}
	memberOf, err := directory.MemberOf(ctx, q, u.ID)
	if err != nil {
		return x, err
	}
	for _, id := range memberOf {
		if directory.RoleName(id) != "" {
			x.Roles = append(x.Roles, id)
		} else {
			x.Groups = append(x.Groups, id)
		}
	}
	if err := k.addMethods(ctx, q, &x, memberOf, policy); err != nil {
		return x, err
	}
	return x, k.addRegistrable(ctx, q, &x, memberOf, policy)
}

// addMethods collects what the person can sign in with today.
func (k *Keeper) addMethods(ctx context.Context, q db.Querier, x *Situation, memberOf []string, policy *passkey.Snapshot) error {
	type key struct {
		Method
		facts passkey.Facts
	}
	rows, err := q.QueryContext(ctx, `SELECT id, aaguid, backup_eligible, attested, disabled FROM passkeys WHERE user_id = $1 AND rp_id = $2 ORDER BY id`, x.UserID, k.Passkeys.RP.ID)
	keys, err := db.Collect(rows, err, func(r *sql.Rows, m *key) error {
		var aaguid string
		var synced bool
		err := r.Scan(&m.ID, &aaguid, &synced, &m.Passkey.Attested, &m.facts.Disabled)
		m.Mode, m.Passkey.Type = Fido2, passkey.TypeOf(synced)
		m.Passkey.AAGUID, _ = passkey.ParseAAGUID(aaguid)
		m.facts.Type, m.facts.AAGUID = m.Passkey.Type, m.Passkey.AAGUID
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range keys {
		if passkey.Allowed(passkey.SignIn, m.facts, memberOf, x.UserID, policy).Allowed {
			x.Methods = append(x.Methods, m.Method)
		}
	}
	word, err := password.HasUsable(ctx, q, x.UserID)
	if err != nil {
		return err
	}
	if word {
		x.Methods = append(x.Methods, Method{Mode: Password})
	}
	code, err := oath.HasUsable(ctx, q, x.UserID)
	if err != nil {
		return err
	}
	if code {
		x.Methods = append(x.Methods, Method{Mode: SoftwareOath})
	}
	passes, err := accesspass.List(ctx, q, x.At, x.UserID)
	if err != nil {
		return err
	}
	usable, err := accesspass.HasUsable(ctx, q, x.At, x.UserID)
	if err != nil || !usable {
		return err
	}
	for _, p := range passes {
		mode := AccessPassMultiple
		if p.IsUsableOnce {
			mode = AccessPassOnce
		}
		x.Methods = append(x.Methods, Method{Mode: mode})
	}
	return nil
}

// Reasons why something cannot be registered (CA-52).
const (
	methodNotAllowed  = "methodNotAllowed"
	selfServiceOff    = "selfServiceOff"
	noBootstrapFactor = "noBootstrapFactor"
)

// addRegistrable says what the person could register in a sign-in.
func (k *Keeper) addRegistrable(ctx context.Context, q db.Querier, x *Situation, memberOf []string, policy *passkey.Snapshot) error {
	x.Registrable.Refusals = map[Mode]string{}
	may := passkey.Eligible(passkey.Register, memberOf, x.UserID, policy)
	codes, err := directory.GetMethodPolicy(ctx, q, directory.MethodCode)
	if err != nil {
		return err
	}
	switch boots := x.bootstraps(); {
	case may.State == passkey.SelfServiceOff:
		x.Registrable.Refusals[Fido2] = selfServiceOff
	case !may.Allowed:
		x.Registrable.Refusals[Fido2] = methodNotAllowed
	case !boots:
		x.Registrable.Refusals[Fido2] = noBootstrapFactor
	default:
		x.Registrable.Passkeys = classes(memberOf, x.UserID, policy)
	}
	switch {
	case !codes.Applies(memberOf, x.UserID):
		x.Registrable.Refusals[SoftwareOath] = methodNotAllowed
	case !x.bootstraps():
		x.Registrable.Refusals[SoftwareOath] = noBootstrapFactor
	default:
		x.Registrable.Modes = SoftwareOath
	}
	return nil
}

// bootstraps reports whether the person can prove two factors, or holds a
// usable pass: without, anybody who knows the password could register.
func (x *Situation) bootstraps() bool {
	var all Mode
	for _, m := range x.Methods {
		all |= m.Mode
	}
	return all&(Fido2|AccessPassOnce|AccessPassMultiple) != 0 || all&Password != 0 && all&SoftwareOath != 0
}

// classes turns the profiles of a person into what they let register.
func classes(memberOf []string, userID string, policy *passkey.Snapshot) []PasskeyClass {
	var out []PasskeyClass
	_, profiles := policy.Effective(memberOf, userID)
	config := policy.Configuration()
	for _, e := range profiles {
		p, ok := config.Profile(e.ID)
		if !ok {
			continue
		}
		c := PasskeyClass{Types: p.PasskeyTypes, Attested: p.AttestationEnforcement == passkey.AttestationRegistrationOnly}
		if r := p.KeyRestrictions; r.IsEnforced {
			var models []passkey.AAGUID
			for _, text := range r.AaGuids {
				if a, ok := passkey.ParseAAGUID(text); ok {
					models = append(models, a)
				}
			}
			if r.EnforcementType == passkey.Allow {
				c.Listed, c.AAGUIDs = true, models
			} else {
				c.Blocked = models
			}
		}
		out = append(out, c)
	}
	return out
}

// How far back the guard looks for where administrators come from, and how many
// sign-ins of each it reads.
const (
	usualDays  = 30
	usualLimit = 200
)

// administrators lists the Global Administrators with the situations in which
// they usually sign in: those of their successful interactive sign-ins of the
// last 30 days. Who has none is taken to come by browser from where the caller
// is, on any platform.
func (k *Keeper) administrators(ctx context.Context, q db.Querier, e Edit) ([]Administrator, error) {
	rows, err := q.QueryContext(ctx, `SELECT id FROM users WHERE id IN (`+directory.HoldersSQL("$1")+`) AND deleted_at = 0 ORDER BY id`, directory.GlobalAdministrator)
	ids, err := db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
	if err != nil {
		return nil, err
	}
	var out []Administrator
	for _, id := range ids {
		u, err := directory.GetUser(ctx, q, id)
		if err != nil {
			return nil, err
		}
		x, err := k.Person(ctx, q, u, e.passkeys, e.At)
		if err != nil {
			return nil, err
		}
		// A pass ends soon, so nobody may rely on one.
		x.Methods = slices.DeleteFunc(x.Methods, func(m Method) bool { return m.Mode&(AccessPassOnce|AccessPassMultiple) != 0 })
		x.Target, x.Session.AuthAt = Target{Apps: k.AdminApps}, e.At
		a := Administrator{UserID: u.ID, UserPrincipalName: u.UserPrincipalName, Enabled: u.AccountEnabled}
		if a.Situations, err = usual(ctx, q, x, e.Actor.IP); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// usual lays the circumstances of recent sign-ins over x.
func usual(ctx context.Context, q db.Querier, x Situation, address string) ([]Situation, error) {
	type circumstance struct {
		platform Platform
		client   ClientApp
		address  netip.Addr
	}
	rows, err := q.QueryContext(ctx, `SELECT record FROM sign_ins WHERE user_id = $1 AND event_type = $2 AND error_code = 0 AND created_at >= $3 ORDER BY created_at DESC LIMIT $4`,
		x.UserID, audit.Interactive, x.At.AddDate(0, 0, -usualDays).UnixMilli(), usualLimit)
	seen, err := db.Collect(rows, err, func(r *sql.Rows, c *circumstance) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		var row audit.SignIn
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			return err
		}
		c.platform, c.client = PlatformOf(row.DeviceDetail.OperatingSystem), Browser
		if row.ClientAppUsed != "Browser" {
			c.client = MobileAndDesktop
		}
		c.address, _ = netip.ParseAddr(row.IPAddress) // what cannot be read is unknown
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		here, _ := netip.ParseAddr(address)
		for _, p := range []Platform{Windows, MacOS, Linux, Android, IOS} {
			seen = append(seen, circumstance{p, Browser, here})
		}
	}
	var out []Situation
	had := map[circumstance]bool{}
	for _, c := range seen {
		if had[c] {
			continue
		}
		had[c] = true
		one := x
		one.Platform, one.Client, one.Address = c.platform, c.client, c.address
		out = append(out, one)
	}
	return out, nil
}
