package passkey

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// microsoftAuthenticator are the AAGUIDs that the sign-in log has a word of its
// own for (reports-and-logs §4.4).
var microsoftAuthenticator = []string{"de1e552d-db1d-4423-a619-566b625cdc84", "90a3ccdf-635c-4729-a248-9b709135078f"}

// step is the line of a passkey in the sign-in log. A passkey with user
// verification is one step that satisfies both factors (RL-30).
func (k *Keeper) step(r *record) session.Step {
	s := session.Step{Method: "Passkey", Used: "FIDO", Whole: true}
	if r == nil {
		return s
	}
	s.Detail = r.DisplayName
	switch {
	case slices.Contains(microsoftAuthenticator, r.AaGuid):
		s.Method = "Passkey (Microsoft Authenticator)"
	case r.PasskeyType == Synced:
		s.Method = "Passkey (synced)"
	case r.Attachment == "cross-platform":
		s.Method = "FIDO2 security key"
	default:
		s.Method = "Passkey (device-bound)"
	}
	return s
}

// describeRow names person and passkey, as far as they are known. It is for
// administrators: before proof nobody else learns it.
func (k *Keeper) describeRow(row *audit.SignIn, r *record) {
	if r != nil {
		session.Of(row, r.user)
	}
}

// credential is what the log says about the passkey; it comes after the step,
// which sets the member that holds it.
func (k *Keeper) credential(row *audit.SignIn, v verdict) {
	if row.Cardea != nil {
		row.Cardea.Credential = &audit.Credential{ID: v.rec.ID, AAGUID: v.rec.AaGuid, Provider: k.Name(v.rec.aaguid), PasskeyType: string(v.outcome.Type),
			AttestationLevel: string(v.rec.AttestationLevel), UserVerified: true}
	}
}

// enter writes everything a sign-in leaves behind, or nothing (PK-118).
func (k *Keeper) enter(ctx context.Context, v verdict) (SignedIn, error) {
	row := v.Situation.Row(v.At)
	k.describeRow(&row, v.rec)
	session.Succeeded(&row, k.step(v.rec))
	k.credential(&row, v)
	in := SignedIn{Method: v.rec.Method, Decision: v.decision}
	in.User = v.rec.user
	in.Method.PasskeyType, in.Method.LastUsedDateTime, in.Method.LastUsedOn = v.outcome.Type, &v.At, v.Situation.ClientName()
	in.Method.Cardea.State, in.Activated = Enabled, v.activates
	err := k.DB.Write(ctx, func(q db.Querier) error {
		if err := spend(ctx, q, v.proof); err != nil {
			return err
		}
		if err := touch(ctx, q, v); err != nil {
			return err
		}
		if v.activates {
			if err := k.activated(ctx, q, v); err != nil {
				return err
			}
		}
		var err error
		if in.Session, in.Token, err = openSession(ctx, q, v, row.ID); err != nil {
			return err
		}
		row.SessionID = in.Session.ID
		if err := audit.WriteSignIn(ctx, q, row); err != nil {
			return err
		}
		if v.rec.breakGlass != "" && slices.Contains(v.rec.memberOf, v.rec.breakGlass) {
			if err := session.NoteBreakGlass(ctx, q, row, v.rec.user); err != nil {
				return err
			}
		}
		return k.logEvents(ctx, q, v, row.ID)
	})
	switch {
	case errors.Is(err, errSpent):
		return SignedIn{}, k.unproved(ctx, v.proof, session.Failure{Code: 500121, Fact: "challengeSpent", Reason: "The answer of the passkey was used before."})
	case err != nil:
		return SignedIn{}, err
	}
	return in, nil
}

// refuse writes a refusal after proof: the challenge is spent, and the log
// knows why (PK-106).
func (k *Keeper) refuse(ctx context.Context, v verdict) error {
	row := v.Situation.Row(v.At)
	k.describeRow(&row, v.rec)
	session.Failed(&row, k.step(v.rec), v.failure)
	k.credential(&row, v)
	err := k.DB.Write(ctx, func(q db.Querier) error {
		if err := spend(ctx, q, v.proof); err != nil {
			return err
		}
		if err := audit.WriteSignIn(ctx, q, row); err != nil {
			return err
		}
		return k.logEvents(ctx, q, v, row.ID)
	})
	switch {
	case errors.Is(err, errSpent):
		return k.unproved(ctx, v.proof, session.Failure{Code: 500121, Fact: "challengeSpent", Reason: "The answer of the passkey was used before."})
	case err != nil:
		return err
	}
	return v.refusal
}

// spend makes the challenge unusable; a second time fails with errSpent and,
// with it, the whole transaction (PK-105).
func spend(ctx context.Context, q db.Querier, p *proof) error {
	_, err := q.ExecContext(ctx, `INSERT INTO spent_challenges (id, expires_at) VALUES ($1, $2)`, p.state.spentID(), p.state.expires.UnixMilli())
	if problem.KindOf(db.Err("", err)) == problem.Conflict {
		return errSpent
	}
	return err
}

// touch stores counter, backup flags and last use. For a device-bound passkey
// the comparison of counters is repeated here (PK-87, WA-44).
func touch(ctx context.Context, q db.Querier, v verdict) error {
	s := v.outcome.Signs
	text := `UPDATE passkeys SET sign_count = $1, backup_eligible = $2, backup_state = $3, last_used_at = $4, last_used_on = $5 WHERE id = $6`
	if v.rec.PasskeyType == DeviceBound {
		text += ` AND (sign_count < $1 OR (sign_count = 0 AND $1 = 0))`
	}
	res, err := q.ExecContext(ctx, text, int64(s.SignCount), s.BackupEligible, s.BackupState, v.At.UnixMilli(), v.Situation.ClientName(), v.rec.Key)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errRaced)
	}
	return nil
}

// openSession starts a session, or lifts the one that steps up.
func openSession(ctx context.Context, q db.Querier, v verdict, signInID string) (session.Session, string, error) {
	methods := []string{session.MethodPasskey, session.MethodMFA}
	if v.outcome.Type == DeviceBound && v.rec.AttestationLevel == Attested {
		methods = append(methods, session.MethodHardware)
	}
	if v.Session != nil {
		return session.Upgrade(ctx, q, v.At, *v.Session, methods...)
	}
	return session.Start(ctx, q, v.At, session.Session{UserID: v.rec.user.ID, MFAAt: v.At, Methods: methods, PasskeyID: v.rec.Key, SignInID: signInID,
		Client: v.Situation.ClientName(), IP: v.Situation.IP})
}

// logEvents writes what the flags and the counter told, accepted or not (PK-183).
func (k *Keeper) logEvents(ctx context.Context, q db.Querier, v verdict, signInID string) error {
	for _, e := range v.outcome.Events {
		r := audit.Record{ActivityDisplayName: "Passkey backup eligibility changed", Category: "UserManagement", LoggedByService: "Cardea", OperationType: "Update",
			TargetResources:   []audit.Target{audit.Person(v.rec.user.ID, v.rec.user.DisplayName, v.rec.user.UserPrincipalName)},
			AdditionalDetails: append(k.describe(v.rec.Method), audit.KeyValue{Key: "signInId", Value: signInID})}
		stored, received := strconv.FormatBool(e.Stored.BackupEligible), strconv.FormatBool(e.Received.BackupEligible)
		if e.Code == SignCounterRegression {
			r.ActivityDisplayName = "Passkey sign counter went back"
			stored, received = strconv.FormatUint(uint64(e.Stored.SignCount), 10), strconv.FormatUint(uint64(e.Received.SignCount), 10)
		}
		if !e.Accepted {
			r.Result, r.ResultReason = "failure", e.Reason
		}
		r.AdditionalDetails = append(r.AdditionalDetails, audit.KeyValue{Key: "stored", Value: stored}, audit.KeyValue{Key: "received", Value: received},
			audit.KeyValue{Key: "accepted", Value: strconv.FormatBool(e.Accepted)}, audit.KeyValue{Key: "reason", Value: e.Reason})
		if err := audit.Write(ctx, q, v.Situation.Actor(v.rec.user), v.At, r); err != nil {
			return err
		}
	}
	return nil
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
