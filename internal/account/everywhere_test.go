package account_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/db"
	"cardea/internal/directory"
)

// Signing out everywhere ends every other browser, not this one.
func TestEverywhere(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		other := h.Browser()
		h.SignIn(other, a, "")
		token := b.Cookies["__Host-session"]
		before, _ := h.Session(b)
		if r := b.Get("/security-info/sign-out-everywhere"); r.Status != 200 {
			t.Errorf("%d", r.Status)
		}
		if r := b.Form("/security-info/sign-out-everywhere"); r.To() != "/security-info" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		h.Forward(time.Millisecond)
		after, in := h.Session(b)
		if _, out := h.Session(other); !in || out || b.Cookies["__Host-session"] == token {
			t.Errorf("here %v, there %v", in, out)
		}
		if !after.MFAAt.Equal(before.MFAAt) || !after.ExpiresAt.Equal(before.ExpiresAt) || after.PasskeyID != before.PasskeyID {
			t.Errorf("before %+v, after %+v", before, after)
		}
		if p := b.Get("/security-info"); !strings.Contains(p.Body, "You are signed out everywhere but here.") || !strings.Contains(p.Body, "Signed out everywhere") {
			t.Errorf("%s", p.Body)
		}
		b.Cookies["__Host-session"] = token
		if _, in := h.Session(b); in {
			t.Error("the old token still works")
		}
	})
}

// A lost device: its passkey goes and other browsers are signed out; a last
// passkey stays, the others are signed out all the same.
func TestLost(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, a := h.Settled("ada@contoso.com", "Ada Lovelace")
		thief := h.Browser()
		h.SignIn(thief, a, "")
		id := passkeyID(t, b)
		if r := b.Form("/security-info/lost", "passkey", id, "everywhere", "yes"); r.Status != http.StatusConflict || !strings.Contains(r.Body, "only way to sign in") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		h.Forward(time.Millisecond)
		if _, in := h.Session(thief); in {
			t.Error("the thief is still in")
		}
		if _, in := h.Session(b); !in {
			t.Fatal("the owner is out")
		}
		h.Register(b, cardeatest.NewAuthenticator())
		if r := b.Get("/security-info/lost"); !strings.Contains(r.Body, id) {
			t.Errorf("%d", r.Status)
		}
		if r := b.Form("/security-info/lost", "passkey", id, "passkey", id); r.To() != "/security-info" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		have, err := h.Keeper.List(t.Context(), h.DB, ada.ID)
		if err != nil || len(have) != 1 || have[0].ID == id {
			t.Errorf("%+v %v", have, err)
		}
		if r := b.Form("/security-info/lost"); r.To() != "/security-info" {
			t.Errorf("nothing chosen: %d", r.Status)
		}
	})
}

// Recent activity tells people's things in people's words; "this wasn't me"
// reaches the audit log (UX-M6).
func TestActivity_UXM6(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		b.Form("/security-info/passkeys/"+passkeyID(t, b)+"/rename", "displayName", "Work laptop")
		p := b.Get("/security-info")
		for _, want := range []string{"Passkey “Work laptop” added", "Passkey renamed to “Work laptop”", "Temporary access pass issued by Grace Hopper", "Signed in with a temporary access pass", "on Windows, Edge"} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if r := b.Form("/security-info/not-me"); r.To() != "/security-info" {
			t.Errorf("%d", r.Status)
		}
		if p := b.Get("/security-info"); !strings.Contains(p.Body, "recorded for your administrators") {
			t.Error("no thanks")
		}
		rows, err := audit.Audits(t.Context(), h.DB, audit.Query{UserID: ada.ID})
		h.Must(err)
		found := false
		for _, r := range rows {
			found = found || r.ActivityDisplayName == "Person reported unknown activity" && r.InitiatedBy.User != nil && r.InitiatedBy.User.ID == ada.ID
		}
		if !found {
			t.Error("nothing in the audit log")
		}
	})
}

// The pages of a disabled person are closed at once.
func TestDisabled(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		ada, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		h.Write(func(q db.Querier) error {
			_, err := directory.UpdateUser(h.Context(), q, h.Admin, h.Now(), ada.ID, func(u *directory.User) error { u.AccountEnabled = false; return nil })
			return err
		})
		if r := b.Get("/security-info"); !strings.HasPrefix(r.To(), "/signin") {
			t.Errorf("%d %s", r.Status, r.To())
		}
	})
}

// Every page leads to a help page that exists, and codes have theirs.
func TestHelp(t *testing.T) {
	house.Each(t, func(h *house.House) {
		h.Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		link := regexp.MustCompile(`<footer><a href="([^"]+)"`)
		for _, path := range []string{"/", "/signout", "/security-info", "/security-info/passkeys/add", "/security-info/lost", "/security-info/sign-out-everywhere", "/signin/other", "/signin/help",
			"/signin/temporary-access-pass", "/help", "/help/signin", "/help/passkey", "/help/account", "/help/setup", "/help/errors/systemError", "/signin/error?code=systemError"} {
			p := b.Get(path)
			m := link.FindStringSubmatch(p.Body)
			if p.Status != 200 || m == nil {
				t.Errorf("%s: %d", path, p.Status)
				continue
			}
			if r := h.Browser().Get(m[1]); r.Status != 200 {
				t.Errorf("help of %s, %s: %d", path, m[1], r.Status)
			}
		}
		for _, path := range []string{"/help/nonsense", "/help/errors/nonsense"} {
			if r := b.Get(path); r.Status != http.StatusNotFound {
				t.Errorf("%s: %d", path, r.Status)
			}
		}
	})
}
