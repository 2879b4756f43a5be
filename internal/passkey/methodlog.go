package passkey

import (
	"context"
	"errors"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// methodChange is something that happened to one passkey of a person.
type methodChange struct {
	user   directory.User
	verb   string // registered, updated or deleted
	method Method
	more   []audit.KeyValue
	what   string // the activity of our own, if not the usual one of verb
}

// logMethod writes the activity that Graph knows and our own, with one
// correlation id (RL-32, RL-33, PK-143).
func (k *Keeper) logMethod(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, c methodChange) error {
	dedicated := map[string]string{"registered": "Passkey registered", "updated": "Passkey renamed", "deleted": "Passkey removed"}[c.verb]
	if c.verb == "registered" && a.UserID != c.user.ID {
		dedicated = "Passkey provisioned by admin"
	}
	if c.what != "" {
		dedicated = c.what
	}
	return session.LogMethod(ctx, q, a, now, session.MethodEvent{User: c.user, Verb: c.verb, What: "Fido Authentication Method", Dedicated: dedicated,
		Details: append(k.describe(c.method), c.more...)})
}

// describe lists what every record about a passkey says.
func (k *Keeper) describe(m Method) []audit.KeyValue {
	a, _ := ParseAAGUID(m.AaGuid)
	return []audit.KeyValue{{Key: "credentialId", Value: m.ID}, {Key: "aaGuid", Value: m.AaGuid}, {Key: "provider", Value: k.Name(a)},
		{Key: "passkeyType", Value: string(m.PasskeyType)}, {Key: "attestationLevel", Value: string(m.AttestationLevel)},
		{Key: "state", Value: string(m.Cardea.State)}}
}

// logRefused records a registration that was refused (RL-35).
func (k *Keeper) logRefused(ctx context.Context, q db.Querier, n *newcomer, refused error) error {
	e, _ := errors.AsType[*problem.Error](refused)
	details := []audit.KeyValue{{Key: "reason", Value: e.Code}}
	for _, r := range e.Reasons {
		details = append(details, audit.KeyValue{Key: "detail", Value: r.Code + " " + r.Target})
	}
	if len(n.facts.CredentialID) > 0 {
		level := LevelOf(n.trust.Attested, n.trust.Source)
		details = append(details, k.describe(Method{ID: MethodID(n.facts.CredentialID), AaGuid: n.aaguid.String(), PasskeyType: TypeOf(n.facts.BackupEligible), AttestationLevel: level})...)
	}
	who := "Admin"
	if n.Actor.UserID == n.User.ID {
		who = "User"
	}
	r := audit.Record{ActivityDisplayName: who + " registered security info", Category: "UserManagement", LoggedByService: "Authentication Methods", OperationType: "Add",
		Result: "failure", ResultReason: e.Code, TargetResources: []audit.Target{audit.Person(n.User.ID, n.User.DisplayName, n.User.UserPrincipalName)}, AdditionalDetails: details}
	if err := audit.Write(ctx, q, n.Actor, n.At, r); err != nil {
		return err
	}
	r.ActivityDisplayName, r.LoggedByService = "Passkey registration failed", "Cardea"
	return audit.Write(ctx, q, n.Actor, n.At, r)
}
