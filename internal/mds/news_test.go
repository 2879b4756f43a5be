package mds

import (
	"testing"

	"cardea/internal/mds/mdstest"
)

func TestNewBadNewsWA70(t *testing.T) {
	batch := testRoot(t, "batch")
	key := mdstest.SecurityKey(keyA, "Key A")
	revoked := key.Report(mdstest.Status("REVOKED", "2026-01-01"))
	coming := key.Report(mdstest.Status("REVOKED", "2026-09-14"))
	limited := key.Report(mdstest.Status("ATTESTATION_KEY_COMPROMISE", "2026-01-01", batch))
	u2f := mdstest.U2FKey(sha1Hex([]byte("k")), "U2F")
	of := func(entries ...mdstest.Entry) *Metadata { m, _ := parsed(t, entries...); return m }
	same := of(coming)
	for _, row := range []struct {
		name          string
		before, after *Metadata
		want          []string
	}{
		{"nothing bad", of(key), of(key), nil},
		{"newly bad", of(key), of(revoked), []string{"REVOKED"}},
		{"bad as before", of(revoked), of(revoked), nil},
		{"said twice", of(key), of(revoked.Report(mdstest.Status("REVOKED", "2026-02-01"))), []string{"REVOKED"}},
		{"another bad thing", of(revoked), of(revoked.Report(mdstest.Status("USER_VERIFICATION_BYPASS", ""))), []string{"USER_VERIFICATION_BYPASS"}},
		{"one batch", of(key), of(limited), []string{"ATTESTATION_KEY_COMPROMISE"}},
		{"first one batch, then all", of(limited), of(limited.Report(mdstest.Status("ATTESTATION_KEY_COMPROMISE", "2026-02-01"))), []string{"ATTESTATION_KEY_COMPROMISE"}},
		{"a new model that is bad", of(), of(revoked), []string{"REVOKED"}},
		{"no metadata before", nil, of(revoked), []string{"REVOKED"}},
		{"no metadata now", of(revoked), nil, nil},
		{"the day has come", same, same, []string{"REVOKED"}},
		{"U2F", of(u2f), of(u2f.Report(mdstest.Status("REVOKED", "2026-01-01"))), []string{"REVOKED"}},
		{"U2F as before", of(u2f.Report(mdstest.Status("REVOKED", ""))), of(u2f.Report(mdstest.Status("REVOKED", ""))), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := NewBadNews(row.before, row.after, today.AddDate(0, 0, -7), today)
			if len(got) != len(row.want) {
				t.Fatalf("got %+v, want %v", got, row.want)
			}
			for i, n := range got {
				if n.Report.Status != row.want[i] || n.Entry == nil {
					t.Errorf("got %+v, want %v", n, row.want)
				}
			}
		})
	}
}
