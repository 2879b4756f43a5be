package mds

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cardea/internal/mds/mdstest"
	"cardea/internal/problem"
)

func TestVerifyAccepts(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256"} {
		t.Run("WA-50 "+alg, func(t *testing.T) {
			a := authority(t, mdstest.Config{Algorithm: alg})
			blob := must(a.SignBLOB(41, mdstest.SecurityKey(keyA, "Key A", testRoot(t, "A"))))(t)
			m, warnings, err := Verify(blob, a.Roots(), today, 40)
			if err != nil || len(warnings) != 0 {
				t.Fatalf("error %v, warnings %v", err, warnings)
			}
			if m.Number != 41 || m.Len() != 1 || m.Lookup(id(keyA)) == nil || !m.VerifiedAt.Equal(today) {
				t.Errorf("got %+v", m)
			}
			if m.RootName == "" || m.Root == [32]byte{} {
				t.Error("WA-63: the root used is not named")
			}
			// A text editor's last line break does no harm.
			if _, _, err := Verify(append(blob, "\r\n"...), a.Roots(), today, 40); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestVerifyRefuses is the table of the specification §4.2 and row 14 of §6.4.
func TestVerifyRefuses(t *testing.T) {
	a := authority(t, mdstest.Config{})
	rs := authority(t, mdstest.Config{Algorithm: "RS256"})
	stranger := authority(t, mdstest.Config{})
	otherHost := authority(t, mdstest.Config{Host: "www.fidoalliance.org"})
	wildcard := authority(t, mdstest.Config{Host: "*.fidoalliance.org"})
	shortLived := authority(t, mdstest.Config{LeafLife: time.Hour})
	payload := must(mdstest.Payload(5, today.AddDate(0, 1, 0), mdstest.SecurityKey(keyA, "Key A")))(t)
	good := must(a.Sign(nil, payload))(t)
	parts := strings.Split(string(good), ".")
	b64 := base64.RawURLEncoding.EncodeToString
	sign := func(header map[string]any, payload string) []byte {
		return must(a.Sign(header, []byte(payload)))(t)
	}
	join := func(p ...string) []byte { return []byte(strings.Join(p, ".")) }
	// Another letter of base64url: the form stays right, what it says does not.
	flip := func(b []byte, at int) []byte {
		c := slices.Clone(b)
		if c[at] = 'A'; b[at] == 'A' {
			c[at] = 'B'
		}
		return c
	}

	for _, row := range []struct {
		name  string
		blob  []byte
		roots []*x509.Certificate
		now   time.Time
		last  int64
		code  string
	}{
		{name: "WA-50 empty", blob: nil, code: CodeMalformed},
		{name: "WA-50 larger than 32 MB", blob: bytes.Repeat([]byte("a"), MaxBLOB+1), code: CodeMalformed},
		{name: "WA-50 two parts", blob: join(parts[0], parts[1]), code: CodeMalformed},
		{name: "WA-50 four parts", blob: join(parts[0], parts[1], parts[2], "x"), code: CodeMalformed},
		{name: "WA-50 no signature", blob: join(parts[0], parts[1], ""), code: CodeMalformed},
		{name: "WA-50 padding in a part", blob: join(parts[0], parts[1], parts[2]+"=="), code: CodeMalformed},
		{name: "WA-50 line break in a part", blob: join(parts[0], parts[1][:9]+"\n"+parts[1][9:], parts[2]), code: CodeMalformed},
		{name: "WA-50 header not JSON", blob: join(b64([]byte("hello")), parts[1], parts[2]), code: CodeMalformed},
		{name: "WA-50 alg none", blob: sign(map[string]any{"alg": "none"}, string(payload)), code: CodeMalformed},
		{name: "WA-50 alg HS256", blob: sign(map[string]any{"alg": "HS256"}, string(payload)), code: CodeMalformed},
		{name: "WA-50 alg ES384", blob: sign(map[string]any{"alg": "ES384"}, string(payload)), code: CodeMalformed},
		{name: "WA-50 alg missing", blob: sign(map[string]any{"alg": nil}, string(payload)), code: CodeMalformed},
		{name: "WA-50 x5u", blob: sign(map[string]any{"x5u": "https://mds.fidoalliance.org/chain.pem"}, string(payload)), code: CodeMalformed},
		{name: "WA-50 x5u instead of x5c", blob: sign(map[string]any{"x5u": "https://mds.fidoalliance.org/chain.pem", "x5c": nil}, string(payload)), code: CodeMalformed},
		{name: "WA-50 jwk", blob: sign(map[string]any{"jwk": map[string]any{"kty": "EC"}}, string(payload)), code: CodeMalformed},
		{name: "WA-50 critical extension", blob: sign(map[string]any{"crit": []string{"b64"}}, string(payload)), code: CodeMalformed},
		{name: "WA-50 no x5c", blob: sign(map[string]any{"x5c": nil}, string(payload)), code: CodeMalformed},
		{name: "WA-50 seventeen certificates", blob: sign(map[string]any{"x5c": slices.Repeat(mdstest.X5C(a.Leaf), 17)}, string(payload)), code: CodeMalformed},
		{name: "WA-50 x5c not base64", blob: sign(map[string]any{"x5c": []string{"!"}}, string(payload)), code: CodeMalformed},
		{name: "WA-50 leaf does not parse", blob: sign(map[string]any{"x5c": []string{"AAAA"}}, string(payload)), code: CodeMalformed},
		{name: "WA-50 payload too deep", blob: sign(nil, strings.Repeat("[", 40)+strings.Repeat("]", 40)), code: CodeMalformed},
		{name: "WA-50 payload with too many values", blob: sign(nil, "["+strings.Repeat("0,", maxValues)+"0]"), code: CodeMalformed},
		{name: "WA-50 payload cut off", blob: sign(nil, string(payload[:len(payload)-1])), code: CodeMalformed},
		{name: "WA-50 payload not JSON", blob: sign(nil, `{"no": nothing}`), code: CodeMalformed},
		{name: "WA-50 no number", blob: sign(nil, `{"nextUpdate":"2026-10-01","entries":[]}`), code: CodeMalformed},
		{name: "WA-50 number is text", blob: sign(nil, `{"no":"5","nextUpdate":"2026-10-01","entries":[]}`), code: CodeMalformed},
		{name: "WA-50 number is a fraction", blob: sign(nil, `{"no":5.5,"nextUpdate":"2026-10-01","entries":[]}`), code: CodeMalformed},
		{name: "WA-50 negative number", blob: sign(nil, `{"no":-5,"nextUpdate":"2026-10-01","entries":[]}`), code: CodeMalformed},
		{name: "WA-50 no next update", blob: sign(nil, `{"no":5,"entries":[]}`), code: CodeMalformed},

		{name: "WA-51 stranger's root", blob: must(stranger.Sign(nil, payload))(t), code: CodeUntrusted},
		{name: "WA-51 no roots at all", blob: good, roots: []*x509.Certificate{}, code: CodeUntrusted},
		{name: "WA-51 intermediate missing", blob: sign(map[string]any{"x5c": mdstest.X5C(a.Leaf)}, string(payload)), code: CodeUntrusted},
		{name: "WA-51 root of the sender in x5c", blob: must(stranger.Sign(map[string]any{"x5c": mdstest.X5C(stranger.Leaf, stranger.Intermediate, stranger.Root)}, payload))(t), code: CodeUntrusted},
		{name: "WA-51 leaf is not the first", blob: sign(map[string]any{"x5c": mdstest.X5C(a.Intermediate, a.Leaf)}, string(payload)), code: CodeUntrusted},

		{name: "WA-52 another host of the alliance", blob: must(otherHost.Sign(nil, payload))(t), roots: otherHost.Roots(), code: CodeUntrusted},
		{name: "WA-52 wildcard", blob: must(wildcard.Sign(nil, payload))(t), roots: wildcard.Roots(), code: CodeUntrusted},

		{name: "WA-53 signature changed", blob: flip(good, len(good)-20), code: CodeUntrusted},
		{name: "WA-53 payload exchanged", blob: join(parts[0], b64(bytes.Replace(payload, []byte(`"no":5`), []byte(`"no":9`), 1)), parts[2]), code: CodeUntrusted},
		{name: "WA-53 signed by another key", blob: must(stranger.Sign(map[string]any{"x5c": mdstest.X5C(a.Leaf, a.Intermediate)}, payload))(t), code: CodeUntrusted},
		{name: "WA-53 RS256 said, EC key", blob: sign(map[string]any{"alg": "RS256"}, string(payload)), code: CodeUntrusted},
		{name: "WA-53 ES256 said, RSA key", blob: must(rs.Sign(map[string]any{"alg": "ES256"}, payload))(t), roots: rs.Roots(), code: CodeUntrusted},
		{name: "WA-53 signer expired", blob: must(shortLived.Sign(nil, payload))(t), roots: shortLived.Roots(), now: today.Add(2 * time.Hour), code: CodeUntrusted},
		{name: "WA-53 signer not valid yet", blob: good, now: today.AddDate(0, 0, -3), code: CodeUntrusted},

		{name: "WA-55 older than the stored one", blob: good, last: 6, code: CodeOlder},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.roots == nil {
				row.roots = a.Roots()
			}
			if row.now.IsZero() {
				row.now = today
			}
			m, _, err := Verify(row.blob, row.roots, row.now, row.last)
			wantCode(t, err, row.code)
			if m != nil {
				t.Error("metadata beside an error")
			}
		})
	}
	if _, _, err := Verify(good, a.Roots(), today, 5); err != nil {
		t.Fatalf("the rows above prove nothing, the good one is refused: %v", err)
	}
}

func TestVerifyTriesEveryRootWA51(t *testing.T) {
	old, new := authority(t, mdstest.Config{}), authority(t, mdstest.Config{})
	cross := must(old.CrossSign(new))(t)
	payload := must(mdstest.Payload(5, today.AddDate(0, 1, 0)))(t)
	// As since August 2026: the new root's cross-signed form travels along.
	blob := must(new.Sign(map[string]any{"x5c": mdstest.X5C(new.Leaf, new.Intermediate, cross)}, payload))(t)
	for name, roots := range map[string][]*x509.Certificate{
		"new root only":      new.Roots(),
		"old root only":      old.Roots(),
		"both, new first":    {new.Root, old.Root},
		"both, old first":    {old.Root, new.Root},
		"with a strange one": {testRoot(t, "stranger"), new.Root},
	} {
		if _, _, err := Verify(blob, roots, today, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A certificate that nobody needs, and one that nobody can read.
	junk := append(mdstest.X5C(new.Leaf, new.Intermediate, testRoot(t, "unused")), "AAAA")
	if _, _, err := Verify(must(new.Sign(map[string]any{"x5c": junk}, payload))(t), new.Roots(), today, 0); err != nil {
		t.Errorf("unused certificates: %v", err)
	}
}

// TestSystemStoreIsNotUsedWA51 starts this test anew with a system store that
// holds the signer's root, and shows that only the control believes it.
func TestSystemStoreIsNotUsedWA51(t *testing.T) {
	if dir := os.Getenv("CARDEA_TEST_SYSTEM_STORE"); dir != "" {
		systemStoreChild(t, dir)
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("SSL_CERT_FILE replaces the system store on Linux")
	}
	a := authority(t, mdstest.Config{})
	dir := t.TempDir()
	store := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Root.Raw})
	for name, content := range map[string][]byte{
		"store.pem": store, "blob": must(a.SignBLOB(1))(t), "leaf": a.Leaf.Raw, "intermediate": a.Intermediate.Raw,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSystemStoreIsNotUsedWA51$", "-test.v")
	cmd.Env = append(os.Environ(), "CARDEA_TEST_SYSTEM_STORE="+dir, "SSL_CERT_FILE="+filepath.Join(dir, "store.pem"), "SSL_CERT_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("control passed")) {
		t.Fatalf("%v\n%s", err, out)
	}
}

func systemStoreChild(t *testing.T, dir string) {
	read := func(name string) []byte { return must(os.ReadFile(filepath.Join(dir, name)))(t) }
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(read("intermediate")))(t))
	leaf := must(x509.ParseCertificate(read("leaf")))(t)
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: pool, CurrentTime: today}); err != nil {
		t.Fatalf("control: the system store does not hold the root: %v", err)
	}
	t.Log("control passed")
	for _, roots := range [][]*x509.Certificate{nil, {}, {testRoot(t, "another")}} {
		_, _, err := Verify(read("blob"), roots, today, 0)
		wantCode(t, err, CodeUntrusted)
	}
}

func TestNumberWA55(t *testing.T) {
	a := authority(t, mdstest.Config{})
	blob := must(a.SignBLOB(10))(t)
	for last, code := range map[int64]string{0: "", 9: "", 10: "", 11: CodeOlder, 1 << 60: CodeOlder} {
		m, _, err := Verify(blob, a.Roots(), today, last)
		if code == "" && (err != nil || m.Number != 10) {
			t.Errorf("stored %d: %v", last, err)
		}
		if code != "" && (problem.CodeOf(err) != code || problem.KindOf(err) != problem.Conflict) {
			t.Errorf("stored %d: %v", last, err)
		}
	}
}

func TestStaleWA56(t *testing.T) {
	a := authority(t, mdstest.Config{})
	blob := must(a.Sign(nil, must(mdstest.Payload(3, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)))(t)))(t)
	for _, row := range []struct {
		now          string
		stale, alarm bool
	}{
		{"2026-09-30T12:00:00Z", false, false},
		{"2026-10-01T23:59:59Z", false, false},
		{"2026-10-02T00:00:00Z", true, false},
		{"2026-10-30T23:59:59Z", true, false},
		{"2026-10-31T00:00:00Z", true, true},
	} {
		now := must(time.Parse(time.RFC3339, row.now))(t)
		m, warnings, err := Verify(blob, a.Roots(), now, 0)
		if err != nil {
			t.Fatalf("%s: stale metadata must stay usable: %v", row.now, err)
		}
		warned := slices.ContainsFunc(warnings, func(w Warning) bool { return w.Code == WarnStale })
		if m.Stale(now) != row.stale || warned != row.stale || m.Alarm(now) != row.alarm {
			t.Errorf("%s: stale %v, warned %v, alarm %v", row.now, m.Stale(now), warned, m.Alarm(now))
		}
	}
}

func TestSkippedEntriesWA57(t *testing.T) {
	root := testRoot(t, "A")
	uaf := mdstest.Entry{"aaid": "1234#5678", "statusReports": []any{}}
	for name, row := range map[string]struct {
		bad     mdstest.Entry
		subject string
	}{
		"AAGUID does not parse":      {mdstest.SecurityKey("not-an-aaguid", "X"), "not-an-aaguid"},
		"AAGUID is zero":             {mdstest.SecurityKey("00000000-0000-0000-0000-000000000000", "X"), "00000000-0000-0000-0000-000000000000"},
		"no name at all":             {mdstest.Entry{"statusReports": []any{}}, "number 2"},
		"statement of another model": {mdstest.SecurityKey(keyB, "X").Set("aaguid", keyA), keyB},
		"date does not parse":        {mdstest.SecurityKey(keyB, "X").Report(mdstest.Status("REVOKED", "yesterday")), keyB},
		"report without status":      {mdstest.SecurityKey(keyB, "X").Report(mdstest.Status("", "")), keyB},
		"member of another type":     {mdstest.SecurityKey(keyB, "X").Set("attestationTypes", "basic_full"), keyB},
		"key identifier":             {mdstest.U2FKey("abc", "X"), "abc"},
	} {
		t.Run(name, func(t *testing.T) {
			m, warnings := parsed(t, mdstest.SecurityKey(keyA, "Good", root), row.bad, uaf)
			if m.Len() != 1 || m.Lookup(id(keyA)) == nil {
				t.Fatalf("the rest is not used: %d entries", m.Len())
			}
			if len(warnings) != 1 || warnings[0].Code != WarnEntrySkipped || warnings[0].Subject != row.subject {
				t.Errorf("warnings %+v, want one about %s", warnings, row.subject)
			}
			if !slices.Equal(m.Skipped, warnings) {
				t.Error("WA-63: skipped entries are not kept")
			}
		})
	}
}

func TestSkippedRootWA57(t *testing.T) {
	root := testRoot(t, "A")
	e := mdstest.SecurityKey(keyA, "Key").Set("attestationRootCertificates", []any{"AAAA", mdstest.X5C(root)[0]})
	m, warnings := parsed(t, e)
	got := m.Lookup(id(keyA))
	if got == nil || len(got.Roots) != 1 || !bytes.Equal(got.Roots[0], root.Raw) {
		t.Fatalf("got %+v", got)
	}
	if len(warnings) != 1 || warnings[0].Code != WarnRootSkipped || warnings[0].Subject != keyA {
		t.Errorf("warnings %+v", warnings)
	}
}

func TestSecondEntryKeepsBadNewsWA57(t *testing.T) {
	m, warnings := parsed(t,
		mdstest.SecurityKey(keyA, "First"),
		mdstest.SecurityKey(keyA, "Second").Reports(mdstest.Status("REVOKED", "2025-01-01")))
	e := m.Lookup(id(keyA))
	if m.Len() != 1 || e.Description != "First" || len(warnings) != 1 {
		t.Fatalf("%d entries, %+v, %v", m.Len(), e, warnings)
	}
	if _, bad := e.Compromised(nil, today); !bad {
		t.Error("the second entry's REVOKED is lost")
	}
}

func TestDefaultRoots(t *testing.T) {
	roots := must(DefaultRoots())(t)
	if len(roots) != 2 {
		t.Fatalf("%d roots", len(roots))
	}
	for i, want := range []struct {
		name, sha256 string
		until        int
	}{
		{"GlobalSign Root R46", "4fa3126d8d3a11d1", 2046},
		{"GlobalSign", "cbb522d7b7f127ad", 2029},
	} {
		c := roots[i]
		sum := fingerprint(c)
		if c.Subject.CommonName != want.name || !strings.HasPrefix(sum, want.sha256) || c.NotAfter.Year() != want.until || c.NotAfter.Month() != time.March {
			t.Errorf("root %d: %s, %s, until %s", i, c.Subject, sum, c.NotAfter)
		}
		if err := c.CheckSignatureFrom(c); err != nil {
			t.Errorf("root %d: %v", i, err)
		}
	}
}

func TestParseRootsRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "",
		"not PEM":       "hello",
		"a key":         "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"a broken cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if certs, err := ParseRoots([]byte(text)); err == nil {
			t.Errorf("%s: %d certificates", name, len(certs))
		}
	}
}
