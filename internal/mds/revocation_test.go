package mds

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"cardea/internal/mds/mdstest"
)

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func TestRevocationWA54(t *testing.T) {
	a, stranger := authority(t, mdstest.Config{}), authority(t, mdstest.Config{})
	o, err := Open(must(a.SignBLOB(1))(t), a.Roots(), today)
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(at time.Time, revoked ...*x509.Certificate) []byte { return must(a.LeafCRL(at, revoked...))(t) }
	inter := func(at time.Time, revoked ...*x509.Certificate) []byte {
		return must(a.IntermediateCRL(at, revoked...))(t)
	}
	lastMonth := today.AddDate(0, -1, 0)
	for _, row := range []struct {
		name    string
		lists   [][]byte
		revoked bool
		unknown int // certificates nothing is known about
	}{
		{"nothing revoked", [][]byte{leaf(today), inter(today)}, false, 0},
		{"leaf revoked", [][]byte{leaf(today, a.Leaf), inter(today)}, true, 0},
		{"intermediate revoked", [][]byte{leaf(today), inter(today, a.Intermediate)}, true, 0},
		{"another certificate revoked", [][]byte{leaf(today, stranger.Leaf), inter(today)}, false, 0},
		{"no list reachable", nil, false, 2},
		{"one list reachable", [][]byte{inter(today)}, false, 1},
		{"a list that does not parse", [][]byte{[]byte("hello"), inter(today)}, false, 1},
		{"an outdated list says nothing good", [][]byte{leaf(lastMonth), inter(today)}, false, 1},
		{"an outdated list says something bad", [][]byte{leaf(lastMonth, a.Leaf), inter(today)}, true, 0},
		{"a list of a stranger", [][]byte{must(stranger.LeafCRL(today, a.Leaf))(t), inter(today)}, false, 1},
		{"the root's list about the leaf", [][]byte{inter(today, a.Leaf)}, false, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			warnings, err := CheckRevocation(o.Chain, row.lists, today)
			if row.revoked {
				wantCode(t, err, CodeRevoked)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(warnings) != row.unknown {
				t.Fatalf("%d warnings, want %d: %v", len(warnings), row.unknown, warnings)
			}
			for _, w := range warnings {
				if w.Code != WarnRevocationUnknown || w.Subject == "" {
					t.Errorf("warning %+v", w)
				}
			}
		})
	}
}
