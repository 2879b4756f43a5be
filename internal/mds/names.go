package mds

import "slices"

// Class groups providers by the platform that makes them, as the registration
// campaign needs it (PK-160).
type Class string

const (
	ClassOther         Class = ""
	ClassAuthenticator Class = "authenticator" // Microsoft Authenticator
	ClassWindows       Class = "windows"
	ClassApple         Class = "apple"
	ClassGoogle        Class = "google"
	ClassSamsung       Class = "samsung"
)

// Sync says what kind of passkey a provider usually makes, in the words of
// passkeyType. A hint for choosing names and nothing else: the backup-eligible
// flag decides (PK-81).
type Sync string

const (
	SyncUnknown Sync = ""
	Synced      Sync = "synced"
	DeviceBound Sync = "deviceBound"
)

// Provider is a maker of passkeys that people know by name. Choosing it in a
// list of AAGUIDs adds all of its ids (PK-100).
type Provider struct {
	Name    string
	Class   Class
	Sync    Sync
	Members []Member
}

// Member is one AAGUID of a provider.
type Member struct {
	AAGUID AAGUID
	Detail string // which edition, where there are several
}

// Providers gives our own table. The slice is the caller's, the members are not.
func Providers() []Provider { return slices.Clone(providers) }

var (
	// providers is our own table (specification PK §5.5, WA-66): the facts are
	// public, the table is ours. Nobody changes it.
	providers = []Provider{
		{"Microsoft Authenticator", ClassAuthenticator, DeviceBound, []Member{
			{id("de1e552d-db1d-4423-a619-566b625cdc84"), "Android"},
			{id("90a3ccdf-635c-4729-a248-9b709135078f"), "iOS"}}},
		{"Windows Hello", ClassWindows, DeviceBound, []Member{
			{id("08987058-cadc-4b81-b6e1-30de50dcbe96"), "hardware"},
			{id("9ddd1817-af5a-4672-a2b9-3e3dd95000a9"), "virtualization-based security"},
			{id("6028b017-b1d4-4c02-b4b3-afcdafc96bb2"), "software"}}},
		{"iCloud Keychain", ClassApple, Synced, one("fbfc3007-154e-4ecc-8c0b-6e020557d7bd")},
		{"iCloud Keychain (managed)", ClassApple, Synced, one("dd4ec289-e01d-41c9-bb89-70fa845d4bf2")},
		{"Google Password Manager", ClassGoogle, Synced, one("ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4")},
		{"Samsung Pass", ClassSamsung, Synced, one("53414d53-554e-4700-0000-000000000000")},
		{"Chrome on Mac", ClassOther, DeviceBound, one("adce0002-35bc-c60a-648b-0b25f1f05503")},
		{"Edge on Mac", ClassOther, DeviceBound, one("771b48fd-d3d4-4f74-9232-fc157ab0507a")},
		{"Microsoft Password Manager", ClassOther, Synced, one("d3452668-01fd-4c12-926c-83a4204853aa")},
		{"1Password", ClassOther, Synced, one("bada5566-a7aa-401f-bd96-45619a55120d")},
		{"Bitwarden", ClassOther, Synced, one("d548826e-79b4-db40-a3d8-11116f7e8349")},
		{"Dashlane", ClassOther, Synced, one("531126d6-e717-415c-9320-3d9aa6981239")},
		{"Keeper", ClassOther, Synced, one("0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6")},
		{"Proton Pass", ClassOther, Synced, one("50726f74-6f6e-5061-7373-50726f746f6e")},
		{"KeePassXC", ClassOther, SyncUnknown, one("fdb141b2-5d84-443e-8a35-4698c205a502")},
		{"LastPass", ClassOther, Synced, one("b78a0a55-6ef8-d246-a042-ba0f6d55050c")},
	}
	providerByID = func() map[AAGUID]Provider {
		out := map[AAGUID]Provider{}
		for _, p := range providers {
			for _, m := range p.Members {
				out[m.AAGUID] = p
			}
		}
		return out
	}()
)

// id reads an AAGUID of the table above; a misspelt one stops every test.
func id(s string) AAGUID {
	v, err := ParseAAGUID(s)
	if err != nil {
		panic(err)
	}
	return v
}

func one(s string) []Member { return []Member{{AAGUID: id(s)}} }

// ProviderOf finds the provider of an AAGUID in our own table.
func ProviderOf(aaguid AAGUID) (Provider, bool) {
	p, ok := providerByID[aaguid]
	return p, ok
}

// ProviderName gives the name in our own table, "" if it has none.
func ProviderName(aaguid AAGUID) string {
	p, _ := ProviderOf(aaguid)
	return p.Name
}

// ProviderClass gives the class in our own table.
func ProviderClass(aaguid AAGUID) Class {
	p, _ := ProviderOf(aaguid)
	return p.Class
}

// Name gives the name to show to a person who reads lang (a language tag): that
// of the convenience metadata in this language, else of our own table, else the
// description of the metadata entry, else "" (WA-72). c and e may be nil. Names
// are for display and never an input of a decision (WA-71).
func Name(aaguid AAGUID, lang string, c *Convenience, e *Entry) string {
	if n := c.Name(aaguid, lang); n != "" {
		return n
	}
	return firstOf(ProviderName(aaguid), e.description())
}

// Model gives the value of fido2AuthenticationMethod.model: the metadata
// description, else our own table's name, else "" (PK §7.1).
func Model(aaguid AAGUID, e *Entry) string {
	return firstOf(e.description(), ProviderName(aaguid))
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (e *Entry) description() string {
	if e == nil {
		return ""
	}
	return e.Description
}
