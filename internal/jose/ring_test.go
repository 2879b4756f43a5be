package jose_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/jose"
	"cardea/internal/problem"
)

var claims = map[string]any{"sub": "ada", "exp": start.Add(time.Hour).Unix(), "nbf": start.Unix()}

func sign(t testing.TB, r *jose.Ring, alg string, now time.Time) string {
	t.Helper()
	token, err := r.Sign(alg, claims, now)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// kid names the key of a token, read by a library that is not ours.
func kid(t testing.TB, token string) string {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []gojose.SignatureAlgorithm{gojose.ES256, gojose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Headers[0].KeyID
}

func published(t testing.TB, r *jose.Ring) gojose.JSONWebKeySet {
	t.Helper()
	var set gojose.JSONWebKeySet
	if err := json.Unmarshal(r.JWKS(), &set); err != nil {
		t.Fatalf("%s: %v", r.JWKS(), err)
	}
	return set
}

func TestTokensVerifyWithAnotherLibrary(t *testing.T) {
	r := open(t, sqlite(t), master(t))
	set := published(t, r)
	for _, alg := range []string{jose.ES256, jose.RS256} {
		for range 40 { // short r or s come up in one signature of 128
			token := sign(t, r, alg, start)
			parsed, err := jwt.ParseSigned(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			keys := set.Key(parsed.Headers[0].KeyID)
			if len(keys) != 1 || !keys[0].IsPublic() || keys[0].Use != "sig" || keys[0].Algorithm != alg {
				t.Fatalf("%s: published keys %+v", alg, keys)
			}
			var got map[string]any
			if err := parsed.Claims(keys[0].Key, &got); err != nil || got["sub"] != "ada" {
				t.Fatalf("%s: %v %v", alg, got, err)
			}
			if _, err := r.Verify(token, start); err != nil {
				t.Fatalf("%s: %v", alg, err)
			}
		}
	}
	if strings.Contains(string(r.JWKS()), `"d"`) {
		t.Error("a private key is published")
	}
}

func TestVerifyRefuses(t *testing.T) {
	r := open(t, sqlite(t), master(t))
	other := open(t, sqlite(t), master(t))
	token := sign(t, r, jose.ES256, start)
	parts := strings.Split(token, ".")
	none := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	rs := strings.Split(sign(t, r, jose.RS256, start), ".")
	for _, c := range []struct {
		name, token, code string
		at                time.Time
	}{
		{"expired", token, "tokenExpired", start.Add(time.Hour)},
		{"not yet", token, "tokenBroken", start.Add(-2 * jose.Skew)},
		{"of another server", sign(t, other, jose.ES256, start), "tokenBroken", start},
		{"alg none", none, "tokenBroken", start},
		{"header of another key", rs[0] + "." + parts[1] + "." + parts[2], "tokenBroken", start},
		{"changed claims", parts[0] + "." + rs[1][:len(rs[1])-2] + "AA." + parts[2], "tokenBroken", start},
		{"no signature", parts[0] + "." + parts[1] + ".", "tokenBroken", start},
		{"two parts", parts[0] + "." + parts[1], "tokenBroken", start},
		{"padding", token + "=", "tokenBroken", start},
		{"empty", "", "tokenBroken", start},
		{"too long", strings.Repeat("a", 70<<10), "tokenBroken", start},
	} {
		if _, err := r.Verify(c.token, c.at); problem.CodeOf(err) != c.code || problem.KindOf(err) != problem.Unauthenticated {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	if _, err := r.VerifyExpired(token); err != nil {
		t.Errorf("VerifyExpired: %v", err)
	}
}

func TestRotationWA23PK112(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := master(t)
		r, node2 := open(t, d, m), open(t, d, m)
		if len(r.Keys()) != 3 {
			t.Fatalf("first keys: %+v", r.Keys())
		}
		before := sign(t, r, jose.ES256, start)
		sealed := r.Seal("test", []byte("hello"))

		audited := 0
		now := start.Add(time.Minute)
		record := func(q db.Querier, made []jose.KeyInfo) error { audited = len(made); return nil }
		if _, err := r.Rotate(t.Context(), jose.Rotation{Record: record}, now); err != nil {
			t.Fatal(err)
		}
		if audited != 3 {
			t.Errorf("the record was given %d keys", audited)
		}
		reload := func(now time.Time) {
			t.Helper()
			for _, ring := range []*jose.Ring{r, node2} {
				if err := ring.Reload(t.Context(), now); err != nil {
					t.Fatal(err)
				}
			}
		}
		reload(now)
		if n := len(published(t, node2).Keys); n != 4 {
			t.Errorf("%d keys are published at once, want 4", n)
		}
		if kid(t, sign(t, r, jose.ES256, now)) != kid(t, before) {
			t.Error("a new key signs before caches can know it")
		}
		now = now.Add(jose.LeadTime)
		reload(now)
		after := sign(t, r, jose.ES256, now)
		if kid(t, after) == kid(t, before) {
			t.Error("the new key does not sign after the lead time")
		}
		for _, ring := range []*jose.Ring{r, node2} {
			for _, token := range []string{before, after} {
				if _, err := ring.VerifyExpired(token); err != nil {
					t.Error(err)
				}
			}
			if plain, err := ring.Open("test", sealed); err != nil || string(plain) != "hello" {
				t.Errorf("sealed by the old key: %q %v", plain, err)
			}
		}
		if bytes.Equal(r.Seal("test", nil)[:9], sealed[:9]) {
			t.Error("the retired key still seals")
		}

		retired := now
		now = retired.Add(jose.KeptSigning)
		reload(now)
		if _, err := r.VerifyExpired(before); problem.CodeOf(err) != "tokenBroken" {
			t.Errorf("after KeptSigning: %v", err)
		}
		reload(retired.Add(43200*time.Minute - time.Millisecond))
		if _, err := r.Open("test", sealed); err != nil {
			t.Errorf("PK-112, just before 43200 minutes: %v", err)
		}
		now = retired.Add(43200*time.Minute + time.Millisecond)
		reload(now)
		if _, err := r.Open("test", sealed); problem.CodeOf(err) != "sealBroken" {
			t.Errorf("after 43200 minutes: %v", err)
		}
		var n int64
		if err := d.Write(t.Context(), func(q db.Querier) (err error) { n, err = jose.DeleteForgotten(t.Context(), q, now); return err }); err != nil || n != 3 {
			t.Errorf("forgotten: %d %v", n, err)
		}
		reload(now)
		if len(r.Keys()) != 3 {
			t.Errorf("keys left: %+v", r.Keys())
		}
	})
}

func TestRotateImmediately_regression(t *testing.T) {
	r := open(t, sqlite(t), master(t))
	stolen, sealed := sign(t, r, jose.RS256, start), r.Seal("test", []byte("x"))
	old := kid(t, stolen)
	ok := func(db.Querier, []jose.KeyInfo) error { return nil }
	if _, err := r.Rotate(t.Context(), jose.Rotation{Record: ok}, start); err != nil { // waits for its start
		t.Fatal(err)
	}
	made, err := r.Rotate(t.Context(), jose.Rotation{Immediately: true, Record: ok}, start.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	// Whoever stole the old key signs nothing that counts any more.
	if _, err := r.Verify(stolen, start.Add(time.Second)); err == nil {
		t.Error("a token of the old key is still good")
	}
	if strings.Contains(string(r.JWKS()), old) {
		t.Error("the old key is still published")
	}
	if _, err := r.Open("test", sealed); err != nil {
		t.Errorf("what was sealed before: %v", err)
	}
	for _, at := range []time.Duration{time.Second, time.Hour} { // the waiting key never comes
		got := kid(t, sign(t, r, jose.RS256, start.Add(at)))
		if got == old || !slices.ContainsFunc(made, func(k jose.KeyInfo) bool { return k.ID == got }) {
			t.Errorf("after %s %s signs", at, got)
		}
	}
}

func TestRotateIsUndoneWithItsRecord(t *testing.T) {
	r := open(t, sqlite(t), master(t))
	broken := errors.New("no audit")
	if _, err := r.Rotate(t.Context(), jose.Rotation{Record: func(db.Querier, []jose.KeyInfo) error { return broken }}, start); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := r.Rotate(t.Context(), jose.Rotation{}, start); err == nil {
		t.Error("a rotation without a record is accepted")
	}
	if err := r.Reload(t.Context(), start); err != nil || len(r.Keys()) != 3 {
		t.Errorf("%d keys, %v", len(r.Keys()), err)
	}
}

func TestNodesThatStartTogetherAgree(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := master(t)
		rings := make([]*jose.Ring, 3)
		errs := make([]error, len(rings))
		var wait sync.WaitGroup
		for i := range rings {
			wait.Go(func() { rings[i], errs[i] = jose.OpenRing(t.Context(), d, m, start) })
		}
		wait.Wait()
		for i, r := range rings {
			if errs[i] != nil || len(r.Keys()) != 3 || !bytes.Equal(r.JWKS(), rings[0].JWKS()) {
				t.Fatalf("node %d: %v", i, errs[i])
			}
		}
	})
}

func TestSealWA23(t *testing.T) {
	r := open(t, sqlite(t), master(t))
	other := open(t, sqlite(t), master(t))
	sealed := r.Seal("challenge", []byte("data"))
	if len(sealed) != len("data")+jose.Overhead {
		t.Errorf("%d bytes", len(sealed))
	}
	if bytes.Equal(sealed, r.Seal("challenge", []byte("data"))) {
		t.Error("two seals are equal")
	}
	if _, err := r.Open("authorize", sealed); problem.CodeOf(err) != "sealBroken" {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := other.Open("challenge", sealed); problem.CodeOf(err) != "sealBroken" {
		t.Errorf("another server: %v", err)
	}
	column := r.SealColumn("oath|1", []byte("secret"))
	if got, err := r.OpenColumn("oath|1", column); err != nil || string(got) != "secret" {
		t.Errorf("column: %q %v", got, err)
	}
	for _, purpose := range []string{"oath|2", "key|x"} {
		if _, err := r.OpenColumn(purpose, column); problem.CodeOf(err) != "sealBroken" {
			t.Errorf("column for %s: %v", purpose, err)
		}
	}
}

// FuzzOpen: what was not sealed here does not open, however close it is.
func FuzzOpen(f *testing.F) {
	r := open(f, sqlite(f), master(f))
	sealed := r.Seal("p", []byte("data"))
	f.Add(sealed, 0)
	f.Add(sealed, len(sealed)-1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, b []byte, flip int) {
		if bytes.Equal(b, sealed) { // change one bit of the real thing
			b = slices.Clone(b)
			b[((flip%len(b))+len(b))%len(b)] ^= 1
		}
		if plain, err := r.Open("p", b); err == nil {
			t.Fatalf("%x opened to %q", b, plain)
		}
	})
}

// FuzzVerify: nothing verifies but claims that were signed. (The token need not
// be the same text: of an ECDSA signature there are two.)
func FuzzVerify(f *testing.F) {
	r := open(f, sqlite(f), master(f))
	token := sign(f, r, jose.ES256, start)
	f.Add(token)
	f.Add(token[:len(token)-1])
	f.Add("a.b.c")
	want, err := r.Verify(token, start)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := r.Verify(s, start); err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%q verified", s)
		}
	})
}

func BenchmarkSignES256(b *testing.B) {
	r := open(b, sqlite(b), master(b))
	for b.Loop() {
		sign(b, r, jose.ES256, start)
	}
}
