package graph

import (
	"net/http"

	"cardea/internal/application"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// keyHolder is what has secrets and certificates: an application or a service
// principal. The functions run inside the transaction of the change.
type keyHolder struct {
	// find returns the application behind the path, and the object id of what
	// the path names, if the caller may change it.
	find      func(c *Call, q db.Querier) (application.Application, string, error)
	addSecret func(c *Call, q db.Querier, id string, in application.PasswordCredential) (application.PasswordCredential, error)
	addKey    func(c *Call, q db.Querier, id string, in application.KeyCredential) (application.KeyCredential, error)
	remove    func(c *Call, q db.Querier, id, keyID string) error
}

var applicationKeys = keyHolder{
	find: func(c *Call, q db.Querier) (application.Application, string, error) {
		a, err := c.application(q)
		if err == nil {
			err = c.mayManage(q, a.ID)
		}
		return a, a.ID, err
	},
	addSecret: func(c *Call, q db.Querier, id string, in application.PasswordCredential) (application.PasswordCredential, error) {
		return application.AddSecret(c.Context, q, c.Actor, c.Now, id, in)
	},
	addKey: func(c *Call, q db.Querier, id string, in application.KeyCredential) (application.KeyCredential, error) {
		return application.AddCertificate(c.Context, q, c.Actor, c.Now, id, in)
	},
	remove: func(c *Call, q db.Querier, id, keyID string) error {
		return application.RemoveCredential(c.Context, q, c.Actor, c.Now, id, keyID)
	},
}

type secretRequest struct {
	PasswordCredential application.PasswordCredential `json:"passwordCredential"`
}

// keyRequest is the body of addKey and removeKey. Proof is a JWT that a
// certificate of the application signed.
type keyRequest struct {
	KeyCredential application.KeyCredential `json:"keyCredential"`
	KeyID         string                    `json:"keyId"`
	Proof         string                    `json:"proof"`
}

// keysOf are the four actions on secrets and certificates.
func keysOf(path string, h keyHolder) []resource {
	remove := func(c *Call, proof bool) (Answer, error) {
		var in keyRequest
		if err := c.decode(&in); err != nil {
			return Answer{}, err
		}
		if in.KeyID == "" {
			return Answer{}, problem.New(problem.Invalid, "requiredParamMissing", "keyId names the credential to remove. GET the application to see its secrets and certificates.").On("keyId")
		}
		return Answer{Status: http.StatusNoContent}, c.writeApplication(func(q db.Querier) error {
			a, id, err := h.find(c, q)
			if err != nil {
				return err
			}
			if proof {
				if err := a.Proves(in.Proof, id, c.Now); err != nil {
					return err
				}
			}
			return h.remove(c, q, id, in.KeyID)
		})
	}
	return []resource{
		Action[secretRequest, application.PasswordCredential]{Path: path + "/addPassword", Access: writeApplications, Context: "microsoft.graph.passwordCredential",
			Do: func(c *Call, in secretRequest) (out application.PasswordCredential, err error) {
				err = c.writeApplication(func(q db.Querier) error {
					a, id, err := h.find(c, q)
					if err != nil {
						return err
					}
					if err := c.mayProve(q, a); err != nil {
						return err
					}
					out, err = h.addSecret(c, q, id, in.PasswordCredential) // shown this once
					return err
				})
				return out, err
			}},
		route{Method: "POST", Path: path + "/removePassword", Access: writeApplications, Run: func(c *Call) (Answer, error) { return remove(c, false) }},
		Action[keyRequest, application.KeyCredential]{Path: path + "/addKey", Access: writeApplications, Context: "microsoft.graph.keyCredential",
			Do: func(c *Call, in keyRequest) (out application.KeyCredential, err error) {
				err = c.writeApplication(func(q db.Querier) error {
					a, id, err := h.find(c, q)
					if err != nil {
						return err
					}
					if err := c.mayProve(q, a); err != nil {
						return err
					}
					if err := a.Proves(in.Proof, id, c.Now); err != nil {
						return err
					}
					out, err = h.addKey(c, q, id, in.KeyCredential)
					return err
				})
				return out, err
			}},
		route{Method: "POST", Path: path + "/removeKey", Access: writeApplications, Run: func(c *Call) (Answer, error) { return remove(c, true) }},
	}
}
