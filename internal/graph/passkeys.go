package graph

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cardea/internal/passkey"
	"cardea/internal/problem"
	"cardea/internal/session"
)

var (
	writePasskeys = Access{
		Scopes: []string{"UserAuthMethod-Passkey.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"},
		Own:    []string{"UserAuthMethod-Passkey.ReadWrite", "UserAuthenticationMethod.ReadWrite"},
		Roles:  writeMethods.Roles,
	}
	passkeyShape = Shape{Set: "users('{user}')/authentication/fido2Methods", Type: "fido2AuthenticationMethod"}
)

// passkeys are the fido2Methods of a person (passkeys §7). A call about the
// own object is a call on /me, however it is spelled (PK-130).
func passkeys() []resource {
	const list = "/users/{user}/authentication/fido2Methods"
	add := func(method, path string, a Access, run func(*Call) (Answer, error)) route {
		return route{Method: method, Path: path, Access: a, NotFound: "ResourceNotFound", Run: run}
	}
	return []resource{
		Every[passkey.Method]{Path: list, Access: readPasskeys, NotFound: "ResourceNotFound", Shape: passkeyShape, List: func(c *Call) ([]passkey.Method, error) {
			u, err := c.user()
			if err != nil {
				return nil, err
			}
			return c.keeper.List(c.Context, c.DB, u.ID)
		}},
		add("GET", list+"/$count", readPasskeys, func(c *Call) (Answer, error) {
			u, err := c.user()
			if err != nil {
				return Answer{}, err
			}
			all, err := c.keeper.List(c.Context, c.DB, u.ID)
			return digits(int64(len(all))), err
		}),
		add("GET", list+"/creationOptions", writePasskeys, creationOptions),
		add("GET", list+"/cardea.effectivePolicy", readPasskeys, effectivePolicy),
		add("GET", list+"/{passkey}", readPasskeys, func(c *Call) (Answer, error) {
			u, err := c.user()
			if err != nil {
				return Answer{}, err
			}
			m, err := c.keeper.Get(c.Context, c.DB, u.ID, c.Params["passkey"])
			if err != nil {
				return Answer{}, err
			}
			return passkeyShape.entity(c, http.StatusOK, m)
		}),
		add("POST", list, writePasskeys, registerPasskey),
		add("PATCH", list+"/{passkey}", writePasskeys, updatePasskey),
		add("DELETE", list+"/{passkey}", writePasskeys, func(c *Call) (Answer, error) {
			w, err := c.which()
			if err != nil {
				return Answer{}, err
			}
			return Answer{Status: http.StatusNoContent}, c.keeper.Delete(c.Context, w)
		}),
	}
}

func (c *Call) which() (passkey.Which, error) {
	u, err := c.reachable(c.DB)
	return passkey.Which{User: u, MethodID: c.Params["passkey"], Actor: c.Actor, At: c.Now}, err
}

// registration is what a tool asks for: a passkey for somebody else, or a
// person's own with a fresh multifactor sign-in (PK-129).
func (c *Call) registration() (passkey.Registration, error) {
	u, err := c.reachable(c.DB)
	return passkey.Registration{User: u, Actor: c.Actor, At: c.Now, Own: c.Self, MFAAt: c.Caller.MFAAt}, err
}

// freshly adds the claims challenge to a refusal that a new sign-in cures (WC-82).
func (c *Call) freshly(err error) error {
	if problem.CodeOf(err) == "ngcMfaRequired" {
		c.challenge = base64.StdEncoding.EncodeToString([]byte(session.FreshClaims))
	}
	return err
}

func creationOptions(c *Call) (Answer, error) {
	life, err := c.challengeLife()
	if err != nil {
		return Answer{}, err
	}
	r, err := c.registration()
	if err != nil {
		return Answer{}, err
	}
	r.Life = life
	begun, err := c.keeper.BeginRegistration(c.Context, r)
	if err != nil {
		return Answer{}, c.freshly(err)
	}
	return Answer{Status: http.StatusOK, Body: struct {
		Context   string          `json:"@odata.context"`
		Timeout   time.Time       `json:"challengeTimeoutDateTime"`
		PublicKey json.RawMessage `json:"publicKey"`
	}{c.Base + "/$metadata#microsoft.graph.webauthnCredentialCreationOptions", begun.ExpiresAt.UTC(), begun.Options}}, nil
}

// challengeLife reads challengeTimeoutInMinutes in every spelling of
// wire-compatibility §3.1: in parentheses, in the query, or in parentheses as
// the name of a query parameter, with or without its @. None is the default.
func (c *Call) challengeLife() (time.Duration, error) {
	const name = "challengetimeoutinminutes"
	text, ok := c.Args[name]
	if alias, isAlias := strings.CutPrefix(text, "@"); isAlias {
		alias = strings.ToLower(alias)
		if text = c.Query.Get("@" + alias); text == "" {
			text = c.Query.Get(alias)
		}
		ok = text != ""
	}
	if !ok {
		text = c.Query.Get(name)
	}
	if text == "" {
		return 0, nil
	}
	minutes, err := strconv.ParseFloat(text, 64)
	if err != nil {
		minutes = math.NaN() // refused with the same words as 4
	}
	return passkey.ProvisioningLife(minutes)
}

func registerPasskey(c *Call) (Answer, error) {
	r, err := c.registration()
	if err != nil {
		return Answer{}, err
	}
	sent, err := passkey.ReadProvisioned(c.Body)
	if err != nil {
		return Answer{}, err
	}
	done, err := c.keeper.FinishRegistration(c.Context, r, sent)
	if err != nil {
		return Answer{}, c.freshly(err)
	}
	return passkeyShape.entity(c, http.StatusCreated, done.Method)
}

// updatePasskey changes displayName (PK-131) and the state of a prepared one.
func updatePasskey(c *Call) (Answer, error) {
	change, err := passkey.ReadMethodPatch(c.Body)
	if err != nil {
		return Answer{}, err
	}
	w, err := c.which()
	if err != nil {
		return Answer{}, err
	}
	_, err = c.keeper.Update(c.Context, w, change)
	return Answer{Status: http.StatusNoContent}, err
}

func effectivePolicy(c *Call) (Answer, error) {
	u, err := c.user()
	if err != nil {
		return Answer{}, err
	}
	p, err := c.keeper.Effective(c.Context, u.ID)
	if err != nil {
		return Answer{}, err
	}
	o, err := toObject(p)
	return Answer{Status: http.StatusOK, Body: o.with("@odata.context", c.Base+"/$metadata#cardea.effectivePasskeyPolicy")}, err
}
