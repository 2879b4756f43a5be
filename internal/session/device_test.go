package session_test

import (
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

// device begins a request, and is the application and the person around it.
type device struct {
	*bench
	codes session.DeviceCodes
	flow  session.Flow
}

func newDevice(b *bench) *device {
	b.Helper()
	d := &device{bench: b}
	b.write(func(q db.Querier) (err error) {
		d.codes, err = session.BeginDevice(b.Context(), q, begin, session.Grant{ClientID: appID, Scope: "openid User.Read", RefreshLife: time.Hour, Sliding: true},
			session.Situation{IP: "192.0.2.7", UserAgent: "python-requests/2"})
		return err
	})
	found, err := session.FindDevice(b.Context(), b.d, begin, session.CleanUserCode(strings.ToLower(d.codes.User)))
	if err != nil || found.ClientID != appID || found.IP != "192.0.2.7" || found.State != session.DevicePending {
		b.Fatalf("%+v %v", found, err)
	}
	d.flow = session.Flow{At: begin, AppID: appID, Device: found.ID}
	return d
}

func (d *device) answer(at time.Time, yes bool) error {
	return d.d.Write(d.Context(), func(q db.Querier) error {
		return session.AnswerDevice(d.Context(), q, at, session.DeviceAnswer{Flow: d.flow, Session: d.s, User: d.user, Approve: yes,
			Situation: session.Situation{IP: "198.51.100.1", AppID: appID, Protocol: "deviceCode"}})
	})
}

func (d *device) poll(at time.Time, change ...func(*session.Client)) (session.Granted, error) {
	c := session.Client{ClientID: appID}
	for _, f := range change {
		f(&c)
	}
	return session.RedeemDevice(d.Context(), d.d, at, c, d.codes.Device, func(session.Granted) error { return nil })
}

func (d *device) wants(what string, err error, code string) {
	d.Helper()
	if err == nil && code == "" {
		return
	}
	if err == nil || problem.CodeOf(err) != code {
		d.Errorf("%s: %v, want %s", what, err, code)
	}
}

func eachDevice(t *testing.T, f func(d *device)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(newDevice(newBench(t, d, session.Session{}))) })
}

func TestDeviceWC40(t *testing.T) {
	eachDevice(t, func(d *device) {
		_, err := d.poll(begin.Add(time.Second))
		d.wants("first poll", err, "devicePending")
		_, err = d.poll(begin.Add(3 * time.Second))
		d.wants("too soon", err, "deviceTooFast")
		_, err = d.poll(begin.Add(8 * time.Second))
		d.wants("in time", err, "devicePending")
		_, err = d.poll(begin.Add(12 * time.Second)) // a second early is nobody's fault
		d.wants("nearly in time", err, "devicePending")
		d.wants("yes", d.answer(begin.Add(time.Minute), true), "")
		d.wants("another answer", d.answer(begin.Add(time.Minute), false), "userCodeInvalid")
		if _, err := session.FindDevice(t.Context(), d.d, begin, session.CleanUserCode(d.codes.User)); problem.CodeOf(err) != "userCodeInvalid" {
			t.Errorf("an answered code is found: %v", err)
		}
		g, err := d.poll(begin.Add(61 * time.Second))
		if err != nil || g.UserID != d.user.ID || g.SessionID != d.s.ID || g.Scope != "openid User.Read" || g.Refresh == "" || g.ClientID != appID || g.AuthAt != d.s.AuthAt.UnixMilli() {
			t.Fatalf("%+v %v", g, err)
		}
		_, err = d.poll(begin.Add(70 * time.Second))
		d.wants("again", err, "deviceCodeUsed")
		_, err = session.RotateRefresh(t.Context(), d.d, begin.Add(71*time.Second), session.Rotation{Client: session.Client{ClientID: appID}, Token: g.Refresh}, func(db.Querier, session.Granted) error { return nil })
		d.wants("its refresh token", err, "refreshRevoked")
	})
}

func TestDeviceRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(d *device) // after which the first poll, a minute later, is code
		code string
	}{
		{"declined", func(d *device) { d.wants("no", d.answer(begin, false), "") }, "deviceDeclined"},
		{"nobody answers", func(d *device) {}, "deviceExpired"},
		{"approved and never fetched", func(d *device) { d.wants("yes", d.answer(begin, true), "") }, "deviceExpired"},
		{"disabled since", func(d *device) {
			d.wants("yes", d.answer(begin, true), "")
			d.write(func(q db.Querier) error {
				_, err := directory.UpdateUser(d.Context(), q, audit.System("test"), begin, d.user.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
				return err
			})
		}, "userDisabled"},
		{"signed out since", func(d *device) {
			d.wants("yes", d.answer(begin, true), "")
			d.write(func(q db.Querier) error { return session.End(d.Context(), q, begin, d.s.ID) })
		}, "grantVoid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDevice(t, func(d *device) {
				at := begin.Add(time.Minute)
				if c.code == "deviceExpired" {
					at = begin.Add(session.DeviceLife)
				}
				c.do(d)
				_, err := d.poll(at)
				d.wants("poll", err, c.code)
			})
		})
	}
}

func TestDeviceOfOthers(t *testing.T) {
	eachDevice(t, func(d *device) {
		other := func(c *session.Client) { c.ClientID = "22222222-2222-4222-8222-222222222222" }
		_, err := d.poll(begin, other)
		d.wants("another application, pending", err, "codeOfOtherClient")
		d.wants("too late", d.answer(begin.Add(session.DeviceLife), true), "userCodeInvalid")
		old := d.s
		d.s.AuthAt = begin.Add(-session.FreshAge - time.Second)
		d.wants("an old proof", d.answer(begin, true), "signInRequired")
		d.s.Methods = []string{session.MethodLink}
		d.wants("first steps", d.answer(begin, true), "signInRequired")
		d.s = old
		d.wants("yes", d.answer(begin, true), "")
		_, err = d.poll(begin, func(c *session.Client) { c.Browser = true })
		d.wants("a page in a browser", err, "notSinglePage")
		_, err = d.poll(begin)
		d.wants("the code died with that", err, "deviceCodeUsed")
		for _, text := range []string{"", "x.y", strings.Repeat("a", 36) + "." + strings.Repeat("A", 43), d.codes.Device + "x"} {
			d.codes.Device = text
			_, err = d.poll(begin)
			d.wants("code "+text, err, "deviceCodeUnknown")
		}
	})
}

// TestDeviceGivesOnce: of eight polls at once one wins.
func TestDeviceGivesOnce(t *testing.T) {
	eachDevice(t, func(d *device) {
		d.wants("yes", d.answer(begin, true), "")
		var won atomic.Int64
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				if _, err := d.poll(begin.Add(time.Minute)); err == nil {
					won.Add(1)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 8 polls got tokens", won.Load())
		}
	})
}

// TestDeviceIsLogged: a refusal always; a yes if no new proof has its row (RL-22).
func TestDeviceIsLogged(t *testing.T) {
	for _, c := range []struct {
		name  string
		proof time.Duration // after the code was typed
		yes   bool
		rows  int
		code  int
	}{{"no", time.Second, false, 1, 65004}, {"yes, proved before", -time.Minute, true, 1, 0}, {"yes, proved now", time.Second, true, 0, 0}} {
		t.Run(c.name, func(t *testing.T) {
			eachDevice(t, func(d *device) {
				d.s.AuthAt = begin.Add(c.proof)
				d.wants("answer", d.answer(begin.Add(time.Minute), c.yes), "")
				rows, err := audit.SignIns(t.Context(), d.d, audit.Query{EventType: audit.Interactive})
				if err != nil || len(rows) != c.rows {
					t.Fatalf("%d rows, %v", len(rows), err)
				}
				if c.rows == 1 && (rows[0].AuthenticationProtocol != "deviceCode" || rows[0].Status.ErrorCode != c.code || rows[0].UserID != d.user.ID || rows[0].AppID != appID) {
					t.Errorf("%+v", rows[0])
				}
			})
		})
	}
}

func TestUserCodes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		seen := map[string]bool{}
		for range 50 {
			err := d.Write(t.Context(), func(q db.Querier) error {
				codes, err := session.BeginDevice(t.Context(), q, begin, session.Grant{ClientID: appID}, session.Situation{})
				clean := session.CleanUserCode(codes.User)
				if len(codes.User) != 9 || codes.User[4] != '-' || session.ShowUserCode(clean) != codes.User || strings.ContainsAny(clean, "AEIOUYL0123456789") || seen[clean] {
					t.Errorf("user code %q", codes.User)
				}
				seen[clean] = true
				var stored []byte
				if err == nil {
					err = q.QueryRowContext(t.Context(), `SELECT user_code_hash FROM device_codes ORDER BY id DESC LIMIT 1`).Scan(&stored)
				}
				if strings.Contains(string(stored), clean) {
					t.Error("the user code is stored as it is")
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	for typed, want := range map[string]string{"bcdf-ghjk": "BCDFGHJK", " BCDF GHJK\t": "BCDFGHJK", "BCDF–GHJK": "BCDFGHJK", "bcdfghjk": "BCDFGHJK",
		"BCDF-GHJ": "", "BCDF-GHJKM": "", "ACDF-GHJK": "", "BCDF_GHJK": "", "": "", "\x00CDFGHJK": ""} {
		if got := session.CleanUserCode(typed); got != want {
			t.Errorf("%q is %q, want %q", typed, got, want)
		}
	}
}

// FuzzCleanUserCode: the result is "", or eight letters that clean and show
// again as themselves.
func FuzzCleanUserCode(f *testing.F) {
	for _, s := range []string{"BCDF-GHJK", "bcdf ghjk", "ſſſſſſſſ", "----", "\xff\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code := session.CleanUserCode(typed)
		if code == "" {
			return
		}
		if len(code) != 8 || strings.Trim(code, "BCDFGHJKMNPQRSTVWXZ") != "" || session.CleanUserCode(session.ShowUserCode(code)) != code {
			t.Fatalf("%q became %q", typed, code)
		}
	})
}
