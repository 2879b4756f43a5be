package passkey_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/passkey"
	"cardea/internal/problem"

	"github.com/google/go-cmp/cmp"
)

// TestStandings: usable or not by the rules of this moment, with the reason
// (PK-64, PK-65, UX-M7).
func TestStandings_PK64_PK65(t *testing.T) {
	each(t, func(h *house) {
		a := h.register(h.ada, synced())
		h.later(time.Second)
		b := h.register(h.ada, cardeatest.NewAuthenticator(cardeatest.SecurityKey(guid(modelX))))
		h.patch(profiles(deviceBoundOnly))
		all, err := h.k.Standings(h.Context(), h.ada.ID)
		h.must(err)
		if len(all) != 2 || all[0].ID != a.ID || all[0].Decision.Allowed || all[0].Decision.Why() != passkey.TypeNotAllowed || all[1].ID != b.ID || !all[1].Decision.Allowed {
			h.Errorf("%+v", all)
		}
		got, err := h.k.Effective(h.Context(), h.ada.ID)
		h.must(err)
		ref := passkey.ProfileRef{ID: "aaaaaaaa-0000-4000-8000-000000000001", Name: "Security keys only"}
		want := passkey.EffectivePolicy{State: passkey.Applies, Profiles: []passkey.EffectiveProfile{{ID: ref.ID, Name: ref.Name, Through: []passkey.TargetRef{{TargetType: "group", ID: passkey.AllUsers}}}},
			Methods: []passkey.EffectiveMethod{{ID: a.ID, Reasons: []passkey.Reason{{ProfileID: ref.ID, ProfileName: ref.Name, Code: passkey.TypeNotAllowed}}}, {ID: b.ID, Allowed: true, By: ref, Reasons: []passkey.Reason{}}}}
		if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".types" }, cmp.Ignore())); diff != "" {
			h.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestGet: by id, by the bare credential id, and only for its owner (PK-125, PK-126).
func TestGet_PK125_PK126(t *testing.T) {
	each(t, func(h *house) {
		m := h.register(h.ada, synced())
		for _, id := range []string{m.ID, m.ID[:len(m.ID)-1]} {
			if got, err := h.k.Get(h.Context(), h.d, h.ada.ID, id); err != nil || got.Key != m.Key {
				h.Errorf("%s: %v", id, err)
			}
		}
		_, err := h.k.Get(h.Context(), h.d, h.grace.ID, m.ID)
		h.refused(err, problem.NotFound, "keyNotFound")
		for _, id := range []string{"", strings.ToUpper(m.ID), m.ID + "2", "no such id"} {
			_, err := h.k.Get(h.Context(), h.d, h.ada.ID, id)
			h.refused(err, problem.NotFound, "keyNotFound")
		}
	})
}

func TestRename_PK131(t *testing.T) {
	each(t, func(h *house) {
		m := h.register(h.ada, synced())
		self := audit.Actor{UserID: h.ada.ID}
		w := passkey.Which{User: h.ada, MethodID: m.ID, Actor: self, At: h.at}
		got, err := h.k.Rename(h.Context(), w, " Work phone ")
		h.must(err)
		stored, err := h.k.Get(h.Context(), h.d, h.ada.ID, m.ID)
		h.must(err)
		if got.DisplayName != "Work phone" || stored.DisplayName != "Work phone" {
			h.Errorf("%q, stored %q", got.DisplayName, stored.DisplayName)
		}
		renamed := h.audits("Passkey renamed")
		if len(renamed) != 1 || detail(renamed[0], "oldName") != "Passkey" || detail(renamed[0], "newName") != "Work phone" || len(h.audits("User updated security info")) != 1 {
			h.Errorf("%+v", renamed)
		}
		_, err = h.k.Rename(h.Context(), w, strings.Repeat("x", 31))
		h.refused(err, problem.Invalid, "badRequest")
		w.User = h.grace
		_, err = h.k.Rename(h.Context(), w, "mine")
		h.refused(err, problem.NotFound, "keyNotFound")
	})
}

// TestDelete: gone, logged, and never the last way without a word (UX-M4).
func TestDelete_UXM4(t *testing.T) {
	each(t, func(h *house) {
		a := synced()
		m := h.register(h.ada, a)
		w := passkey.Which{User: h.ada, MethodID: m.ID, Actor: audit.Actor{UserID: h.ada.ID}, At: h.at}
		h.refused(h.k.Delete(h.Context(), w), problem.Conflict, "lastMethod")
		other := h.register(h.ada, synced())
		h.must(h.k.Delete(h.Context(), w))
		h.refused(h.k.Delete(h.Context(), w), problem.NotFound, "keyNotFound")
		if n := len(h.audits("Passkey removed")); n != 1 || len(h.audits("User deleted security info")) != 1 {
			h.Errorf("%d records", n)
		}
		if n := h.count(`SELECT count(*) FROM passkey_attestations`); n != 1 {
			h.Errorf("%d attestations", n)
		}
		_, err := h.signIn(a)
		h.refused(err, problem.Unauthenticated, "passkeyNotUsable")
		if row := h.signIns()[0]; row.Status.ErrorCode != 135010 {
			h.Errorf("%+v", row.Status)
		}
		w.MethodID, w.Confirmed = other.ID, true
		h.must(h.k.Delete(h.Context(), w))
		// An administrator is not asked, and the record says who it was.
		third := h.register(h.ada, synced())
		h.must(h.k.Delete(h.Context(), passkey.Which{User: h.ada, MethodID: third.ID, Actor: h.admin, At: h.at}))
		if n := len(h.audits("Admin deleted security info")); n != 1 {
			h.Errorf("%d records", n)
		}
	})
}

// TestOffer: allowed providers by name (PK-175).
func TestOffer_PK175(t *testing.T) {
	each(t, func(h *house) {
		h.metadata(1, h.entry(modelY, "Key Y"))
		o, err := h.k.Offer(h.Context(), h.own(h.ada))
		h.must(err)
		if !o.Any || o.Types != passkey.SetOf(passkey.DeviceBound, passkey.Synced) {
			h.Errorf("%+v", o)
		}
		h.patch(profiles(strict))
		o, err = h.k.Offer(h.Context(), h.own(h.ada))
		h.must(err)
		if o.Any || o.Types != passkey.SetOf(passkey.DeviceBound) || !slices.Equal(o.Names, []string{"Microsoft Authenticator", "Key Y", modelZ}) {
			h.Errorf("%+v", o)
		}
		h.patch(`{"state": "disabled"}`)
		_, err = h.k.Offer(h.Context(), h.own(h.ada))
		h.refused(err, problem.Invalid, passkey.CodeFeatureDisallowed)
	})
}

// TestOtherRelyingParties: PK-103.
func TestOtherRelyingParties_PK103(t *testing.T) {
	each(t, func(h *house) {
		h.register(h.ada, synced())
		if other, err := h.k.OtherRelyingParties(h.Context()); err != nil || len(other) != 0 {
			h.Errorf("%v, %v", other, err)
		}
		h.write(func(q db.Querier) error {
			_, err := q.ExecContext(h.Context(), `UPDATE passkeys SET rp_id = 'old.example.com'`)
			return err
		})
		if other, err := h.k.OtherRelyingParties(h.Context()); err != nil || !slices.Equal(other, []string{"old.example.com"}) {
			h.Errorf("%v, %v", other, err)
		}
		bad := &passkey.Keeper{DB: h.d, Ring: h.k.Ring, RP: h.k.RP, TenantID: h.k.TenantID}
		bad.RP.ID = "example.org"
		if err := passkey.Open(h.Context(), bad, h.at); err == nil {
			h.Error("a relying party that does not fit the origin was opened")
		}
	})
}
