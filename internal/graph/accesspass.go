package graph

import (
	"net/http"
	"net/url"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/db"
	"cardea/internal/directory"
)

var (
	readMethods = Access{
		Scopes: []string{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All", "UserAuthenticationMethod.Read", "UserAuthenticationMethod.ReadWrite"},
		Own:    []string{"UserAuthenticationMethod.Read", "UserAuthenticationMethod.ReadWrite"},
		Apps:   []string{"UserAuthenticationMethod.Read.All", "UserAuthenticationMethod.ReadWrite.All"},
		Roles:  []string{directory.AuthenticationAdministrator, directory.PrivilegedAuthenticationAdministrator, directory.GlobalReader},
	}
	writeMethods = Access{
		Scopes: []string{"UserAuthenticationMethod.ReadWrite.All"},
		Own:    []string{"UserAuthenticationMethod.ReadWrite"},
		Apps:   []string{"UserAuthenticationMethod.ReadWrite.All"},
		Roles:  []string{directory.AuthenticationAdministrator, directory.PrivilegedAuthenticationAdministrator},
	}
	// MFA per person is a policy, not a method (directory-and-odata §4.2).
	writeRequirements = Access{Scopes: []string{"Policy.ReadWrite.AuthenticationMethod", "UserAuthenticationMethod.ReadWrite.All"}, Roles: []string{directory.AuthenticationPolicyAdministrator}}
	readRequirements  = Access{Scopes: append([]string{"Policy.Read.AuthenticationMethod", "Policy.ReadWrite.AuthenticationMethod"}, readMethods.Scopes...), Own: readMethods.Own, Apps: readMethods.Apps,
		Roles: append([]string{directory.AuthenticationPolicyAdministrator}, readMethods.Roles...)}
	readPasses  = readMethods.also("UserAuthMethod-TAP.Read", "UserAuthMethod-TAP.ReadWrite")
	writePasses = writeMethods.also("UserAuthMethod-TAP.ReadWrite")
)

// also adds narrower permissions: name for the own object, name.All for anybody.
func (a Access) also(names ...string) Access {
	a.Scopes, a.Own, a.Apps = append([]string{}, a.Scopes...), append([]string{}, a.Own...), append([]string{}, a.Apps...)
	for _, n := range names {
		a.Scopes, a.Own, a.Apps = append(a.Scopes, n+".All"), append(a.Own, n), append(a.Apps, n+".All")
	}
	return a
}

// passes are the Temporary Access Passes of a person (passkeys §8), and the
// enrolment links beside them.
func passes() []resource {
	const list = "/users/{user}/authentication/temporaryAccessPassMethods"
	shape := Shape{Set: "users('{user}')/authentication/temporaryAccessPassMethods", Type: "temporaryAccessPassAuthenticationMethod"}
	return []resource{
		Every[accesspass.Pass]{Path: list, Access: readPasses, NotFound: "ResourceNotFound", Shape: shape, List: func(c *Call) ([]accesspass.Pass, error) {
			u, err := c.user()
			if err != nil {
				return nil, err
			}
			return accesspass.List(c.Context, c.DB, c.Now, u.ID)
		}},
		Collection[accesspass.Pass]{
			Path: list, Key: "{pass}", NotFound: "ResourceNotFound", Shape: shape, Read: readPasses, Write: writePasses,
			Get: func(c *Call) (accesspass.Pass, error) {
				u, err := c.user()
				if err != nil {
					return accesspass.Pass{}, err
				}
				return accesspass.Get(c.Context, c.DB, c.Now, accesspass.Which{UserID: u.ID, ID: c.Params["pass"]})
			},
			Delete: func(c *Call) error {
				return c.write(func(q db.Querier) error {
					u, err := c.reachable(q)
					if err != nil {
						return err
					}
					return accesspass.Delete(c.Context, q, c.Actor, c.Now, accesspass.Which{UserID: u.ID, ID: c.Params["pass"]})
				})
			},
		},
		route{Method: "POST", Path: list, Access: writePasses, NotFound: "ResourceNotFound", Run: func(c *Call) (Answer, error) {
			var order accesspass.Order
			if len(c.Body) > 0 {
				if err := c.decode(&order); err != nil {
					return Answer{}, err
				}
			}
			u, err := c.reachable(c.DB)
			if err != nil {
				return Answer{}, err
			}
			order.UserID, order.At = u.ID, c.Now
			p, err := accesspass.Create(c.Context, c.DB, c.hasher, c.Actor, order)
			if err != nil {
				return Answer{}, err
			}
			return shape.entity(c, http.StatusCreated, p)
		}},
		Action[linkRequest, linkAnswer]{Path: "/users/{user}/cardea.issueEnrolmentLink", Access: writePasses, Context: "cardea.enrolmentLink", Do: issueLink},
	}
}

// reachable reads the person of the path and refuses whom the caller may not
// touch. The own methods are always in reach; nouns refuse what nobody does to
// himself.
func (c *Call) reachable(q db.Querier) (directory.User, error) {
	u, err := directory.GetUser(c.Context, q, c.Params["user"])
	if err != nil || c.Self {
		return u, err
	}
	return u, c.reachIn(q, u.ID)
}

type linkRequest struct {
	LifetimeInMinutes int64 `json:"lifetimeInMinutes"` // 0 is the usual 24 hours
	SendMail          bool  `json:"sendMail"`
}

type linkAnswer struct {
	URL             string    `json:"url"`
	ExpiresDateTime time.Time `json:"expiresDateTime"`
	MailSent        bool      `json:"mailSent"`
}

// issueLink makes a one-time link with which a person registers the first
// passkey. The answer is the only place where it stands, and the mail if one
// was asked for. (Cardea's own.)
func issueLink(c *Call, in linkRequest) (linkAnswer, error) {
	u, err := c.reachable(c.DB)
	if err != nil {
		return linkAnswer{}, err
	}
	if in.SendMail && c.sendLink == nil {
		return linkAnswer{}, noMail
	}
	if in.SendMail && u.Mail == "" {
		return linkAnswer{}, noAddress
	}
	var link accesspass.Link
	var text string
	err = c.write(func(q db.Querier) (err error) {
		link, text, err = accesspass.IssueLink(c.Context, q, c.Actor, c.Now, accesspass.LinkOrder{
			Kind: accesspass.EnrolmentLink, UserID: u.ID, Lifetime: time.Duration(in.LifetimeInMinutes) * time.Minute})
		return err
	})
	if err != nil {
		return linkAnswer{}, err
	}
	out := linkAnswer{URL: c.Host + "/enrol?link=" + url.QueryEscape(text), ExpiresDateTime: link.ExpiresAt}
	if in.SendMail {
		if err := c.sendLink(c.Context, u, out.URL, out.ExpiresDateTime); err != nil {
			return linkAnswer{}, err
		}
		out.MailSent = true
	}
	return out, nil
}
