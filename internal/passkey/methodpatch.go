package passkey

import (
	"encoding/json"
	"strings"

	"cardea/internal/problem"
)

// MethodPatch is a change of one passkey. Nil and "" change nothing.
type MethodPatch struct {
	DisplayName *string
	State       State
}

// ReadMethodPatch reads the body of Graph's PATCH of a fido2Method: displayName
// (PK-131) and our own cardea.state, and nothing else. cardea: null means the
// state of a passkey that says nothing about it: enabled (DO-51). Errors:
// badRequest, requiredParamMissing.
func ReadMethodPatch(body []byte) (p MethodPatch, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return p, problem.New(problem.Invalid, "badRequest", "The body must be a JSON object with the members to change.").Because(err)
	}
	some := false
	for name, value := range members {
		switch {
		case strings.Contains(name, "@odata."):
		case strings.EqualFold(name, "displayName"):
			if err := json.Unmarshal(value, &p.DisplayName); err != nil {
				return p, problem.New(problem.Invalid, "badRequest", "displayName is a text.").On("/displayName").Because(err)
			}
			some = some || p.DisplayName != nil
		case name == "cardea":
			if p.State, err = readExtra(value); err != nil {
				return p, err
			}
			if string(value) == "null" {
				p.State = Enabled
			}
			some = some || p.State != ""
		default:
			return p, problem.New(problem.Invalid, "badRequest", "Of a passkey only displayName and cardea.state can be changed. Leave %q out.", clip(name, 60)).On("/" + clip(name, 60))
		}
	}
	if !some {
		return p, problem.New(problem.Invalid, "requiredParamMissing", "displayName is missing: it is what can be changed.").On("/displayName")
	}
	return p, nil
}

// readExtra reads the member cardea of a passkey; "" if it says nothing. An
// unknown member inside is refused (DO-51).
func readExtra(value json.RawMessage) (State, error) {
	if len(value) == 0 || string(value) == "null" {
		return "", nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil {
		return "", problem.New(problem.Invalid, "badRequest", "cardea is an object. Write {\"state\": \"disabled\"}.").On("/cardea").Because(err)
	}
	var state *string
	for name, v := range members {
		if name != "state" {
			return "", problem.New(problem.Invalid, "badRequest", "A passkey has no member cardea/%s. The only one is state.", clip(name, 60)).On("/cardea/" + clip(name, 60))
		}
		if err := json.Unmarshal(v, &state); err != nil {
			return "", problem.New(problem.Invalid, "badRequest", "cardea.state is enabled or disabled.").On("/cardea/state").Because(err)
		}
	}
	if state == nil {
		return "", nil
	}
	return spelled("/cardea/state", *state, Enabled, Disabled)
}
