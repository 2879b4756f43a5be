package session

import (
	"context"
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
)

// MethodEvent is a change of somebody's way to sign in.
type MethodEvent struct {
	User      directory.User
	Verb      string // registered, updated or deleted
	What      string // "temporary access pass method", in resultReason
	Dedicated string // the activity of Cardea's own, "Temporary Access Pass created"; "" if none
	Details   []audit.KeyValue
}

// LogMethod writes the generic activity that Graph knows, and the dedicated
// one, both with the actor's correlation id (RL-32). Whose hand it was decides
// between "User …" and "Admin …".
func LogMethod(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, e MethodEvent) error {
	who, operation := "Admin", map[string]string{"registered": "Add", "updated": "Update", "deleted": "Delete"}[e.Verb]
	if a.UserID == e.User.ID {
		who = "User"
	}
	target := []audit.Target{audit.Person(e.User.ID, e.User.DisplayName, e.User.UserPrincipalName)}
	r := audit.Record{ActivityDisplayName: who + " " + e.Verb + " security info", Category: "UserManagement", LoggedByService: "Authentication Methods",
		OperationType: operation, ResultReason: strings.Join([]string{who, e.Verb, e.What}, " "), TargetResources: target, AdditionalDetails: e.Details}
	if err := audit.Write(ctx, q, a, now, r); err != nil || e.Dedicated == "" {
		return err
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: e.Dedicated, Category: "UserManagement", LoggedByService: "Cardea",
		OperationType: operation, TargetResources: target, AdditionalDetails: e.Details})
}
