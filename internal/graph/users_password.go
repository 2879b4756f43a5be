package graph

import (
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// passwordBody is the write-only member passwordProfile (DO-2).
type passwordBody struct {
	PasswordProfile *struct {
		Password string `json:"password"`
	} `json:"passwordProfile"`
}

// givenPassword is the password in the body, "" if there is none.
func (c *Call) givenPassword() (string, error) {
	var b passwordBody
	if err := c.decode(&b); err != nil || b.PasswordProfile == nil {
		return "", err
	}
	return b.PasswordProfile.Password, nil
}

// firstPassword prepares the password of a person who is about to be created.
// Graph's clients must send one; where the policy does not let new people have
// passwords it is ignored, and a Warning says so (DO-2). store runs in the
// transaction of the creation.
func (c *Call) firstPassword(u directory.User) (store func(db.Querier, directory.User) error, ignored bool, err error) {
	none := func(db.Querier, directory.User) error { return nil }
	text, err := c.givenPassword()
	if err != nil || text == "" {
		return none, false, err
	}
	policy, err := directory.GetMethodPolicy(c.Context, c.DB, directory.MethodPassword)
	if err != nil {
		return none, false, err
	}
	if !policy.Applies(nil, "") { // nobody yet: only what holds for everybody counts
		return none, true, nil
	}
	hash, err := password.Prepare(c.Context, c.DB, c.hasher, u, text)
	if err != nil {
		return none, false, err
	}
	return func(q db.Querier, u directory.User) error {
		return password.Store(c.Context, q, c.Actor, c.Now, u, hash)
	}, false, nil
}

// resetPassword sets the password that a PATCH brings, for somebody else.
// Their sessions end.
func (c *Call) resetPassword() error {
	text, err := c.givenPassword()
	if err != nil || text == "" {
		return err
	}
	if c.Self {
		return problem.New(problem.Invalid, "ownPassword", "The own password is changed on the page Security info, where the present one is asked for.").On("passwordProfile")
	}
	u, err := c.reachable(c.DB)
	if err != nil {
		return err
	}
	if err := c.ifMatch(userETag(u)); err != nil {
		return err
	}
	c.Header = c.Header.Clone()
	c.Header.Del("If-Match") // was met; ending the sessions makes a new version
	return password.Set(c.Context, c.DB, c.hasher, c.Actor, password.Change{UserID: u.ID, New: text, At: c.Now})
}
