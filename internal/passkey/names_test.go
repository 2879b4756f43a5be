package passkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"cardea/internal/problem"

	"pgregory.net/rapid"
)

func TestUserHandle_PK102(t *testing.T) {
	const tenant, user = "01020304-0506-0708-090a-0b0c0d0e0f10", "11121314-1516-1718-191A-1B1C1D1E1F20"
	got, err := UserHandle(tenant, user)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := hex.DecodeString("1112131415161718191a1b1c1d1e1f20")
	sum := sha256.Sum256(raw)
	want := append([]byte("OF:\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"), sum[:]...)
	if !bytes.Equal(got, want) || len(got) != 51 {
		t.Errorf("%x, want %x", got, want)
	}
	if j := base64.URLEncoding.EncodeToString(got); !strings.HasPrefix(j, "T0Y6") || strings.Contains(j, "=") {
		t.Errorf("on the wire %s", j)
	}
	for _, bad := range [][2]string{{"", user}, {tenant, ""}, {tenant, "ada@contoso.com"}, {tenant, user + "0"}} {
		if h, err := UserHandle(bad[0], bad[1]); err == nil || h != nil {
			t.Errorf("%q: %x", bad, h)
		}
	}
}

func TestMethodID_PK125(t *testing.T) {
	for _, tt := range []struct{ bytes, length, digit int }{{16, 22, 2}, {32, 43, 1}, {48, 64, 0}} {
		id := MethodID(bytes.Repeat([]byte{0xfb}, tt.bytes))
		if len(id) != tt.length+1 || int(id[tt.length]-'0') != tt.digit {
			t.Errorf("%d bytes: %s", tt.bytes, id)
		}
	}
	const example = "-2_GRUg2-HYz6_1YG4YRAQ2"
	ids := CredentialIDs(example)
	if len(ids) == 0 || len(ids[0]) != 16 || MethodID(ids[0]) != example {
		t.Errorf("%x", ids)
	}
}

// TestCredentialIDs_PK126: the full id first, then the bare credential id; and
// never one id for two spellings.
func TestCredentialIDs_PK126(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cred := rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "credential id")
		full := CredentialIDs(MethodID(cred))
		if len(full) == 0 || !bytes.Equal(full[0], cred) {
			t.Fatalf("%s means %x", MethodID(cred), full)
		}
		bare := base64.RawURLEncoding.EncodeToString(cred)
		found := false
		for _, id := range CredentialIDs(bare) {
			found = found || bytes.Equal(id, cred)
		}
		if !found {
			t.Fatalf("the bare id %s does not mean %x", bare, cred)
		}
	})
	for _, bad := range []string{"", "2", "=", "a", "AA==", "-2_GRUg2\n-HYz6_1YG4YRAQ2", "-2_GRUg2+HYz6/1YG4YRAQ2", "ü"} {
		if ids := CredentialIDs(bad); len(ids) != 0 {
			t.Errorf("%q means %x", bad, ids)
		}
	}
}

// FuzzCredentialIDs: every credential id that comes out has the text that went
// in as its method id or as its bare id.
func FuzzCredentialIDs(f *testing.F) {
	f.Add("-2_GRUg2-HYz6_1YG4YRAQ2")
	f.Add("AAAA0")
	f.Add("AA\r\nAA0")
	f.Fuzz(func(t *testing.T, text string) {
		for _, id := range CredentialIDs(text) {
			if MethodID(id) != text && base64.RawURLEncoding.EncodeToString(id) != text {
				t.Errorf("%q means %x", text, id)
			}
		}
	})
}

func TestDisplayName_PK46(t *testing.T) {
	thirty := strings.Repeat("ä", 30)
	for _, tt := range []struct {
		name, given, fallback, want string // want "" means refused
	}{
		{"given", " Blue key ", "YubiKey 5", "Blue key"},
		{"thirty", thirty, "", thirty},
		{"thirty-one", thirty + "x", "YubiKey 5", ""},
		{"two lines", "a\nb", "", ""},
		{"not text", "a\xff", "", ""},
		{"blank", "  ", "YubiKey 5", "YubiKey 5"},
		{"blank, nothing known", "", " ", "Passkey"},
		{"blank, long model", "", strings.Repeat("model", 8), strings.Repeat("model", 8)[:29] + "…"},
		{"blank, model with a line break", "", "Key\tof\nsteel", "Key of steel"},
	} {
		got, err := DisplayName(tt.given, tt.fallback)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %q %v", tt.name, got, err)
		}
		if err != nil && (problem.KindOf(err) != problem.Invalid || problem.CodeOf(err) != "badRequest") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAAGUID_PK99(t *testing.T) {
	a, ok := ParseAAGUID(strings.ToUpper(modelX))
	if !ok || a.String() != modelX {
		t.Errorf("%s %v", a, ok)
	}
	if (AAGUID{}).String() != zero || !(AAGUID{}).IsZero() || a.IsZero() {
		t.Error("zero")
	}
	for _, bad := range []string{"", "{" + modelX + "}", strings.ReplaceAll(modelX, "-", ""), modelX[:35], modelX[:35] + "g", modelX + "0", strings.Replace(modelX, "-", "0", 1)} {
		if got, ok := ParseAAGUID(bad); ok || !got.IsZero() {
			t.Errorf("%q gives %s", bad, got)
		}
	}
}
