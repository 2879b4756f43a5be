package jose_test

import (
	"path/filepath"
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/jose"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func master(t testing.TB) jose.Master {
	t.Helper()
	m, err := jose.LoadMaster(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, d *db.DB, m jose.Master) *jose.Ring {
	t.Helper()
	r, err := jose.OpenRing(t.Context(), d, m, start)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sqlite(t testing.TB) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{DSN: filepath.Join(t.TempDir(), "test.db"), Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}
