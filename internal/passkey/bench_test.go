package passkey_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"cardea/internal/db"
	"cardea/internal/passkey"
)

// benchHouse is a house on a SQLite file without fsync: what is measured is
// our own work, not the disk.
func benchHouse(b *testing.B) *house {
	d, err := db.Open(b.Context(), db.Options{DSN: filepath.Join(b.TempDir(), "bench.db"), Volatile: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return newHouse(b, d)
}

// BenchmarkFinishSignIn is the server's whole work for one passkey sign-in.
func BenchmarkFinishSignIn(b *testing.B) {
	h := benchHouse(b)
	for i := range 20 {
		h.group(fmt.Sprint("group ", i), h.ada.ID)
	}
	a := synced()
	h.register(h.ada, a)
	attempts := make([]passkey.Attempt, 0, b.N)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		attempts = append(attempts[:0], h.attempt(a))
		b.StartTimer()
		if _, err := h.k.FinishSignIn(h.Context(), attempts[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBeginSignIn makes options: no database.
func BenchmarkBeginSignIn(b *testing.B) {
	h := benchHouse(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.k.BeginSignIn(browser, h.at); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPreview weighs 20,000 passkeys of 10,000 people in 50 groups.
func BenchmarkPreview(b *testing.B) {
	h := benchHouse(b)
	var groups []string
	for i := range 50 {
		groups = append(groups, h.group(fmt.Sprint("group ", i)))
	}
	h.write(func(q db.Querier) error {
		for i := range 10_000 {
			id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
			if _, err := q.ExecContext(h.Context(), `INSERT INTO users (id, upn, upn_key, display_name, created_at) VALUES ($1, $2, $2, 'n', 0)`, id, fmt.Sprint("u", i, "@example.com")); err != nil {
				return err
			}
			if _, err := q.ExecContext(h.Context(), `INSERT INTO group_members (group_id, member_id, member_type) VALUES ($1, $2, 'user')`, groups[i%50], id); err != nil {
				return err
			}
			for j := range 2 {
				if _, err := q.ExecContext(h.Context(), `INSERT INTO passkeys (id, user_id, credential_id, display_name, public_key, algorithm, aaguid, sign_count, backup_eligible,
					backup_state, attested, rp_id, created_at) VALUES ($1, $2, $3, 'p', $4, -7, $5, 0, TRUE, TRUE, FALSE, 'id.example.com', 0)`,
					fmt.Sprint(i, "-", j), id, fmt.Appendf(nil, "credential %d %d", i, j), []byte{1}, zero); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for b.Loop() {
		i, err := h.k.Preview(h.Context(), h.edit(profiles(deviceBoundOnly)), nil)
		if err != nil || i.Passkeys.StopWorking != 20_000 {
			b.Fatal(i.Passkeys, err)
		}
	}
}
