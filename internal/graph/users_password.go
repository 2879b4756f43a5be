package graph

import (
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/password"
	"cardea/internal/problem"
)

// passwordProfile is the write-only member of that name (DO-2). A password that
// has to be changed opens no session before it is.
type passwordProfile struct {
	Password string `json:"password"`
	Force    *bool  `json:"forceChangePasswordNextSignIn"`
	ForceMFA *bool  `json:"forceChangePasswordNextSignInWithMfa"` // means the same here
}

// must is what the profile says of changing the password; nil if nothing.
func (p passwordProfile) must() *bool {
	if p.Force == nil || p.ForceMFA != nil && *p.ForceMFA {
		return p.ForceMFA
	}
	return p.Force
}

// givenPassword reads the passwordProfile of the body; the zero value if there
// is none.
func (c *Call) givenPassword() (p passwordProfile, err error) {
	var body struct {
		PasswordProfile *passwordProfile `json:"passwordProfile"`
	}
	if err := c.decode(&body); err != nil || body.PasswordProfile == nil {
		return p, err
	}
	return *body.PasswordProfile, nil
}

// firstPassword prepares the password of a person who is about to be created.
// Graph's clients must send one; where the policy does not let new people have
// passwords it is ignored, and a Warning says so (DO-2). store runs in the
// transaction of the creation.
func (c *Call) firstPassword(u directory.User) (store func(db.Querier, directory.User) error, ignored bool, err error) {
	none := func(db.Querier, directory.User) error { return nil }
	given, err := c.givenPassword()
	if err != nil || given.Password == "" {
		return none, false, err
	}
	policy, err := directory.GetMethodPolicy(c.Context, c.DB, directory.MethodPassword)
	if err != nil {
		return none, false, err
	}
	if !policy.Applies(nil, "") { // nobody yet: only what holds for everybody counts
		return none, true, nil
	}
	hash, err := password.Prepare(c.Context, c.DB, c.hasher, u, given.Password)
	if err != nil {
		return none, false, err
	}
	return func(q db.Querier, u directory.User) error {
		if err := password.Store(c.Context, q, c.Actor, c.Now, u, hash); err != nil {
			return err
		}
		must := given.must()
		return password.MustChange(c.Context, q, c.Actor, c.Now, password.Expiry{UserID: u.ID, Must: must != nil && *must})
	}, false, nil
}

// resetPassword sets the password that a PATCH brings, for somebody else, whose
// sessions end; or says only that the one they have must be changed.
func (c *Call) resetPassword() error {
	given, err := c.givenPassword()
	must := given.must()
	if err != nil || given.Password == "" && must == nil {
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
	if given.Password == "" {
		return c.write(func(q db.Querier) error {
			return password.MustChange(c.Context, q, c.Actor, c.Now, password.Expiry{UserID: u.ID, Must: *must})
		})
	}
	return password.Set(c.Context, c.DB, c.hasher, c.Actor, password.Change{UserID: u.ID, New: given.Password, At: c.Now, Must: must != nil && *must})
}
