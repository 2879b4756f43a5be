package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
)

// provider is where invented passkeys come from. weight is how common it is.
type provider struct {
	aaguid, name, attachment, transports string
	synced                               bool
	weight                               int
}

var providers = []provider{
	{"fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "iCloud Keychain", "platform", "internal,hybrid", true, 30},
	{"ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", "Google Password Manager", "platform", "internal,hybrid", true, 28},
	{"08987058-cadc-4b81-b6e1-30de50dcbe96", "Windows Hello", "platform", "internal", false, 22},
	{"bada5566-a7aa-401f-bd96-45619a55120d", "1Password", "platform", "internal,hybrid", true, 6},
	{"d548826e-79b4-db40-a3d8-11116f7e8349", "Bitwarden", "platform", "internal,hybrid", true, 4},
	{"de1e552d-db1d-4423-a619-566b625cdc84", "Microsoft Authenticator", "cross-platform", "hybrid,internal", false, 6},
	{"53414d53-554e-4700-0000-000000000000", "Samsung Pass", "platform", "internal,hybrid", true, 3},
}

// securityKey is what administrators carry.
var securityKey = provider{"2fc0579f-8113-47ea-b116-bb5a8db9202a", "Security key", "cross-platform", "usb,nfc", false, 0}

// AllowedProviders are the AAGUIDs of the demo's provider list.
func AllowedProviders() (out []string) {
	for _, p := range providers {
		out = append(out, p.aaguid)
	}
	return out
}

func (s *seeder) provider() provider {
	n := s.rnd.IntN(99)
	for _, p := range providers {
		if n -= p.weight; n < 0 {
			return p
		}
	}
	return providers[0]
}

// made is an invented passkey, for the sign-ins that used it.
type made struct {
	id string
	provider
}

// makeMethods gives people passkeys, as many as their department has.
func (s *seeder) makeMethods(ctx context.Context) (int, error) {
	total := 0
	for i := range s.persons {
		p := &s.persons[i]
		if s.rnd.IntN(100) >= p.dept.passkeys {
			continue
		}
		for n := range 1 + s.rnd.IntN(5)/3 { // 60 % have one, 40 % two
			kind := s.provider()
			if p.dept.name == "IT" {
				kind = securityKey
			}
			m, err := s.passkey(ctx, p, kind, n)
			if err != nil {
				return total, err
			}
			p.passkeys = append(p.passkeys, m)
			total++
		}
	}
	return total, nil
}

func (s *seeder) passkey(ctx context.Context, p *person, kind provider, n int) (made, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader) // the private half is forgotten right here
	if err != nil {
		return made{}, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return made{}, err
	}
	// COSE_Key of ES256 (RFC 9053 §7.1.1): {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
	cose := append([]byte{0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20}, point[1:33]...)
	cose = append(append(cose, 0x22, 0x58, 0x20), point[33:65]...)
	credential := make([]byte, 32)
	crand.Read(credential)
	created := s.now.Add(-time.Duration(1+s.rnd.IntN(240*24)) * time.Hour)
	var used any
	on := ""
	if s.rnd.IntN(100) < 92 {
		used = s.now.Add(-time.Duration(s.rnd.IntN(int(s.now.Sub(created)/time.Minute))) * time.Minute / 8).UnixMilli()
		on = []string{"Windows, Edge", "Windows, Chrome", "macOS, Safari", "iOS, Safari", "Android, Chrome"}[s.rnd.IntN(5)]
	}
	name := kind.name
	if n > 0 {
		name += " 2"
	}
	count := int64(0)
	if !kind.synced && kind.transports != "internal" {
		count = int64(1 + s.rnd.IntN(400))
	}
	id := db.NewID(created)
	attested := p.dept.name == "IT"
	if _, err := s.q.ExecContext(ctx, `INSERT INTO passkeys (id, user_id, credential_id, display_name, public_key, algorithm, aaguid, sign_count, backup_eligible, backup_state,
		attested, transports, attachment, rp_id, model, created_at, last_used_at, last_used_on) VALUES ($1, $2, $3, $4, $5, -7, $6, $7, $8, $9, $10, $11, $12, 'localhost', $13, $14, $15, $16)`,
		id, p.ID, credential, name, cose, kind.aaguid, count, kind.synced, kind.synced, attested, kind.transports, kind.attachment, kind.name, created.UnixMilli(), used, on); err != nil {
		return made{}, err
	}
	return made{id: id, provider: kind}, nil
}

// makeSignIns invents a month: weekdays busier than weekends, passwords
// giving way to passkeys, a few failures.
func (s *seeder) makeSignIns(ctx context.Context) (int, error) {
	apps := []struct{ id, name string }{{"a0000000-0000-4000-8000-000000000001", "Payroll"}, {"a0000000-0000-4000-8000-000000000002", "Customers"}, {"a0000000-0000-4000-8000-000000000003", "Wiki"}}
	total := 0
	for day := 30; day >= 0; day-- {
		date := s.now.AddDate(0, 0, -day)
		n := 260
		if wd := date.Weekday(); wd == time.Saturday || wd == time.Sunday {
			n = 40
		}
		for range n {
			p := s.persons[s.rnd.IntN(len(s.persons))]
			at := date.Truncate(24 * time.Hour).Add(time.Duration(7*60+s.rnd.IntN(11*60)) * time.Minute)
			if at.After(s.now) {
				continue
			}
			app := apps[s.rnd.IntN(len(apps))]
			row := audit.SignIn{ID: db.NewID(at), CreatedDateTime: at, UserID: p.ID, UserDisplayName: p.DisplayName, UserPrincipalName: strings.ToLower(p.UserPrincipalName),
				AppID: app.id, AppDisplayName: app.name, IPAddress: "203.0.113." + []string{"7", "21", "88", "140"}[s.rnd.IntN(4)], ClientAppUsed: "Browser", CorrelationID: db.NewID(at),
				IsInteractive: true, SignInEventTypes: []string{audit.Interactive}, AuthenticationProtocol: "oAuth2", IncomingTokenType: "none",
				DeviceDetail:              audit.DeviceDetail{OperatingSystem: []string{"Windows", "macOS", "iOS", "Android"}[s.rnd.IntN(4)], Browser: []string{"Edge", "Chrome", "Safari"}[s.rnd.IntN(3)]},
				AuthenticationRequirement: "multiFactorAuthentication", Cardea: &audit.SignInExtra{Outcome: "success"}}
			s.step(&row, p, at)
			if err := audit.WriteSignIn(ctx, s.q, row); err != nil {
				return total, err
			}
			total++
		}
	}
	return total, nil
}

// step invents how p proved who they are, or failed to.
func (s *seeder) step(row *audit.SignIn, p person, at time.Time) {
	step := audit.AuthStep{DateTime: at, Succeeded: true, ResultDetail: "MFA successfully completed", Requirement: "Primary authentication"}
	if len(p.passkeys) > 0 {
		m := p.passkeys[s.rnd.IntN(len(p.passkeys))]
		kind := "deviceBound"
		step.Method = "Passkey (device-bound)"
		if m.synced {
			kind, step.Method = "synced", "Passkey (synced)"
		}
		if p.dept.name == "IT" {
			step.Method = "FIDO2 security key"
		}
		step.MethodDetail = m.name
		row.AuthenticationMethodsUsed = []string{"FIDO"}
		row.Cardea.Credential = &audit.Credential{ID: m.id, AAGUID: m.aaguid, Provider: m.name, PasskeyType: kind, AttestationLevel: "notAttested", UserVerified: true}
	} else {
		step.Method, step.MethodDetail = "Password", "Password in the cloud"
		row.AuthenticationMethodsUsed = []string{"Password"}
		row.AuthenticationRequirement = "singleFactorAuthentication"
		step.ResultDetail = ""
	}
	if s.rnd.IntN(100) < 4 {
		step.Succeeded = false
		row.Status = audit.SignInStatus{ErrorCode: 50126, FailureReason: "Wrong user name or password.", AdditionalDetails: "passwordWrong"}
		if len(p.passkeys) > 0 {
			row.Status = audit.SignInStatus{ErrorCode: 500121, FailureReason: "The passkey could not be used.", AdditionalDetails: "signatureInvalid"}
		}
		step.ResultDetail = row.Status.FailureReason
		row.Cardea.Outcome = row.Status.AdditionalDetails
	}
	row.AuthenticationDetails = []audit.AuthStep{step}
}
