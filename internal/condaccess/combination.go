package condaccess

import (
	"slices"
	"strings"
	"time"
)

// Mode is a way to prove who one is, as strengths name it: a set of bits, the
// numbers of Graph's authenticationMethodModes.
type Mode uint32

const (
	modePassword       Mode = 1
	modeVoice          Mode = 2
	modeHardwareOath   Mode = 4
	modeSoftwareOath   Mode = 8
	modeSMS            Mode = 16
	modeFido2          Mode = 32
	modeHello          Mode = 64
	modeAuthenticator  Mode = 128
	modeDevicePush     Mode = 256
	modePassOnce       Mode = 512
	modePassMultiple   Mode = 1024
	modeEmail          Mode = 2048
	modeX509Single     Mode = 4096
	modeX509Multi      Mode = 8192
	modeFederatedOne   Mode = 16384
	modeFederatedMulti Mode = 32768
	modeQRCode         Mode = 131072
)

// The modes that Cardea can prove (CA-92). Every other is stored, listed and
// never satisfied.
const (
	Password                = modePassword
	SoftwareOath            = modeSoftwareOath
	Fido2                   = modeFido2
	AccessPassOnce          = modePassOnce
	AccessPassMultiple      = modePassMultiple
	provable           Mode = Password | SoftwareOath | Fido2 | AccessPassOnce | AccessPassMultiple
)

// ModeDetail is Graph's authenticationMethodModeDetail.
type ModeDetail struct {
	ID                   string `json:"id"`
	DisplayName          string `json:"displayName"`
	AuthenticationMethod string `json:"authenticationMethod"`

	mode Mode
}

// Modes lists every mode, in the order of the numbers. Do not change it.
var Modes = []ModeDetail{
	{"password", "Password", "password", modePassword},
	{"voice", "Voice", "voice", modeVoice},
	{"hardwareOath", "Hardware OATH tokens", "hardwareOath", modeHardwareOath},
	{"softwareOath", "Software OATH tokens", "softwareOath", modeSoftwareOath},
	{"sms", "SMS", "sms", modeSMS},
	{"fido2", "FIDO2 Security Key", "fido2", modeFido2},
	{"windowsHelloForBusiness", "Windows Hello for Business", "windowsHelloForBusiness", modeHello},
	{"microsoftAuthenticatorPush", "Microsoft Authenticator (push notification)", "microsoftAuthenticator", modeAuthenticator},
	{"deviceBasedPush", "Microsoft Authenticator (Passwordless)", "microsoftAuthenticator", modeDevicePush},
	{"temporaryAccessPassOneTime", "Temporary Access Pass (One-time use)", "temporaryAccessPass", modePassOnce},
	{"temporaryAccessPassMultiUse", "Temporary Access Pass (Multi-use)", "temporaryAccessPass", modePassMultiple},
	{"email", "Email one-time passcode", "email", modeEmail},
	{"x509CertificateSingleFactor", "X.509 Certificate (Single-factor)", "x509Certificate", modeX509Single},
	{"x509CertificateMultiFactor", "X.509 Certificate (Multifactor)", "x509Certificate", modeX509Multi},
	{"federatedSingleFactor", "Federated single-factor", "federation", modeFederatedOne},
	{"federatedMultiFactor", "Federated multifactor", "federation", modeFederatedMulti},
	{"qrCodePin", "QR code PIN", "qrCodePin", modeQRCode},
}

// Names returns the ids of the modes in m, in the order of their numbers.
func (m Mode) Names() []string {
	out := []string{}
	for _, d := range Modes {
		if m&d.mode != 0 {
			out = append(out, d.ID)
		}
	}
	return out
}

// String joins the names with commas.
func (m Mode) String() string { return strings.Join(m.Names(), ",") }

// MarshalText writes String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads modes joined by commas, in any order and case.
func (m *Mode) UnmarshalText(text []byte) error {
	got, err := readModes(string(text), "")
	*m = got
	return err
}

// Combination is modes that together satisfy a strength, in the one written
// form (CA-85): the order of their numbers, commas, no blanks.
type Combination string

func (c *Combination) bind(x any, at string) error {
	s, ok := x.(string)
	if !ok {
		return wrong(at, "A combination is one text such as password,softwareOath.")
	}
	m, err := readModes(s, at)
	if err != nil {
		return err
	}
	*c = Combination(m.String())
	if !slices.Contains(Combinations, *c) && !slices.Contains(builtIn[0].AllowedCombinations, *c) {
		return wrong(at, "%q is no combination that exists. GET …/authenticationStrength/combinations lists them.", escape(s))
	}
	return nil
}

// readModes reads one combination; duplicates are refused (CA-85).
func readModes(s, at string) (Mode, error) {
	var m Mode
	for word := range strings.SplitSeq(s, ",") {
		i := slices.IndexFunc(Modes, func(d ModeDetail) bool { return strings.EqualFold(d.ID, strings.TrimSpace(word)) })
		switch {
		case i < 0:
			return 0, wrong(at, "%q is not the name of a method. GET …/authenticationStrength/authenticationMethodModes lists them.%s", escape(word), hidden(strings.TrimSpace(word)))
		case m&Modes[i].mode != 0:
			return 0, wrong(at, "%s stands twice in one combination. Name it once.", Modes[i].ID)
		}
		m |= Modes[i].mode
	}
	return m, nil
}

// modes is 0 for what is no combination.
func (c Combination) modes() Mode {
	m, err := readModes(string(c), "")
	if err != nil {
		return 0
	}
	return m
}

func sameCombinations(a, b []Combination) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// singleFactors are the combinations that are no multifactor authentication.
var singleFactors = []Combination{"x509CertificateSingleFactor", "sms", "password", "federatedSingleFactor", "email"}

// Combinations is what a strength may be made of, as GET …/combinations lists
// it. Do not change it.
var Combinations = func() []Combination {
	list := slices.DeleteFunc(slices.Clone(builtIn[0].AllowedCombinations), func(c Combination) bool {
		return c.modes()&modePassword != 0 && c.modes()&(modeX509Single|modeX509Multi) != 0
	})
	return append(list, singleFactors...)
}()

// builtIn are the three strengths that always exist.
var builtIn = func() []Strength {
	made := time.Date(2021, 12, 1, 8, 0, 0, 0, time.UTC)
	strength := func(id, name, description string, list ...Combination) Strength {
		return Strength{ID: id, DisplayName: name, Description: &description, PolicyType: BuiltIn, RequirementsSatisfied: ForMFA, CreatedDateTime: &made, ModifiedDateTime: &made,
			AllowedCombinations: list, CombinationConfigurations: []Configuration{}, Version: 1}
	}
	return []Strength{
		strength(StrengthMFA, "Multifactor authentication", "Any two factors, for example a password and a code.",
			"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor", "deviceBasedPush", "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse",
			"password,microsoftAuthenticatorPush", "password,softwareOath", "password,hardwareOath", "password,x509CertificateSingleFactor", "password,x509CertificateMultiFactor", "password,sms", "password,voice",
			"federatedMultiFactor", "microsoftAuthenticatorPush,federatedSingleFactor", "softwareOath,federatedSingleFactor", "hardwareOath,federatedSingleFactor", "sms,federatedSingleFactor", "voice,federatedSingleFactor"),
		strength(StrengthPasswordless, "Passwordless MFA", "Two factors without a password, for example a passkey.",
			"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor", "deviceBasedPush"),
		strength(StrengthPhishingResistant, "Phishing-resistant MFA", "Methods that work on the right site only, for example a passkey.",
			"windowsHelloForBusiness", "fido2", "x509CertificateMultiFactor"),
	}
}()

// BuiltInStrengths returns the strengths that always exist.
func BuiltInStrengths() []Strength { return slices.Clone(builtIn) }
