package accesspass

import (
	"context"
	"strings"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

var linkStep = session.Step{Method: "One-time link", Whole: true}

// SignInByLink spends an enrolment link and opens a session of ten minutes, in
// which the person registers a passkey. c.Secret is the link's text; UserName
// is not used. Whatever is wrong is linkNotUsable.
func SignInByLink(ctx context.Context, d *db.DB, c session.Claim) (session.SignedIn, error) {
	row := c.Situation.Row(c.At)
	if err := session.Guess(ctx, d, row, linkStep, session.Guessed{Kind: linkThrottle}); err != nil {
		return session.SignedIn{}, err
	}
	var in session.SignedIn
	var fail *session.Failure
	err := d.Write(ctx, func(q db.Querier) error {
		row, fail = c.Situation.Row(c.At), &session.Failure{Code: 500121, Fact: "linkNotUsable", Reason: "The link is unknown, used, expired or replaced."}
		l, err := RedeemLink(ctx, q, c.Secret, c.At)
		if err != nil {
			return err
		}
		if l.Kind != EnrolmentLink {
			return linkRefused()
		}
		u, err := directory.GetUser(ctx, q, l.UserID)
		if problem.KindOf(err) == problem.NotFound {
			return linkRefused()
		}
		if err != nil {
			return err
		}
		session.Of(&row, u)
		if !u.AccountEnabled {
			fail = &session.DisabledUser
			return linkRefused()
		}
		in, err = enterByLink(ctx, q, row, u, l)
		return err
	})
	if problem.CodeOf(err) != linkRefused().Code {
		return in, err
	}
	if err := session.Refuse(ctx, d, row, linkStep, *fail); err != nil {
		return session.SignedIn{}, err
	}
	return session.SignedIn{}, linkRefused()
}

// enterByLink opens the session and records that the link was used.
func enterByLink(ctx context.Context, q db.Querier, row audit.SignIn, u directory.User, l Link) (session.SignedIn, error) {
	now := row.CreatedDateTime
	if err := session.Right(ctx, q, row, session.Guessed{Kind: linkThrottle}); err != nil {
		return session.SignedIn{}, err
	}
	session.Succeeded(&row, linkStep)
	in, err := session.Enter(ctx, q, row, u, session.Session{MFAAt: now, ExpiresAt: now.Add(OneTimeSession), Methods: []string{session.MethodLink, session.MethodMFA}})
	if err != nil {
		return session.SignedIn{}, err
	}
	activity, category := "Enrolment link used", "UserManagement"
	if l.Kind == SetupLink {
		activity, category = "Set-up link used", "DirectoryManagement"
	}
	s := session.Situation{IP: row.IPAddress, UserAgent: row.UserAgent, CorrelationID: row.CorrelationID}
	return in, audit.Write(ctx, q, s.Actor(u), now, audit.Record{ActivityDisplayName: activity, Category: category, LoggedByService: "Cardea", OperationType: "Other",
		TargetResources:   []audit.Target{audit.Person(u.ID, u.DisplayName, u.UserPrincipalName)},
		AdditionalDetails: []audit.KeyValue{{Key: "linkId", Value: l.ID}, {Key: "signInId", Value: row.ID}}})
}

// Founding is what the person who sets up the server enters.
type Founding struct {
	Organisation string
	Person       string // display name
	UserName     string // of the first administrator; its domain becomes the organisation's
}

// SetUp spends a set-up link: it names the organisation, makes its first
// Global Administrator and opens a session in which that person registers the
// first passkey. If that does not happen, `cardea bootstrap` issues a new link;
// with it SetUp takes the administrator up again who has no passkey yet.
//
// c.Secret is the link's text. Errors: linkNotUsable, and Invalid for what was
// entered, which does not spend the link.
func SetUp(ctx context.Context, d *db.DB, c session.Claim, f Founding) (session.SignedIn, error) {
	row := c.Situation.Row(c.At)
	if err := session.Guess(ctx, d, row, linkStep, session.Guessed{Kind: linkThrottle}); err != nil {
		return session.SignedIn{}, err
	}
	name := strings.TrimSpace(f.UserName)
	_, domain, _ := strings.Cut(name, "@")
	var in session.SignedIn
	err := d.Write(ctx, func(q db.Querier) error {
		l, err := RedeemLink(ctx, q, c.Secret, c.At)
		if err != nil {
			return err
		}
		if l.Kind != SetupLink {
			return linkRefused()
		}
		by := audit.System("set-up")
		by.IP, by.CorrelationID = c.Situation.IP, c.Situation.CorrelationID
		if _, err := directory.UpdateOrganization(ctx, q, by, c.At, func(o *directory.Organization) error {
			o.DisplayName, o.Domain = strings.TrimSpace(f.Organisation), strings.ToLower(domain)
			return nil
		}); err != nil {
			return err
		}
		u, err := founder(ctx, q, by, row, directory.User{UserPrincipalName: name, DisplayName: strings.TrimSpace(f.Person), AccountEnabled: true})
		if err != nil {
			return err
		}
		in, err = enterByLink(ctx, q, c.Situation.Row(c.At), u, l)
		return err
	})
	if problem.CodeOf(err) == linkRefused().Code {
		fail := session.Failure{Code: 500121, Fact: "linkNotUsable", Reason: "The set-up link is unknown, used, expired or replaced, or an administrator has a passkey."}
		if logged := session.Refuse(ctx, d, row, linkStep, fail); logged != nil {
			return session.SignedIn{}, logged
		}
	}
	if err != nil {
		return session.SignedIn{}, err
	}
	return in, nil
}

// founder makes the first administrator, or takes up the one of an earlier
// set-up that was not finished.
func founder(ctx context.Context, q db.Querier, by audit.Actor, row audit.SignIn, want directory.User) (directory.User, error) {
	now := row.CreatedDateTime
	u, err := session.Look(ctx, q, session.CleanName(want.UserPrincipalName))
	if err != nil {
		return u, err
	}
	if u.ID == "" {
		u, err = directory.CreateUser(ctx, q, by, now, want)
	} else {
		u, err = directory.UpdateUser(ctx, q, by, now, u.ID, func(u *directory.User) error {
			u.DisplayName, u.AccountEnabled = want.DisplayName, true
			return nil
		})
	}
	if err != nil {
		return u, err
	}
	return u, directory.AssignRole(ctx, q, by, now, directory.RoleAssignment{UserID: u.ID, RoleID: directory.GlobalAdministrator})
}
