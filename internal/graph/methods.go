package graph

import (
	"net/http"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/db"
	"cardea/internal/oath"
	"cardea/internal/password"
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

// methods lists all ways in of a person together (PK-127), and the software
// tokens by themselves.
func methods() []resource {
	const codes = "/users/{user}/authentication/softwareOathMethods"
	codeShape := Shape{Set: "users('{user}')/authentication/softwareOathMethods", Type: "softwareOathAuthenticationMethod"}
	return []resource{
		route{Method: "GET", Path: "/users/{user}/authentication/methods", Access: readMethods, NotFound: "ResourceNotFound", Run: listMethods},
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
}

func listMethods(c *Call) (Answer, error) {
	u, err := c.user()
	if err != nil {
		return Answer{}, err
	}
	p := page{Context: c.Base + "/$metadata#" + c.fill("users('{user}')/authentication/methods"), Value: []object{}}
	add := func(kind string, item any) error {
		full, err := toObject(item)
		if err != nil {
			return err
		}
		p.Value = append(p.Value, full.with("@odata.type", "#microsoft.graph."+kind+"AuthenticationMethod"))
		return nil
	}
	changed, err := password.ChangedAt(c.Context, c.DB, u.ID)
	if err != nil {
		return Answer{}, err
	}
	if changed != nil {
		if err := add("password", passwordMethod{ID: passwordMethodID, CreatedDateTime: changed}); err != nil {
			return Answer{}, err
		}
	}
	passes, err := accesspass.List(c.Context, c.DB, c.Now, u.ID)
	if err != nil {
		return Answer{}, err
	}
	for _, m := range passes {
		if err := add("temporaryAccessPass", m); err != nil {
			return Answer{}, err
		}
	}
	keys, err := c.keeper.List(c.Context, c.DB, u.ID)
	if err != nil {
		return Answer{}, err
	}
	for _, m := range keys {
		if err := add("fido2", m); err != nil {
			return Answer{}, err
		}
	}
	codes, err := oath.List(c.Context, c.DB, u.ID)
	if err != nil {
		return Answer{}, err
	}
	for _, m := range codes {
		if err := add("softwareOath", m); err != nil {
			return Answer{}, err
		}
	}
	return Answer{Status: http.StatusOK, Body: p}, nil
}
