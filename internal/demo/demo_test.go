package demo

import (
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

func TestSeedInventsTheCompany(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Date(2026, 11, 24, 15, 0, 0, 0, time.UTC)
		if _, err := directory.EnsureOrganization(ctx, d, now); err != nil {
			t.Fatal(err)
		}
		c, err := Seed(ctx, d, now)
		if err != nil {
			t.Fatal(err)
		}
		n, err := directory.CountUsers(ctx, d)
		if err != nil || n < 5000 || c.Passkeys < 2000 || c.SignIns < 5000 {
			t.Error(n, "people", c.Passkeys, "passkeys", c.SignIns, "sign-ins", err)
		}
		// Sales is in All employees only through its own group.
		in, err := directory.MemberOf(ctx, d, c.Seller.ID)
		if err != nil || len(in) != 3 {
			t.Error("Sam Seller is in", len(in), "groups, want Sales, All employees and Office", err)
		}
		if GroupID(ctx, d, "Sales") == "" {
			t.Error("no group Sales")
		}
	})
}
