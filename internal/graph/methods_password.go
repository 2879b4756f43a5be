package graph

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"cardea/internal/password"
	"cardea/internal/problem"
)

// resetMethodPassword gives somebody else another password and ends their
// sessions. Without newPassword in the body it makes one up and tells it, for
// the only time. As in Graph the answer is 202 with the address of an
// operation; ours is over by then.
func resetMethodPassword(c *Call) (Answer, error) {
	if !strings.EqualFold(c.Params["method"], passwordMethodID) {
		return Answer{}, noMethod()
	}
	var body struct {
		NewPassword *string `json:"newPassword"`
	}
	if len(c.Body) > 0 {
		if err := c.decode(&body); err != nil {
			return Answer{}, err
		}
	}
	if c.Self {
		return Answer{}, problem.New(problem.Invalid, "ownPassword", "The own password is changed on the page Security info, where the present one is asked for.").On("/newPassword")
	}
	u, err := c.reachable(c.DB)
	if err != nil {
		return Answer{}, err
	}
	if body.NewPassword != nil && *body.NewPassword == "" {
		body.NewPassword = nil
	}
	chosen := body.NewPassword != nil
	if !chosen {
		made := password.Generate()
		body.NewPassword = &made
	}
	if err := password.Set(c.Context, c.DB, c.hasher, c.Actor, password.Change{UserID: u.ID, New: *body.NewPassword, At: c.Now}); err != nil {
		return Answer{}, err
	}
	answer := struct {
		Context     string  `json:"@odata.context"`
		NewPassword *string `json:"newPassword"`
	}{c.Base + "/$metadata#microsoft.graph.passwordResetResponse", body.NewPassword}
	if chosen { // the caller knows it
		answer.NewPassword = nil
	}
	id, err := c.operation(operation{UserID: u.ID, At: c.Now})
	return Answer{Status: http.StatusAccepted, Header: http.Header{"Location": {c.Base + "/users/" + u.ID + "/authentication/operations/" + id}}, Body: answer}, err
}

// operation is what the id of a finished operation says, sealed: nothing is
// stored, and only ids of ours are found.
type operation struct {
	UserID string    `json:"u"`
	At     time.Time `json:"t"`
}

const sealedOperation = "graph operation"

func (c *Call) operation(o operation) (string, error) {
	text, err := json.Marshal(o)
	return base64.RawURLEncoding.EncodeToString(c.Ring.Seal(sealedOperation, text)), err
}

// getOperation answers Graph's longRunningOperation for a client that follows
// the Location of a reset.
func getOperation(c *Call) (Answer, error) {
	u, err := c.user()
	if err != nil {
		return Answer{}, err
	}
	var o operation
	sealed, err := base64.RawURLEncoding.DecodeString(c.Params["operation"])
	if err == nil {
		if sealed, err = c.Ring.Open(sealedOperation, sealed); err == nil {
			err = json.Unmarshal(sealed, &o)
		}
	}
	if err != nil || o.UserID != u.ID {
		return Answer{}, problem.New(problem.NotFound, "notFound", "There is no such operation. Use the address in the header Location of the answer that began it.")
	}
	return Answer{Status: http.StatusOK, Body: struct {
		Context    string    `json:"@odata.context"`
		ID         string    `json:"id"`
		Status     string    `json:"status"`
		Detail     *string   `json:"statusDetail"`
		Created    time.Time `json:"createdDateTime"`
		LastAction time.Time `json:"lastActionDateTime"`
		Resource   string    `json:"resourceLocation"`
	}{c.Base + "/$metadata#" + c.fill("users('{user}')/authentication/operations") + "/$entity", c.Params["operation"], "succeeded", nil, o.At, o.At,
		c.Base + "/users/" + u.ID + "/authentication/passwordMethods/" + passwordMethodID}}, nil
}

// perUserMFA is the only state there is: who must prove two factors, and when,
// is a matter of Conditional Access and not of switches on people.
const perUserMFA = "disabled"

func getRequirements(c *Call) (Answer, error) {
	if _, err := c.user(); err != nil {
		return Answer{}, err
	}
	return Answer{Status: http.StatusOK, Body: struct {
		Context string `json:"@odata.context"`
		State   string `json:"perUserMfaState"`
	}{c.Base + "/$metadata#" + c.fill("users('{user}')/authentication/requirements"), perUserMFA}}, nil
}

func patchRequirements(c *Call) (Answer, error) {
	var body struct {
		State *string `json:"perUserMfaState"`
	}
	if err := c.decode(&body); err != nil {
		return Answer{}, err
	}
	if _, err := c.user(); err != nil {
		return Answer{}, err
	}
	if body.State != nil && !strings.EqualFold(*body.State, perUserMFA) {
		return Answer{}, problem.New(problem.Invalid, "invalidValue", "Cardea has no switch for MFA per person. Demand it with a Conditional Access policy for this person or a group.").On("/perUserMfaState")
	}
	return Answer{Status: http.StatusNoContent}, nil
}
