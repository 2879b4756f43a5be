package graph

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/db"
	"cardea/internal/oath"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// passwordMethodID is the id under which Graph shows everybody's password.
const passwordMethodID = "28c10230-6103-485e-b985-444c60001490"

// passwordMethod is Graph's passwordAuthenticationMethod; the password itself
// is never shown.
type passwordMethod struct {
	ID              string     `json:"id"`
	Password        *string    `json:"password"`
	CreatedDateTime *time.Time `json:"createdDateTime"`
}

// absent are kinds of methods that Graph has and Cardea has not: tools list
// them all, and an empty list is the truth. (Passkeys of Windows Hello are
// fido2Methods here.)
var absent = map[string]string{
	"emailMethods": "emailAuthenticationMethod", "externalAuthenticationMethods": "externalAuthenticationMethod", "hardwareOathMethods": "hardwareOathAuthenticationMethod",
	"microsoftAuthenticatorMethods": "microsoftAuthenticatorAuthenticationMethod", "passwordlessMicrosoftAuthenticatorMethods": "passwordlessMicrosoftAuthenticatorAuthenticationMethod",
	"phoneMethods": "phoneAuthenticationMethod", "platformCredentialMethods": "platformCredentialAuthenticationMethod",
	"windowsHelloForBusinessMethods": "windowsHelloForBusinessAuthenticationMethod",
}

const authenticationPath = "/users/{user}/authentication"

// methods lists all ways in of a person together (PK-127), and those that have
// no file of their own.
func methods() []resource {
	const codes, passwords = authenticationPath + "/softwareOathMethods", authenticationPath + "/passwordMethods"
	codeShape := Shape{Set: "users('{user}')/authentication/softwareOathMethods", Type: "softwareOathAuthenticationMethod"}
	passwordShape := Shape{Set: "users('{user}')/authentication/passwordMethods", Type: "passwordAuthenticationMethod"}
	add := func(method, path string, a Access, run func(*Call) (Answer, error)) route {
		return route{Method: method, Path: path, Access: a, NotFound: "ResourceNotFound", Run: run}
	}
	out := []resource{
		add("GET", authenticationPath+"/methods", readMethods, listMethods),
		add("GET", authenticationPath+"/methods/$count", readMethods, func(c *Call) (Answer, error) {
			all, err := c.everyMethod()
			return digits(int64(len(all))), err
		}),
		add("GET", authenticationPath+"/methods/{method}", readMethods, getMethod),
		// Graph spells it both ways; the id is that of the password.
		add("POST", authenticationPath+"/methods/{method}/resetPassword", writeMethods, resetMethodPassword),
		add("POST", passwords+"/{method}/resetPassword", writeMethods, resetMethodPassword),
		add("GET", authenticationPath+"/operations/{operation}", readMethods, getOperation),
		add("GET", authenticationPath+"/requirements", readRequirements, getRequirements),
		add("PATCH", authenticationPath+"/requirements", writeRequirements, patchRequirements),
		Every[passwordMethod]{Path: passwords, Access: readMethods, NotFound: "ResourceNotFound", Shape: passwordShape, List: (*Call).passwordMethods},
		Collection[passwordMethod]{
			Path: passwords, Key: "{method}", NotFound: "ResourceNotFound", Shape: passwordShape, Read: readMethods,
			Get: func(c *Call) (passwordMethod, error) {
				all, err := c.passwordMethods()
				if err != nil {
					return passwordMethod{}, err
				}
				if len(all) == 0 || !strings.EqualFold(c.Params["method"], passwordMethodID) {
					return passwordMethod{}, noMethod()
				}
				return all[0], nil
			},
		},
		Every[oath.Token]{Path: codes, Access: readMethods, NotFound: "ResourceNotFound", Shape: codeShape, List: func(c *Call) ([]oath.Token, error) {
			u, err := c.user()
			if err != nil {
				return nil, err
			}
			return oath.List(c.Context, c.DB, u.ID)
		}},
		Collection[oath.Token]{
			Path: codes, Key: "{code}", NotFound: "ResourceNotFound", Shape: codeShape, Read: readMethods, Write: writeMethods,
			Get: func(c *Call) (oath.Token, error) {
				u, err := c.user()
				if err != nil {
					return oath.Token{}, err
				}
				return oath.Get(c.Context, c.DB, oath.Which{UserID: u.ID, ID: c.Params["code"]})
			},
			Delete: func(c *Call) error {
				return c.guarded(func(q db.Querier) error {
					u, err := c.reachable(q)
					if err != nil {
						return err
					}
					return oath.Delete(c.Context, q, c.Actor, c.Now, oath.Which{UserID: u.ID, ID: c.Params["code"]})
				})
			},
		},
	}
	for _, kind := range slices.Sorted(maps.Keys(absent)) {
		out = append(out, Every[struct{}]{Path: authenticationPath + "/" + kind, Access: readMethods, NotFound: "ResourceNotFound",
			Shape: Shape{Set: "users('{user}')/authentication/" + kind, Type: absent[kind]}, List: func(c *Call) ([]struct{}, error) {
				_, err := c.user()
				return nil, err
			}})
	}
	return out
}

func noMethod() error {
	return problem.New(problem.NotFound, "keyNotFound", "This person has no such method. List the methods and use an id from there.")
}

// passwordMethods is the one password of a person, or none.
func (c *Call) passwordMethods() ([]passwordMethod, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	changed, err := password.ChangedAt(c.Context, c.DB, u.ID)
	if err != nil || changed == nil {
		return nil, err
	}
	return []passwordMethod{{ID: passwordMethodID, CreatedDateTime: changed}}, nil
}

// everyMethod is every way in of the person in the path, each with its type.
func (c *Call) everyMethod() ([]object, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	passwords, err := c.passwordMethods()
	if err != nil {
		return nil, err
	}
	passes, err := accesspass.List(c.Context, c.DB, c.Now, u.ID)
	if err != nil {
		return nil, err
	}
	keys, err := c.keeper.List(c.Context, c.DB, u.ID)
	if err != nil {
		return nil, err
	}
	codes, err := oath.List(c.Context, c.DB, u.ID)
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, list := range []func([]object) ([]object, error){typed("password", passwords), typed("temporaryAccessPass", passes), typed("fido2", keys), typed("softwareOath", codes)} {
		if out, err = list(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// typed appends items to a list, each with its @odata.type.
func typed[T any](kind string, items []T) func([]object) ([]object, error) {
	return func(to []object) ([]object, error) {
		for _, item := range items {
			full, err := toObject(item)
			if err != nil {
				return nil, err
			}
			to = append(to, full.with("@odata.type", "#microsoft.graph."+kind+"AuthenticationMethod"))
		}
		return to, nil
	}
}

func listMethods(c *Call) (Answer, error) {
	all, err := c.everyMethod()
	return Answer{Status: http.StatusOK, Body: page{Context: c.Base + "/$metadata#" + c.fill("users('{user}')/authentication/methods"), Value: all}}, err
}

// getMethod finds one of them by its id, which for a passkey may lack the last
// digit (PK-126).
func getMethod(c *Call) (Answer, error) {
	all, err := c.everyMethod()
	if err != nil {
		return Answer{}, err
	}
	id := c.Params["method"]
	for _, o := range all {
		have, _ := o.value("id").(string)
		_, key := o.value("aaGuid").(string)
		if have == id || key && len(have) > 1 && have[:len(have)-1] == id || !key && strings.EqualFold(have, id) {
			return Answer{Status: http.StatusOK, Body: o.with("@odata.context", c.Base+"/$metadata#"+c.fill("users('{user}')/authentication/methods")+"/$entity")}, nil
		}
	}
	return Answer{}, noMethod()
}
