package passkey

import (
	"fmt"
	"strings"

	"cardea/internal/mds"
	"cardea/internal/problem"
)

// Codes of a refusal as a whole, Entra's names (PK §7.6).
const (
	CodeFeatureDisallowed = "featureDisallowedByPolicy"
	CodeUserGroup         = "userGroupRestriction"
	CodeKeyDisallowed     = "keyDisallowedByPolicy"
	CodeAttestation       = "attestationValidationFailed"
	CodeNotActivated      = "passkeyDisabled" // ours: Entra has no such state
)

// Code is the code of the refusal as a whole, "" if d allows (PK-144).
func (d Decision) Code() string {
	if d.Allowed {
		return ""
	}
	switch d.State {
	case MethodDisabled, SelfServiceOff:
		return CodeFeatureDisallowed
	case UserExcluded, UserNotTargeted:
		return CodeUserGroup
	case NotActivated:
		return CodeNotActivated
	}
	for _, r := range d.Reasons {
		if r.Code != AttestationRequired {
			return CodeKeyDisallowed
		}
	}
	return CodeAttestation
}

// Why is the most precise single code: the state that kept every profile away,
// or the first failure of the first profile. It is "" if d allows.
func (d Decision) Why() string {
	switch {
	case d.Allowed:
		return ""
	case len(d.Reasons) > 0:
		return d.Reasons[0].Code
	}
	return string(d.State)
}

// kept is the state that kept every profile away, "" if profiles were asked.
func (d Decision) kept() string {
	if d.State == Applies {
		return ""
	}
	return string(d.State)
}

// maxSentences is how many reasons a message spells out; Reasons has them all.
const maxSentences = 3

// Problem is the refusal as an error for administrators and programs: it names
// rule and profile and says what to do next (PK-144). It is nil if d allows.
// For the pages of people use Advice.
func (d Decision) Problem() *problem.Error {
	if d.Allowed {
		return nil
	}
	e := &problem.Error{Kind: problem.Invalid, Code: d.Code()}
	switch d.State {
	case MethodDisabled:
		e.Detail = "Passkeys are switched off for this organisation. An administrator can enable them under Authentication methods, Passkey (FIDO2)."
		return e
	case SelfServiceOff:
		e.Detail = "People cannot add passkeys themselves here. Ask an administrator to register one, or to allow self-service set up."
		return e
	case UserExcluded:
		e.Detail = "This person is excluded from passkeys. An administrator can change the excluded targets under Authentication methods, Passkey (FIDO2)."
		return e
	case UserNotTargeted:
		e.Detail = "No target of the passkey policy includes this person. An administrator can add a group with a profile under Authentication methods, Passkey (FIDO2)."
		return e
	}
	if d.State == NotActivated {
		e.Detail = "This passkey was prepared for its owner, who has not activated it yet. The owner does so on Security info; an administrator can set cardea.state to enabled."
		return e
	}
	text := []string{"This passkey is not allowed."}
	for i, r := range d.Reasons {
		sentence := d.sentence(r)
		e.Reasons = append(e.Reasons, problem.Reason{Code: r.Code, Target: "passkeyProfiles/" + r.ProfileID, Message: sentence})
		if i < maxSentences {
			text = append(text, sentence)
		}
	}
	if n := len(d.Reasons) - maxSentences; n > 0 {
		text = append(text, fmt.Sprintf("There are %d more reasons in the details.", n))
	}
	e.Detail = strings.Join(append(text, d.nextStep()), " ")
	return e
}

// sentence says what one profile holds against the passkey.
func (d Decision) sentence(r Reason) string {
	name := fmt.Sprintf("Profile %q", r.ProfileName)
	switch r.Code {
	case TypeNotAllowed:
		if d.facts.Type == Synced {
			return name + " does not allow synced passkeys."
		}
		return name + " does not allow passkeys that are only on one device (device-bound)."
	case AAGUIDNotAllowed:
		if d.facts.AAGUID.IsZero() {
			return name + " allows listed models only, and this passkey does not name its model."
		}
		return name + " does not list this model (AAGUID " + d.facts.AAGUID.String() + ")."
	case AAGUIDBlocked:
		return name + " blocks this model (AAGUID " + d.facts.AAGUID.String() + ")."
	}
	return name + " demands attestation: " + causeText(r.Cause) + "."
}

// causeText says why an attestation is not trusted.
func causeText(code string) string {
	switch code {
	case "attestationNone":
		return "this passkey carries no proof of its model"
	case "attestationSelf":
		return "this passkey vouches only for itself"
	case "attestationUnverified":
		return "the proof of its model could not be verified"
	case "attestationUntrusted":
		return "the proof of its model does not lead to a root that is trusted for it"
	case CauseMetadataMissing:
		return "this server has no FIDO metadata to check it with"
	case CauseCompromised:
		return "the FIDO metadata reports this model as compromised"
	case mds.ReasonNotListed:
		return "the FIDO metadata does not list this model"
	case mds.ReasonNotCertified:
		return "this model has no FIDO certification"
	case mds.ReasonNotFIDO2:
		return "this model does not speak FIDO 2.0 or later"
	case mds.ReasonNoVerification:
		return "this model cannot verify its user"
	case mds.ReasonNoResidentKey:
		return "this model cannot keep passkeys"
	case mds.ReasonNoHMACSecret:
		return "this model lacks the hmac-secret extension"
	}
	return "there is no trusted proof of the model of this passkey"
}

// remedy is the shortest way to a passkey that would be accepted.
type remedy uint8

const (
	useListed      remedy = iota // another model or provider
	useDeviceBound               // the other type is enough
	useSynced
	useAttested  // a certified security key
	loadMetadata // nobody can, until an administrator acts
)

// remedy looks for a profile that fails on the type alone (a synced passkey
// then lacks attestation too): there, the other type is what is missing.
func (d Decision) remedy() remedy {
	type failure struct {
		types      TypeSet
		kind, list bool
	}
	var order []string
	byProfile := map[string]*failure{}
	anyList, metadata := false, true
	for _, r := range d.Reasons {
		f := byProfile[r.ProfileID]
		if f == nil {
			f = &failure{types: r.types}
			byProfile[r.ProfileID] = f
			order = append(order, r.ProfileID)
		}
		f.kind = f.kind || r.Code == TypeNotAllowed
		f.list = f.list || r.Code == AAGUIDNotAllowed || r.Code == AAGUIDBlocked
		anyList = anyList || f.list
		metadata = metadata && r.Code == AttestationRequired && r.Cause == CauseMetadataMissing
	}
	for _, id := range order {
		if f := byProfile[id]; f.kind && !f.list {
			if f.types.Has(DeviceBound) {
				return useDeviceBound
			}
			return useSynced
		}
	}
	switch {
	case anyList || len(order) == 0:
		return useListed
	case metadata:
		return loadMetadata
	}
	return useAttested
}

func (d Decision) nextStep() string {
	switch d.remedy() {
	case useDeviceBound:
		return "Use a security key or another device-bound passkey, or change the profile."
	case useSynced:
		return "Use a synced passkey, kept in a password manager, or change the profile."
	case useAttested:
		return "Use a security key whose model is certified, or change the profile."
	case loadMetadata:
		return "Load the FIDO metadata under Authentication methods, then try again."
	}
	return "Use a security key or password manager that a profile lists, or change the profile."
}

// Advice is the refusal for the person it concerns, who has proved who they
// are: what to do, and the rule, in people's words (PK-122, PK-172, ux §3.7).
// It is "" if d allows.
func (d Decision) Advice() string {
	if d.Allowed {
		return ""
	}
	switch d.State {
	case MethodDisabled:
		return "Use another way to sign in. Your organisation has switched passkeys off."
	case SelfServiceOff:
		return "Ask your help desk for a passkey. Your organisation sets them up for you."
	case UserExcluded, UserNotTargeted:
		return "Use another way to sign in, or ask your help desk. Your organisation does not accept passkeys for your account."
	case NotActivated:
		return "Sign in another way first, for example with a Temporary Access Pass from your help desk. Then activate this security key: it was prepared for you and waits for that."
	}
	switch d.remedy() {
	case useDeviceBound:
		return "Use a security key, or a passkey that is only on this device. Your organisation does not accept synced passkeys here." + d.rules()
	case useSynced:
		return "Use a synced passkey, kept in your password manager. Your organisation does not accept passkeys that are only on one device here." + d.rules()
	case useAttested:
		return "Use a security key that your organisation has approved. This passkey cannot prove which model it is." + d.rules()
	case loadMetadata:
		return "Ask your help desk to finish the set-up for security keys. New passkeys cannot be checked at the moment." + d.rules()
	}
	return "Use a security key or password manager that your organisation accepts, or ask your help desk which ones they are. This one is not on the list." + d.rules()
}

// rules names the profiles that refused, so that a help desk knows where to look.
func (d Decision) rules() string {
	var names []string
	last := ""
	for _, r := range d.Reasons {
		if r.ProfileID == last {
			continue
		}
		last = r.ProfileID
		if len(names) == maxSentences {
			names = append(names, "…")
			break
		}
		names = append(names, r.ProfileName)
	}
	return " (Refused by: " + strings.Join(names, ", ") + ".)"
}
