package session_test

import (
	"encoding/base64"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/problem"
	"cardea/internal/session"
)

func ring(t testing.TB) *jose.Ring {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{DSN: filepath.Join(t.TempDir(), "test.db"), Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	m, err := jose.LoadMaster(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := jose.OpenRing(t.Context(), d, m, begin)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sample() session.Flow {
	return session.Flow{At: begin, AppID: appID, AppName: "Wiki", RedirectURI: redirect, ResponseMode: "fragment", State: "a+b%20\x00\xff=", HasState: true,
		Nonce: "n", Scope: "openid User.Read", Challenge: challenge(verifier), LoginHint: "ada@example.com", HintUserID: "u", Prompt: "login",
		MaxAge: -1, ACR: []string{"phr", "mfa"}, ACREssential: true, ClientInfo: true, CorrelationID: "c"}
}

func TestFlow(t *testing.T) {
	r := ring(t)
	text := session.SealFlow(r, sample())
	if got, err := session.OpenFlow(r, text, begin.Add(session.FlowLife)); err != nil || !reflect.DeepEqual(got, sample()) {
		t.Fatalf("%+v %v", got, err)
	}
	if got, err := session.OpenFlow(r, "", begin); err != nil || got.AppID != "" {
		t.Errorf("no flow: %+v %v", got, err)
	}
	back := session.SealReturn(r, "Wiki", redirect, begin)
	if name, uri, err := session.OpenReturn(r, back, begin); err != nil || name != "Wiki" || uri != redirect {
		t.Errorf("return: %q %q %v", name, uri, err)
	}
	for _, c := range []struct {
		name, text, code string
		at               time.Time
	}{
		{"too old", text, "flowExpired", begin.Add(session.FlowLife + time.Millisecond)},
		{"for another purpose", back, "flowBroken", begin},
		{"cut off", text[:len(text)-1], "flowBroken", begin},
		{"garbage", "!", "flowBroken", begin},
		{"too long", strings.Repeat("A", 25<<10), "flowBroken", begin},
		{"sealed garbage", base64.RawURLEncoding.EncodeToString(r.Seal("authorize", []byte{1, 2, 3})), "flowBroken", begin},
	} {
		if _, err := session.OpenFlow(r, c.text, c.at); problem.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
}

// FuzzFlow: whatever bytes are in it, a flow comes back as it went, and no
// sealed bytes crash the reader.
func FuzzFlow(f *testing.F) {
	r := ring(f)
	f.Add("state", int64(5), []byte{1, 0})
	f.Add("\xff\x00", int64(-1), []byte("\x01\x0f\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, state string, age int64, raw []byte) {
		if len(state) > 8000 {
			return
		}
		in := sample()
		in.State, in.MaxAge = state, age
		out, err := session.OpenFlow(r, session.SealFlow(r, in), begin)
		if err != nil || !reflect.DeepEqual(in, out) {
			t.Fatalf("%+v became %+v (%v)", in, out, err)
		}
		session.OpenFlow(r, base64.RawURLEncoding.EncodeToString(r.Seal("authorize", raw)), begin)
	})
}

func TestProved(t *testing.T) {
	for _, c := range []struct {
		methods []string
		life    time.Duration
		want    bool
	}{
		{[]string{session.MethodPasskey, session.MethodMFA}, time.Hour, true},
		{[]string{session.MethodPassword}, time.Hour, true},
		{[]string{session.MethodAccessPass, session.MethodMFA}, time.Hour, true},
		{[]string{session.MethodAccessPass, session.MethodMFA}, 10 * time.Minute, false}, // a pass that works once (PK-153)
		{[]string{session.MethodLink}, time.Hour, false},
		{[]string{session.MethodLink, session.MethodMFA, session.MethodHardware}, time.Hour, false},
		{nil, time.Hour, false},
	} {
		s := session.Session{Methods: c.methods, CreatedAt: begin, ExpiresAt: begin.Add(c.life)}
		if s.Proved() != c.want {
			t.Errorf("%v: %v", c.methods, s.Proved())
		}
	}
}
