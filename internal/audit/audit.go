// Package audit keeps the two logs: directory audits (who changed what) and
// sign-ins (who came in, or did not, and why). Both are append only.
//
// A change and its audit record commit in one transaction: Write takes the
// Querier of the change. So does WriteSignIn, which also keeps the daily
// counters that reports read.
package audit

import (
	"context"
	"encoding/json"
	"time"

	"cardea/internal/db"
)

// Actor is who does something, as far as the caller has proved it. The zero
// Actor is Cardea itself.
type Actor struct {
	UserID, UserName, UserPrincipalName string
	AppID, AppName                      string // the application that called
	RoleManager                         bool   // may change groups that roles can be assigned to (DO-11)
	RoleGroupsOnly                      bool   // and may change no other groups
	IP, UserAgent                       string
	CorrelationID                       string
}

// System is the actor of what happens without a person: start-up, clocks,
// commands on the server's own machine.
func System(what string) Actor { return Actor{AppName: "Cardea " + what} }

// Record is Graph's directoryAudit (reports-and-logs §5).
type Record struct {
	ID                  string     `json:"id"`
	Category            string     `json:"category"`
	CorrelationID       string     `json:"correlationId"`
	Result              string     `json:"result"` // success, failure, timeout
	ResultReason        string     `json:"resultReason"`
	ActivityDisplayName string     `json:"activityDisplayName"`
	ActivityDateTime    time.Time  `json:"activityDateTime"`
	LoggedByService     string     `json:"loggedByService"`
	OperationType       string     `json:"operationType"` // Add, Assign, Update, Unassign, Delete, Other
	InitiatedBy         Initiator  `json:"initiatedBy"`
	TargetResources     []Target   `json:"targetResources"`
	AdditionalDetails   []KeyValue `json:"additionalDetails"`
}

// Initiator is the person or the application behind a change.
type Initiator struct {
	User *UserIdentity `json:"user"`
	App  *AppIdentity  `json:"app"`
}

// UserIdentity is Graph's userIdentity.
type UserIdentity struct {
	ID                string `json:"id"`
	DisplayName       string `json:"displayName"`
	UserPrincipalName string `json:"userPrincipalName"`
	IPAddress         string `json:"ipAddress"`
}

// AppIdentity is Graph's appIdentity.
type AppIdentity struct {
	AppID       string `json:"appId"`
	DisplayName string `json:"displayName"`
}

// Target is what was changed.
type Target struct {
	ID                 string     `json:"id"`
	DisplayName        string     `json:"displayName"`
	Type               string     `json:"type"` // User, Device, Directory, App, Role, Group, Policy, Other
	UserPrincipalName  string     `json:"userPrincipalName,omitempty"`
	ModifiedProperties []Modified `json:"modifiedProperties"`
}

// Modified is one changed property; the values are JSON text (RL-37).
type Modified struct {
	DisplayName string `json:"displayName"`
	OldValue    string `json:"oldValue"`
	NewValue    string `json:"newValue"`
}

// KeyValue is one entry of additionalDetails.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Change builds the Modified of a property from its two values.
func Change(property string, before, after any) Modified {
	text := func(v any) string {
		if v == nil {
			return ""
		}
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(b)
	}
	return Modified{DisplayName: property, OldValue: text(before), NewValue: text(after)}
}

// Person builds the Target of a user.
func Person(id, name, upn string) Target {
	return Target{ID: id, DisplayName: name, Type: "User", UserPrincipalName: upn, ModifiedProperties: []Modified{}}
}

// Write stores r for actor a. Empty members get their usual values: result
// success, service Core Directory, a fresh id.
func Write(ctx context.Context, q db.Querier, a Actor, now time.Time, r Record) error {
	r.ID, r.ActivityDateTime, r.CorrelationID = db.NewID(now), db.Time(now.UnixMilli()), a.CorrelationID
	if r.Result == "" {
		r.Result = "success"
	}
	if r.LoggedByService == "" {
		r.LoggedByService = "Core Directory"
	}
	actorID := ""
	if a.UserID != "" {
		r.InitiatedBy.User = &UserIdentity{ID: a.UserID, DisplayName: a.UserName, UserPrincipalName: a.UserPrincipalName, IPAddress: a.IP}
		actorID = a.UserID
	}
	if a.UserID == "" || a.AppID != "" {
		r.InitiatedBy.App = &AppIdentity{AppID: a.AppID, DisplayName: a.AppName}
		if actorID == "" {
			actorID = a.AppID
		}
	}
	if r.TargetResources == nil {
		r.TargetResources = []Target{}
	}
	if r.AdditionalDetails == nil {
		r.AdditionalDetails = []KeyValue{}
	}
	target := ""
	if len(r.TargetResources) > 0 {
		target = r.TargetResources[0].ID
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = q.ExecContext(ctx, `INSERT INTO directory_audits (id, created_at, activity, category, service, result, actor_id, target_id, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.ID, now.UnixMilli(), r.ActivityDisplayName, r.Category, r.LoggedByService, r.Result, actorID, target, string(text))
	return err
}
