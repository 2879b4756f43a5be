package passkey

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cardea/internal/problem"
)

// The body of a PATCH, before it means anything. A pointer is nil if the member
// is absent or null, which is the same to us (WC-19). Unknown members and
// annotations are ignored (PK-18).
type changeBody struct {
	ODataType                        *string           `json:"@odata.type"`
	State                            *string           `json:"state"`
	IsSelfServiceRegistrationAllowed *bool             `json:"isSelfServiceRegistrationAllowed"`
	IsAttestationEnforced            *bool             `json:"isAttestationEnforced"`
	KeyRestrictions                  *restrictionsBody `json:"keyRestrictions"`
	DefaultPasskeyProfile            *string           `json:"defaultPasskeyProfile"`
	ExcludeTargets                   *[]targetBody     `json:"excludeTargets"`
	IncludeTargets                   *[]targetBody     `json:"includeTargets"`
	PasskeyProfiles                  *[]profileBody    `json:"passkeyProfiles"`
}

type targetBody struct {
	TargetType             *string   `json:"targetType"`
	ID                     *string   `json:"id"`
	IsRegistrationRequired *bool     `json:"isRegistrationRequired"`
	AllowedPasskeyProfiles *[]string `json:"allowedPasskeyProfiles"`
}

type profileBody struct {
	ID                     *string           `json:"id"`
	Name                   *string           `json:"name"`
	PasskeyTypes           *string           `json:"passkeyTypes"`
	AttestationEnforcement *string           `json:"attestationEnforcement"`
	KeyRestrictions        *restrictionsBody `json:"keyRestrictions"`
}

type restrictionsBody struct {
	IsEnforced      *bool     `json:"isEnforced"`
	EnforcementType *string   `json:"enforcementType"`
	AaGuids         *[]string `json:"aaGuids"`
}

// readBody decodes a PATCH body and checks what can be checked without the
// document it changes.
func readBody(body []byte) (b changeBody, err error) {
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return b, problem.New(problem.Invalid, "badRequest", "The body must be a JSON object with the members to change.")
	}
	if err := json.Unmarshal(body, &b); err != nil {
		bad := problem.New(problem.Invalid, "badRequest", "The body is not the JSON of a passkey policy. Compare it with what GET returns.").Because(err)
		if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && te.Field != "" {
			bad = bad.On("/" + strings.ReplaceAll(te.Field, ".", "/"))
			bad.Detail = "This member has the wrong JSON type: " + te.Value + ". Compare it with what GET returns."
		}
		return b, bad
	}
	if b.ODataType != nil && *b.ODataType != ODataType {
		return b, problem.New(problem.Invalid, "badRequest", "@odata.type must be %s, or left out.", ODataType).On("/@odata.type")
	}
	if b.DefaultPasskeyProfile != nil && canonicalGUID(*b.DefaultPasskeyProfile) != DefaultProfileID {
		return b, problem.New(problem.Invalid, "defaultProfileFixed", "The default profile is always %s. Leave defaultPasskeyProfile out.", DefaultProfileID).On("/defaultPasskeyProfile")
	}
	return b, nil
}

// legacyShaped reports whether the body knows nothing of profiles (PK-34).
func (b changeBody) legacyShaped() bool {
	if b.PasskeyProfiles != nil && len(*b.PasskeyProfiles) > 0 {
		return false
	}
	if b.IncludeTargets != nil {
		for _, t := range *b.IncludeTargets {
			if t.AllowedPasskeyProfiles != nil && len(*t.AllowedPasskeyProfiles) > 0 {
				return false
			}
		}
	}
	return true
}

func missing(at string) *problem.Error {
	name := at[strings.LastIndexByte(at, '/')+1:]
	return problem.New(problem.Invalid, "requiredParamMissing", "%s is required. Send it with a value.", name).On(at)
}

func invalidValue(at, format string, args ...any) *problem.Error {
	return problem.New(problem.Invalid, "invalidValue", format, args...).On(at)
}

// spelled finds the member of an enum that s names, whatever its case.
func spelled[T ~string](at, s string, members ...T) (T, error) {
	names := make([]string, len(members))
	for i, m := range members {
		if strings.EqualFold(s, string(m)) {
			return m, nil
		}
		names[i] = string(m)
	}
	return "", invalidValue(at, "%q is not allowed here. Use %s.", clip(s, 60), strings.Join(names, " or "))
}

// profile reads one profile; at is its JSON pointer. All members but id are
// required (PK-19); a profile without id gets a new one (PK-16).
func (b profileBody) profile(at string, newID func() string) (p Profile, err error) {
	switch {
	case b.Name == nil:
		return p, missing(at + "/name")
	case b.PasskeyTypes == nil:
		return p, missing(at + "/passkeyTypes")
	case b.AttestationEnforcement == nil:
		return p, missing(at + "/attestationEnforcement")
	case b.KeyRestrictions == nil:
		return p, missing(at + "/keyRestrictions")
	}
	if b.ID == nil || *b.ID == "" {
		p.ID = canonicalGUID(newID())
	} else if g, ok := parseGUID(*b.ID); ok {
		p.ID = AAGUID(g).String()
	} else {
		return p, invalidValue(at+"/id", "%q is not a GUID. Leave the id out to get a new one.", clip(*b.ID, 60))
	}
	p.Name = strings.TrimSpace(*b.Name)
	if err := p.PasskeyTypes.UnmarshalText([]byte(*b.PasskeyTypes)); err != nil {
		e, _ := errors.AsType[*problem.Error](err)
		return p, e.On(at + "/passkeyTypes")
	}
	p.AttestationEnforcement, err = spelled(at+"/attestationEnforcement", *b.AttestationEnforcement, AttestationDisabled, AttestationRegistrationOnly)
	if err != nil {
		return p, err
	}
	p.KeyRestrictions, err = b.KeyRestrictions.restrictions(at + "/keyRestrictions")
	return p, err
}

// restrictions reads a list of models: lower-cased, each once, first kept
// (PK-20). It is replaced whole, so what is absent is off or empty (PK-14).
func (b restrictionsBody) restrictions(at string) (k KeyRestrictions, err error) {
	k = KeyRestrictions{IsEnforced: b.IsEnforced != nil && *b.IsEnforced, EnforcementType: Block, AaGuids: []string{}}
	switch {
	case b.EnforcementType != nil:
		if k.EnforcementType, err = spelled(at+"/enforcementType", *b.EnforcementType, Allow, Block); err != nil {
			return k, err
		}
	case k.IsEnforced:
		return k, missing(at + "/enforcementType")
	}
	if b.AaGuids == nil {
		return k, nil
	}
	seen := make(map[AAGUID]bool, len(*b.AaGuids))
	for i, s := range *b.AaGuids {
		a, ok := ParseAAGUID(strings.TrimSpace(s))
		if !ok {
			return k, problem.New(problem.Invalid, "aaguidInvalid", "%q is not an AAGUID. Write it like 90a3ccdf-635c-4729-a248-9b709135078f.", clip(s, 60)).On(fmt.Sprintf("%s/aaGuids/%d", at, i))
		}
		if !seen[a] {
			seen[a] = true
			k.AaGuids = append(k.AaGuids, a.String())
		}
	}
	return k, nil
}

// kindAndID reads what both sorts of target share. AllUsers is always a group
// (PK-26), and a role is written as the group of its holders.
func (b targetBody) kindAndID(at string) (kind, id string, err error) {
	if b.ID == nil || *b.ID == "" {
		return "", "", missing(at + "/id")
	}
	kind, id = TargetGroup, canonicalGUID(*b.ID)
	if b.TargetType != nil {
		if kind, err = spelled(at+"/targetType", *b.TargetType, TargetUser, TargetGroup, targetRole); err != nil {
			return "", "", err
		}
	}
	if strings.EqualFold(id, AllUsers) {
		return TargetGroup, AllUsers, nil
	}
	if kind == targetRole {
		kind = TargetGroup
	}
	return kind, id, nil
}
