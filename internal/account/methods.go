package account

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"cardea/internal/accesspass"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/oath"
	"cardea/internal/page"
	"cardea/internal/password"
	"cardea/internal/problem"
)

func notFound() error {
	return problem.New(problem.NotFound, "notFound", "There is no such page. Go back to Security info and try again from there.")
}

// methodNames are for mails.
var methodNames = map[string]string{"pass": "Temporary access pass", "code": "Authenticator app (code)", "password": "Password"}

// askDeleteMethod asks before a pass, app code or password goes.
func (e *Edge) askDeleteMethod(v *visit) (page.Answer, error) {
	kind, id := v.PathValue("kind"), v.URL.Query().Get("id")
	var view page.SecurityInfo
	if err := e.others(v, &view); err != nil {
		return page.Answer{}, err
	}
	for _, m := range view.Others {
		if m.Kind != kind || m.ID != id {
			continue
		}
		out := page.DeleteMethod{Person: v.user.DisplayName, Method: m}
		if kind != "pass" {
			p, err := refusedBy(e.Keeper.GuardPassword(v.Context(), e.DB, v.user.ID))
			if err != nil {
				return page.Answer{}, err
			}
			out.Refused = p
		}
		return page.HTML(out), nil
	}
	return page.Answer{}, notFound()
}

// refusedBy is the sentence of lastMethod; other errors stay errors.
func refusedBy(err error) (string, error) {
	if p, ok := errors.AsType[*problem.Error](err); ok && p.Code == "lastMethod" {
		return p.Detail, nil
	}
	return "", err
}

func (e *Edge) deleteMethod(v *visit) (page.Answer, error) {
	form, err := page.ReadForm(v.Request)
	if err != nil {
		return page.Answer{}, err
	}
	ctx, kind, id, me := v.Context(), v.PathValue("kind"), form.Get("id"), v.user.ID
	err = e.DB.Write(ctx, func(q db.Querier) error {
		if kind == "pass" {
			return accesspass.Delete(ctx, q, v.actor(), v.now, accesspass.Which{UserID: me, ID: id})
		}
		if err := e.Keeper.GuardPassword(ctx, q, me); err != nil {
			return err
		}
		switch kind {
		case "code":
			return oath.Delete(ctx, q, v.actor(), v.now, oath.Which{UserID: me, ID: id})
		case "password":
			return password.Remove(ctx, q, v.actor(), v.now, me, v.session.ID)
		}
		return notFound()
	})
	if err != nil {
		return page.Answer{}, err
	}
	e.notify(v, notice{"A way to sign in was deleted from your account", methodNames[kind] + " was deleted from your account."})
	return back("methodDeleted", kind), nil
}

// appCode is what the page of a new authenticator app shows, sealed into its
// form: after a wrong code the same secret is shown again.
type appCode struct {
	Secret string `json:"s"`
	URI    string `json:"u"`
	State  string `json:"t"`
}

const sealedAppCode = "page of a new app code"

func (e *Edge) askAppCode(v *visit) (page.Answer, error) {
	n, err := oath.Begin(v.Context(), e.DB, e.Ring, v.session, v.now)
	if err != nil {
		return page.Answer{}, err
	}
	return e.appCodePage(v, appCode{n.Secret, n.URI, n.State}, "")
}

func (e *Edge) appCodePage(v *visit, c appCode, wrong string) (page.Answer, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return page.Answer{}, err
	}
	a := page.HTML(page.AddCode{Person: v.user.DisplayName, Secret: inFours(c.Secret), URI: c.URI, Problem: wrong,
		State: base64.RawURLEncoding.EncodeToString(e.Ring.Seal(sealedAppCode, text))})
	if wrong != "" {
		a = a.WithStatus(http.StatusBadRequest)
	}
	return a, nil
}

// inFours groups a secret for people who type it.
func inFours(s string) string {
	var out []string
	for len(s) > 4 {
		out, s = append(out, s[:4]), s[4:]
	}
	return strings.Join(append(out, s), " ")
}

func (e *Edge) addAppCode(v *visit) (page.Answer, error) {
	form, err := page.ReadForm(v.Request)
	if err != nil {
		return page.Answer{}, err
	}
	var c appCode
	sealed, err := base64.RawURLEncoding.DecodeString(form.Get("state"))
	if err == nil {
		sealed, err = e.Ring.Open(sealedAppCode, sealed)
	}
	if err == nil {
		err = json.Unmarshal(sealed, &c)
	}
	if err != nil {
		return page.Answer{}, problem.New(problem.Invalid, "pageExpired", "This page was open for too long. Start again.").Because(err)
	}
	_, err = oath.Confirm(v.Context(), e.DB, e.Ring, v.actor(), oath.Confirmation{State: c.State, Code: form.Get("secret"), Session: v.session, At: v.now})
	switch {
	case problem.CodeOf(err) == "codeInvalid":
		return e.appCodePage(v, c, "codeInvalid")
	case err != nil:
		return page.Answer{}, err
	}
	e.notify(v, notice{"An authenticator app was added to your account", "An authenticator app was added to your account. Its codes can be used together with your password."})
	return back("codeAdded", ""), nil
}

// askPassword shows the form if a policy gives the person a password. The first
// one needs a fresh proof; later ones ask for the current password instead.
func (e *Edge) askPassword(v *visit) (page.Answer, error) {
	return e.passwordPage(v, "")
}

func (e *Edge) passwordPage(v *visit, wrong string) (page.Answer, error) {
	may, err := e.allows(v, directory.MethodPassword)
	if err != nil {
		return page.Answer{}, err
	}
	if !may {
		return page.Answer{}, notFound()
	}
	changed, err := password.ChangedAt(v.Context(), e.DB, v.user.ID)
	if err != nil {
		return page.Answer{}, err
	}
	if changed == nil {
		if err := fresh(v); err != nil {
			return page.Answer{}, err
		}
	}
	a := page.HTML(page.SetPassword{Person: v.user.DisplayName, Username: v.user.UserPrincipalName, Change: changed != nil, MinLength: password.MinLength, Problem: wrong})
	if wrong != "" {
		a = a.WithStatus(http.StatusBadRequest)
	}
	return a, nil
}

func (e *Edge) setPassword(v *visit) (page.Answer, error) {
	form, err := page.ReadForm(v.Request)
	if err != nil {
		return page.Answer{}, err
	}
	err = password.Set(v.Context(), e.DB, e.Hasher, v.actor(), password.Change{UserID: v.user.ID, New: form.Get("secret"), Current: form.Get("current"), Session: v.session, At: v.now})
	p, _ := errors.AsType[*problem.Error](err)
	switch {
	case err == nil:
	case problem.KindOf(err) == problem.TooMany:
		return e.passwordPage(v, "tooManyAttempts")
	case p != nil && p.Kind == problem.Invalid && (p.Target == "password" || p.Target == "currentPassword"):
		return e.passwordPage(v, p.Code)
	default:
		return page.Answer{}, err
	}
	e.notify(v, notice{"The password of your account was changed", "The password of your account was set or changed."})
	return back("passwordSet", ""), nil
}
