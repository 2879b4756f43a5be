package audit

import (
	"context"
	"encoding/json"
	"time"

	"cardea/internal/db"
)

// SignIn is Graph's signIn, as far as Cardea observes it (reports-and-logs §4.2).
type SignIn struct {
	ID                           string       `json:"id"`
	CreatedDateTime              time.Time    `json:"createdDateTime"`
	UserID                       string       `json:"userId"`
	UserDisplayName              string       `json:"userDisplayName"`
	UserPrincipalName            string       `json:"userPrincipalName"` // lower case
	AppID                        string       `json:"appId"`
	AppDisplayName               string       `json:"appDisplayName"`
	ResourceDisplayName          string       `json:"resourceDisplayName,omitempty"`
	ResourceID                   string       `json:"resourceId,omitempty"`
	ServicePrincipalID           string       `json:"servicePrincipalId,omitempty"`
	IPAddress                    string       `json:"ipAddress"`
	ClientAppUsed                string       `json:"clientAppUsed"`
	UserAgent                    string       `json:"userAgent"`
	CorrelationID                string       `json:"correlationId"`
	IsInteractive                bool         `json:"isInteractive"`
	Status                       SignInStatus `json:"status"`
	DeviceDetail                 DeviceDetail `json:"deviceDetail"`
	AuthenticationRequirement    string       `json:"authenticationRequirement"`
	AuthenticationMethodsUsed    []string     `json:"authenticationMethodsUsed"`
	AuthenticationDetails        []AuthStep   `json:"authenticationDetails"`
	AuthenticationProtocol       string       `json:"authenticationProtocol"`
	IncomingTokenType            string       `json:"incomingTokenType"`
	SignInEventTypes             []string     `json:"signInEventTypes"`
	SessionID                    string       `json:"sessionId,omitempty"`
	ProcessingTimeInMilliseconds int64        `json:"processingTimeInMilliseconds"`
	Cardea                       *SignInExtra `json:"cardea,omitempty"`
}

// SignInStatus says how it ended: errorCode 0 is success; the others are those
// of reports-and-logs §4.5. AdditionalDetails names the reason code, the rule
// and the profile.
type SignInStatus struct {
	ErrorCode         int    `json:"errorCode"`
	FailureReason     string `json:"failureReason"`
	AdditionalDetails string `json:"additionalDetails"`
}

// DeviceDetail is what the browser says about itself.
type DeviceDetail struct {
	OperatingSystem string `json:"operatingSystem"`
	Browser         string `json:"browser"`
}

// AuthStep is one step of authenticationDetails (reports-and-logs §4.4). A
// passkey with user verification is one step that satisfies both factors (RL-30).
type AuthStep struct {
	DateTime     time.Time `json:"authenticationStepDateTime"`
	Method       string    `json:"authenticationMethod"`
	MethodDetail string    `json:"authenticationMethodDetail"`
	Succeeded    bool      `json:"succeeded"`
	ResultDetail string    `json:"authenticationStepResultDetail"`
	Requirement  string    `json:"authenticationStepRequirement"`
}

// SignInExtra is the `cardea` member.
type SignInExtra struct {
	Outcome    string      `json:"outcome,omitempty"` // success, or the reason code
	Credential *Credential `json:"credential,omitempty"`
}

// Credential is the passkey of a sign-in.
type Credential struct {
	ID               string `json:"id"`
	AAGUID           string `json:"aaGuid"`
	Provider         string `json:"provider"`
	PasskeyType      string `json:"passkeyType"`
	AttestationLevel string `json:"attestationLevel"`
	UserVerified     bool   `json:"userVerified"`
}

// The values of signInEventTypes that Cardea writes.
const (
	Interactive      = "interactiveUser"
	NonInteractive   = "nonInteractiveUser"
	ServicePrincipal = "servicePrincipal"
)

// WriteSignIn stores s, whose ID and CreatedDateTime the caller has set, and
// counts it for the day, in the caller's transaction.
func WriteSignIn(ctx context.Context, q db.Querier, s SignIn) error {
	if s.AuthenticationDetails == nil {
		s.AuthenticationDetails = []AuthStep{}
	}
	if s.AuthenticationMethodsUsed == nil {
		s.AuthenticationMethodsUsed = []string{}
	}
	event := Interactive
	if len(s.SignInEventTypes) > 0 {
		event = s.SignInEventTypes[0]
	}
	ms := s.CreatedDateTime.UnixMilli()
	s.CreatedDateTime = db.Time(ms) // DO-43: at most 7 digits of a second
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err = q.ExecContext(ctx, `INSERT INTO sign_ins (id, created_at, user_id, upn, app_id, event_type, error_code, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		s.ID, ms, s.UserID, s.UserPrincipalName, s.AppID, event, s.Status.ErrorCode, string(text)); err != nil {
		return err
	}
	method, outcome := "none", "success"
	if n := len(s.AuthenticationDetails); n > 0 {
		method = s.AuthenticationDetails[n-1].Method
	}
	if s.Status.ErrorCode != 0 {
		outcome = "failure"
	}
	return Count(ctx, q, s.CreatedDateTime, event, method+"|"+outcome)
}

// Count adds one to a daily counter, in the caller's transaction.
func Count(ctx context.Context, q db.Querier, now time.Time, kind, key string) error {
	_, err := q.ExecContext(ctx, `INSERT INTO daily_counters (day, kind, key, count) VALUES ($1, $2, $3, 1)
		ON CONFLICT (day, kind, key) DO UPDATE SET count = daily_counters.count + 1`,
		now.UnixMilli()/86_400_000, kind, key)
	return err
}
