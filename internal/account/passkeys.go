package account

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"cardea/internal/page"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// add is the page that makes another passkey.
func (e *Edge) add(v *visit) (page.Answer, error) {
	offer, err := e.Keeper.Offer(v.Context(), e.registration(v))
	if err != nil {
		return page.Answer{}, err
	}
	have, err := e.Keeper.Active(v.Context(), v.user.ID)
	if err != nil {
		return page.Answer{}, err
	}
	handle, err := passkey.UserHandle(e.TenantID, v.user.ID)
	if err != nil {
		return page.Answer{}, err
	}
	view := page.Create{Why: "account", Person: v.user.DisplayName, UserID: base64.RawURLEncoding.EncodeToString(handle), Existing: len(have), SkipsLeft: -1,
		Routes: page.CreateRoutes{Options: "/security-info/passkeys/options", Finish: "/security-info/passkeys", Try: "/signin/again", Next: "/security-info"}}
	if !offer.Any {
		view.Providers = offer.Names
	}
	if !offer.Types.Has(passkey.Synced) {
		view.Hint, view.KeysOnly = "security-key", !offer.Any
	}
	return page.HTML(view), nil
}

// options makes the options of a new passkey.
func (e *Edge) options(v *visit) (page.Answer, error) {
	var in struct {
		Flow string `json:"flow"`
	}
	if err := page.ReadJSON(v.Request, &in); err != nil {
		return page.Answer{}, err
	}
	b, err := e.Keeper.BeginRegistration(v.Context(), e.registration(v))
	if err != nil {
		return page.Answer{}, e.explained(v, err)
	}
	return begun(b), nil
}

// begun is what the script hears about a ceremony that begins.
func begun(b passkey.Begun) page.Answer {
	return page.JSON(struct {
		PublicKey json.RawMessage `json:"publicKey"`
		State     string          `json:"state"`
	}{b.Options, b.State})
}

// sent is what the script sends at the end of a ceremony.
type sent struct {
	State       string          `json:"state"` // the challenge holds it too
	Credential  json.RawMessage `json:"credential"`
	DisplayName string          `json:"displayName"` // of a new passkey
}

func readAnswer(v *visit) (in sent, err error) {
	err = page.ReadJSON(v.Request, &in)
	return in, err
}

// register stores the new passkey.
func (e *Edge) register(v *visit) (page.Answer, error) {
	in, err := readAnswer(v)
	if err != nil {
		return page.Answer{}, err
	}
	answer, err := passkey.ReadAnswer(in.Credential, in.DisplayName)
	if err != nil {
		return page.Answer{}, err
	}
	done, err := e.Keeper.FinishRegistration(v.Context(), e.registration(v), answer)
	if err != nil {
		return page.Answer{}, e.explained(v, err)
	}
	e.notify(v, added(done.Method))
	return page.JSON(named(done.Method)).WithStatus(http.StatusCreated).WithCookies(flash{"passkeyAdded", done.Method.DisplayName}.cookie()), nil
}

// named is what the script hears about a passkey.
func named(m passkey.Method) any {
	return struct {
		ID   string       `json:"id"`
		Name string       `json:"name"`
		Type passkey.Type `json:"passkeyType"`
	}{m.ID, m.DisplayName, m.PasskeyType}
}

// explained adds rule and profile to a refusal by the policy: the page names
// them and takes the useless passkey off the device (UX-C8). Other errors stay.
func (e *Edge) explained(v *visit, err error) error {
	p, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	switch p.Code {
	case passkey.CodeFeatureDisallowed, passkey.CodeUserGroup, passkey.CodeKeyDisallowed, passkey.CodeAttestation:
	default:
		return err
	}
	out := &page.Refusal{Problem: p, Rule: p.Code}
	if len(p.Reasons) == 0 {
		return out
	}
	out.Rule = p.Reasons[0].Code
	if id, ok := strings.CutPrefix(p.Reasons[0].Target, "passkeyProfiles/"); ok {
		policy, err := e.Keeper.Snapshot(v.Context())
		if err != nil {
			return err
		}
		profile, _ := policy.Configuration().Profile(id)
		out.Profile = profile.Name
	}
	return out
}

func (e *Edge) which(v *visit) passkey.Which {
	return passkey.Which{User: v.user, MethodID: v.PathValue("id"), Actor: v.actor(), At: v.now}
}

// one is the card of one passkey.
func (e *Edge) one(v *visit) (page.PasskeyCard, error) {
	m, err := e.Keeper.Get(v.Context(), e.DB, v.user.ID, v.PathValue("id"))
	return e.card(v, passkey.Standing{Method: m, Decision: passkey.Decision{Allowed: true}}), err
}

func (e *Edge) askRename(v *visit) (page.Answer, error) {
	c, err := e.one(v)
	return page.HTML(page.RenamePasskey{Person: v.user.DisplayName, Passkey: c}), err
}

// rename takes the form, and the script of the page that makes a passkey.
func (e *Edge) rename(v *visit) (page.Answer, error) {
	var in struct {
		DisplayName string `json:"displayName"`
	}
	if byScript(v.Request) {
		if err := page.ReadJSON(v.Request, &in); err != nil {
			return page.Answer{}, err
		}
	} else {
		form, err := page.ReadForm(v.Request)
		if err != nil {
			return page.Answer{}, err
		}
		in.DisplayName = form.Get("displayName")
	}
	if err := e.mayName(v); err != nil {
		return page.Answer{}, err
	}
	m, err := e.Keeper.Rename(v.Context(), e.which(v), in.DisplayName)
	switch {
	case byScript(v.Request) && err == nil:
		return page.JSON(named(m)).WithCookies(flash{"passkeyAdded", m.DisplayName}.cookie()), nil
	case byScript(v.Request) || problem.CodeOf(err) == "keyNotFound":
		return page.Answer{}, err
	case problem.CodeOf(err) == "badRequest":
		c, err := e.one(v)
		c.Name = in.DisplayName
		return page.HTML(page.RenamePasskey{Person: v.user.DisplayName, Passkey: c, Problem: "nameInvalid"}).WithStatus(http.StatusBadRequest), err
	case err != nil:
		return page.Answer{}, err
	}
	return back("passkeyRenamed", m.DisplayName), nil
}

// mayName refuses to first steps every passkey but the one that they made: who
// holds a link or a pass for one use has proved too little to touch the others.
func (e *Edge) mayName(v *visit) error {
	if v.session.Proved() {
		return nil
	}
	m, err := e.Keeper.Get(v.Context(), e.DB, v.user.ID, v.PathValue("id"))
	if err == nil && m.CreatedDateTime.Before(v.session.CreatedAt.Truncate(time.Millisecond)) {
		err = problem.New(problem.Unauthenticated, "signInRequired", "Please sign in.")
	}
	return err
}

// askDelete asks by name, or says why not (UX-M4).
func (e *Edge) askDelete(v *visit) (page.Answer, error) {
	_, err := e.Keeper.MayDelete(v.Context(), e.which(v))
	return e.deletePage(v, err)
}

// deletePage is the question; refused is what stands against it.
func (e *Edge) deletePage(v *visit, refused error) (page.Answer, error) {
	view := page.DeletePasskey{Person: v.user.DisplayName}
	status := http.StatusOK
	switch problem.CodeOf(refused) {
	case "lastMethod", "wouldLockOutAdministrators":
		p, _ := errors.AsType[*problem.Error](refused)
		view.Refused, status = p.Detail, page.StatusOf(refused)
	default:
		if refused != nil {
			return page.Answer{}, refused
		}
	}
	if v.Method != http.MethodPost {
		status = http.StatusOK
	}
	var err error
	view.Passkey, err = e.one(v)
	return page.HTML(view).WithStatus(status), err
}

func (e *Edge) delete(v *visit) (page.Answer, error) {
	m, err := e.Keeper.Get(v.Context(), e.DB, v.user.ID, v.PathValue("id"))
	if err != nil {
		return page.Answer{}, err
	}
	if err := e.Keeper.Delete(v.Context(), e.which(v)); err != nil {
		return e.deletePage(v, err)
	}
	e.notify(v, deleted(m))
	return back("passkeyDeleted", m.DisplayName), nil
}
