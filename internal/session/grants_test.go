package session_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/session"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	appID    = "11111111-1111-4111-8111-111111111111"
	redirect = "https://wiki.example.com/cb"
	verifier = "the-verifier-of-this-test-has-at-least-43-characters"
)

func challenge(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// bench is one person with one session.
type bench struct {
	*testing.T
	d    *db.DB
	user directory.User
	s    session.Session
}

func newBench(t *testing.T, d *db.DB, s session.Session) *bench {
	t.Helper()
	b := &bench{T: t, d: d}
	b.write(func(q db.Querier) (err error) {
		b.user, err = directory.CreateUser(t.Context(), q, audit.System("test"), begin, directory.User{UserPrincipalName: "ada@example.com", DisplayName: "Ada", AccountEnabled: true})
		if err != nil {
			return err
		}
		s.UserID = b.user.ID
		if s.Methods == nil {
			s.Methods = []string{session.MethodPasskey, session.MethodMFA}
		}
		b.s, _, err = session.Start(t.Context(), q, begin, s)
		return err
	})
	return b
}

func (b *bench) write(f func(q db.Querier) error) {
	b.Helper()
	if err := b.d.Write(b.Context(), f); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) grant() session.Grant {
	g := session.GrantOf(b.s, session.Flow{AppID: appID, RedirectURI: redirect, Challenge: challenge(verifier), Scope: "openid offline_access"})
	g.RefreshLife, g.Sliding = 90*24*time.Hour, true
	return g
}

func (b *bench) code(g session.Grant) (code string) {
	b.Helper()
	b.write(func(q db.Querier) (err error) { code, err = session.IssueCode(b.Context(), q, begin, g); return err })
	return code
}

func redemption(code string) session.Redemption {
	return session.Redemption{Client: session.Client{ClientID: appID}, Code: code, RedirectURI: redirect, Verifier: verifier}
}

func nothing(db.Querier, session.Granted) error { return nil }

func (b *bench) redeem(now time.Time, r session.Redemption) (session.Granted, error) {
	return session.RedeemCode(b.Context(), b.d, now, r, nothing)
}

func (b *bench) rotate(now time.Time, token string) (session.Granted, error) {
	return session.RotateRefresh(b.Context(), b.d, now, session.Rotation{Client: session.Client{ClientID: appID}, Token: token}, nothing)
}

func (b *bench) must(g session.Granted, err error) session.Granted {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	return g
}

func (b *bench) refused(what string, err error, code string) {
	b.Helper()
	if problem.CodeOf(err) != code {
		b.Errorf("%s: %v, want %s", what, err, code)
	}
}

func (b *bench) recorded(activity string) (n int) {
	b.Helper()
	all, err := audit.Audits(b.Context(), b.d, audit.Query{UserID: b.user.ID})
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range all {
		if r.ActivityDisplayName == activity {
			n++
		}
	}
	return n
}

func each(t *testing.T, s session.Session, f func(b *bench)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(newBench(t, d, s)) })
}

func TestCodeDiesBeforeItIsChecked(t *testing.T) {
	for _, c := range []struct {
		name, code string
		change     func(*session.Redemption)
		at         time.Duration
	}{
		{"verifier", "verifierWrong", func(r *session.Redemption) { r.Verifier = strings.Repeat("x", 43) }, 0},
		{"no verifier", "verifierWrong", func(r *session.Redemption) { r.Verifier = "" }, 0},
		{"client", "codeOfOtherClient", func(r *session.Redemption) { r.ClientID = "other" }, 0},
		{"redirect", "redirectUriDiffers", func(r *session.Redemption) { r.RedirectURI += "/" }, 0},
		{"browser", "notSinglePage", func(r *session.Redemption) { r.Browser = true }, 0},
		{"late", "codeExpired", func(*session.Redemption) {}, session.CodeLife},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, session.Session{}, func(b *bench) {
				code := b.code(b.grant())
				r := redemption(code)
				c.change(&r)
				_, err := b.redeem(begin.Add(c.at), r)
				b.refused("first", err, c.code)
				_, err = b.redeem(begin, redemption(code))
				b.refused("then with everything right", err, "codeUsed")
			})
		})
	}
}

func TestCodeOfConfidentialClient(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		g := b.grant()
		g.Secret = true
		_, err := b.redeem(begin, redemption(b.code(g)))
		b.refused("without proof", err, "clientUnauthenticated")
		r := redemption(b.code(g))
		r.Authenticated = true
		b.must(b.redeem(begin, r))
	})
}

func TestVerifierWithoutChallenge(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		g := b.grant()
		g.Challenge = ""
		_, err := b.redeem(begin, redemption(b.code(g)))
		b.refused("challenge was stripped", err, "verifierUnexpected")
	})
}

func TestCodeGuess(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		code := b.code(b.grant())
		id, _, _ := strings.Cut(code, ".")
		for _, wrong := range []string{"", "x", id, id + "." + strings.Repeat("A", 43), strings.Repeat("a", 36) + "." + strings.Repeat("A", 43),
			strings.Repeat("\x00", 36) + "." + strings.Repeat("A", 43), strings.Repeat("\xff", 36) + "." + strings.Repeat("A", 43)} { // PostgreSQL fails on these
			_, err := b.redeem(begin, redemption(wrong))
			b.refused(wrong, err, "codeUnknown")
		}
		b.must(b.redeem(begin, redemption(code))) // guesses did not kill it
	})
}

func TestCodeReuseRevokesTheFamily(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		code := b.code(b.grant())
		g := b.must(b.redeem(begin, redemption(code)))
		if g.User.ID != b.user.ID || g.Refresh == "" {
			b.Fatalf("granted %+v", g)
		}
		for range 2 {
			_, err := b.redeem(begin, redemption(code))
			b.refused("again", err, "codeUsed")
		}
		_, err := b.rotate(begin, g.Refresh)
		b.refused("refresh", err, "refreshRevoked")
		if n := b.recorded("Authorization code reuse detected"); n != 1 {
			b.Errorf("%d records", n)
		}
	})
}

func TestParallelRedemptionGivesExactlyOne(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		code := b.code(b.grant())
		var won atomic.Int64
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				if _, err := b.redeem(begin, redemption(code)); err == nil {
					won.Add(1)
				} else if problem.CodeOf(err) != "codeUsed" {
					b.Error(err)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			b.Errorf("%d redemptions succeeded", won.Load())
		}
	})
}

func TestAFailedRecordUndoesTheRedemption(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		code := b.code(b.grant())
		broken := problem.New(problem.Unavailable, "logFull", "no")
		_, err := session.RedeemCode(b.Context(), b.d, begin, redemption(code), func(db.Querier, session.Granted) error { return broken })
		b.refused("record", err, "logFull")
		b.must(b.redeem(begin, redemption(code)))
	})
}

func TestRefreshRotates(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		now := begin
		token := b.must(b.redeem(now, redemption(b.code(b.grant())))).Refresh
		for range 3 { // sliding: 80 days after 80 days
			now = now.Add(80 * 24 * time.Hour)
			g := b.must(b.rotate(now, token))
			if g.Refresh == token || g.Scope != "openid offline_access" {
				b.Fatalf("rotated: %+v", g)
			}
			token = g.Refresh
		}
		_, err := b.rotate(now.Add(90*24*time.Hour), token)
		b.refused("after 90 days of silence", err, "refreshExpired")
	})
}

func TestRefreshOfSinglePageAppEndsAfterADayWC50(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		g := b.grant()
		g.SPA, g.RefreshLife, g.Sliding = true, 24*time.Hour, false
		r := redemption(b.code(g))
		r.Browser = true
		token := b.must(b.redeem(begin, r)).Refresh
		token = b.must(b.rotate(begin.Add(23*time.Hour), token)).Refresh
		_, err := b.rotate(begin.Add(24*time.Hour), token)
		b.refused("a rotation does not prolong it", err, "refreshExpired")
	})
}

func TestRefreshReuseRevokesTheFamily(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		first := b.must(b.redeem(begin, redemption(b.code(b.grant())))).Refresh
		second := b.must(b.rotate(begin, first)).Refresh
		late := begin // at once: there is no time in which reuse is overlooked
		_, err := b.rotate(late, first)
		b.refused("reuse", err, "refreshReused")
		_, err = b.rotate(late, second)
		b.refused("the newest of the family", err, "refreshRevoked")
		_, err = b.rotate(late, first)
		b.refused("reuse again", err, "refreshRevoked")
		if n := b.recorded("Refresh token reuse detected"); n != 1 {
			b.Errorf("%d records", n)
		}
	})
}

// Of many that use one token at once, one gets a successor; the others look
// like thieves, so the successor works no more either.
func TestParallelRefreshGivesOneSuccessor(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		first := b.must(b.redeem(begin, redemption(b.code(b.grant())))).Refresh
		var mu sync.Mutex
		var successors []string
		var wait sync.WaitGroup
		for range 16 {
			wait.Go(func() {
				g, err := b.rotate(begin, first)
				if code := problem.CodeOf(err); err != nil && code != "refreshReused" && code != "refreshRevoked" {
					b.Error(err)
				}
				if err == nil {
					mu.Lock()
					successors = append(successors, g.Refresh)
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		if len(successors) != 1 {
			b.Fatalf("%d successors", len(successors))
		}
		_, err := b.rotate(begin, successors[0])
		b.refused("the successor after the reuse", err, "refreshRevoked")
	})
}

func TestRefreshOfOtherClientRevokes(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		token := b.must(b.redeem(begin, redemption(b.code(b.grant())))).Refresh
		_, err := session.RotateRefresh(b.Context(), b.d, begin, session.Rotation{Client: session.Client{ClientID: "other"}, Token: token}, nothing)
		b.refused("other client", err, "refreshOfOtherClient")
		_, err = b.rotate(begin, token)
		b.refused("own client afterwards", err, "refreshRevoked")
		if n := b.recorded("Refresh token reuse detected"); n != 1 {
			b.Errorf("%d records", n)
		}
	})
}

func TestGrantsDieWithWhatTheyCameFrom(t *testing.T) {
	admin := audit.System("test")
	for _, c := range []struct {
		name, code, refresh string
		end                 func(b *bench, q db.Querier) error
	}{
		{"signed out", "grantVoid", "refreshRevoked", func(b *bench, q db.Querier) error { return session.End(b.Context(), q, begin, b.s.ID) }},
		{"signed out everywhere", "grantVoid", "grantVoid", func(b *bench, q db.Querier) error {
			return session.EndAll(b.Context(), q, admin, begin, b.user.ID)
		}},
		{"disabled", "userDisabled", "userDisabled", func(b *bench, q db.Querier) error {
			_, err := directory.UpdateUser(b.Context(), q, admin, begin, b.user.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		}},
		{"deleted", "grantVoid", "grantVoid", func(b *bench, q db.Querier) error {
			return directory.DeleteUser(b.Context(), q, admin, begin, b.user.ID)
		}},
		{"deleted and restored", "grantVoid", "grantVoid", func(b *bench, q db.Querier) error {
			if err := directory.DeleteUser(b.Context(), q, admin, begin, b.user.ID); err != nil {
				return err
			}
			_, err := directory.Restore(b.Context(), q, admin, begin, directory.Restoring{ID: b.user.ID})
			return err
		}},
		{"deleted for good", "grantVoid", "refreshUnknown", func(b *bench, q db.Querier) error {
			if err := directory.DeleteUser(b.Context(), q, admin, begin, b.user.ID); err != nil {
				return err
			}
			return directory.Purge(b.Context(), q, admin, begin, b.user.ID)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, session.Session{}, func(b *bench) {
				token := b.must(b.redeem(begin, redemption(b.code(b.grant())))).Refresh
				code := b.code(b.grant())
				b.write(func(q db.Querier) error { return c.end(b, q) })
				_, err := b.redeem(begin, redemption(code))
				b.refused("code", err, c.code)
				_, err = b.rotate(begin, token)
				b.refused("refresh", err, c.refresh)
			})
		})
	}
}

func TestGrantOutlivesTheBrowserSession(t *testing.T) {
	each(t, session.Session{ExpiresAt: begin.Add(time.Hour)}, func(b *bench) {
		token := b.must(b.redeem(begin, redemption(b.code(b.grant())))).Refresh
		b.must(b.rotate(begin.Add(48*time.Hour), token))
	})
}

func TestPassEndsItsGrantsPK152(t *testing.T) {
	pass := session.Session{Methods: []string{session.MethodAccessPass, session.MethodMFA}, ExpiresAt: begin.Add(time.Hour)}
	each(t, pass, func(b *bench) {
		g := b.must(b.redeem(begin, redemption(b.code(b.grant()))))
		if g.Until != begin.Add(time.Hour).UnixMilli() {
			b.Errorf("until %s", db.Time(g.Until))
		}
		token := b.must(b.rotate(begin.Add(59*time.Minute), g.Refresh)).Refresh
		_, err := b.rotate(begin.Add(time.Hour), token)
		b.refused("after the pass", err, "refreshExpired")
	})
}

func TestRevokeRefresh(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		token := b.must(b.redeem(begin, redemption(b.code(b.grant())))).Refresh
		revoke := func(token, client string) {
			b.Helper()
			b.write(func(q db.Querier) error { return session.RevokeRefresh(b.Context(), q, begin, token, client) })
		}
		revoke(token, "other")
		revoke("garbage", appID)
		token = b.must(b.rotate(begin, token)).Refresh
		revoke(token, appID)
		_, err := b.rotate(begin, token)
		b.refused("revoked", err, "refreshRevoked")
	})
}

func TestDeleteExpiredGrants(t *testing.T) {
	each(t, session.Session{}, func(b *bench) {
		first := b.must(b.redeem(begin, redemption(b.code(b.grant())))).Refresh
		sweep := func(what string, now time.Time, want int64) {
			b.Helper()
			var n int64
			b.write(func(q db.Querier) (err error) {
				n, err = session.DeleteExpiredGrants(b.Context(), q, now, 500)
				return err
			})
			if n != want {
				b.Errorf("%s: %d deleted, want %d", what, n, want)
			}
		}
		day := 24 * time.Hour
		sweep("nothing is over", begin, 0)
		sweep("the code", begin.Add(day+time.Hour), 1)
		second := b.must(b.rotate(begin.Add(2*day), first)).Refresh
		sweep("the used token is kept for its reuse to be seen", begin.Add(9*day), 0)
		sweep("the used token", begin.Add(9*day+time.Minute), 1)
		_, err := b.rotate(begin.Add(10*day), first)
		b.refused("then it is unknown, and does no harm", err, "refreshUnknown")
		b.must(b.rotate(begin.Add(10*day), second))
		sweep("the family; its tokens go with it", begin.Add(102*day), 1)
	})
}
