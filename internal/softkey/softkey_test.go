package softkey_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"cardea/internal/softkey"
	"cardea/internal/webauthn"
)

var now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

var site = webauthn.RelyingParty{ID: "id.contoso.test", Name: "Contoso", Origins: []string{"https://id.contoso.test"}}

func options(t *testing.T, challenge string) ([]byte, webauthn.Ceremony) {
	t.Helper()
	c := webauthn.Ceremony{Purpose: webauthn.ProvisionPurpose, Challenge: []byte(challenge), UserHandle: []byte("ada's handle"), Expires: now.Add(time.Minute)}
	o, err := webauthn.CreationOptions(site, c, webauthn.User{Handle: c.UserHandle, Name: "ada@contoso.test", DisplayName: "Ada"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o, c
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestKeyRegistersAndSignsIn: the server's own checks take the registration,
// twice with newer options; the exported key signs in; and nobody takes it for
// a device-bound key.
func TestKeyRegistersAndSignsIn(t *testing.T) {
	first, _ := options(t, "a challenge of 16+ bytes")
	key, err := softkey.New(first, now)
	if err != nil {
		t.Fatal(err)
	}
	var facts webauthn.Facts
	for _, challenge := range []string{"a challenge of 16+ bytes", "another one of 16+ bytes"} {
		o, ceremony := options(t, challenge)
		c, err := key.Attest(fmt.Appendf(nil, `{"publicKey":%s}`, o), "https://id.contoso.test")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		response, err := webauthn.ParseRegistration(raw)
		if err != nil {
			t.Fatal(err)
		}
		if facts, err = webauthn.Register(site, ceremony, response, now); err != nil {
			t.Fatal(err)
		}
		if facts.Attestation.Format != "packed" || facts.Attestation.Problem != "" || !facts.BackupEligible || !facts.BackupState || !bytes.Equal(facts.CredentialID, key.ID) {
			t.Errorf("facts: %+v", facts)
		}
		if id := fmt.Sprintf("%x", facts.AAGUID[:]); id != string(bytes.ReplaceAll([]byte(softkey.AAGUID), []byte("-"), nil)) {
			t.Errorf("AAGUID %s", id)
		}
	}
	d := key.WebDriver()
	any, err := x509.ParsePKCS8PrivateKey(decode(t, d.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	clientData := []byte(`{"type":"webauthn.get","challenge":"` + base64.RawURLEncoding.EncodeToString([]byte("sign in, 16 bytes or more")) + `","origin":"https://id.contoso.test"}`)
	rp := sha256.Sum256([]byte(d.RPID))
	authData := append(rp[:], 0x1d, 0, 0, 0, 0)
	hash := sha256.Sum256(clientData)
	digest := sha256.Sum256(slices.Concat(authData, hash[:]))
	sig, err := ecdsa.SignASN1(rand.Reader, any.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	_, err = webauthn.SignIn(site, webauthn.Ceremony{Purpose: webauthn.SignInPurpose, Challenge: []byte("sign in, 16 bytes or more"), Expires: now.Add(time.Minute)},
		webauthn.Record{CredentialID: facts.CredentialID, Algorithm: facts.Algorithm, UserHandle: []byte("ada's handle"), PublicKey: facts.PublicKey, BackupEligible: true, BackupState: true},
		webauthn.Response{CredentialID: decode(t, d.CredentialID), ClientDataJSON: clientData, AuthenticatorData: authData, Signature: sig, UserHandle: decode(t, d.UserHandle)}, now)
	if err != nil {
		t.Errorf("the exported key does not sign in: %v", err)
	}
	other, _ := options(t, "a challenge of 16+ bytes")
	if _, err := key.Attest(bytes.ReplaceAll(other, []byte("id.contoso.test"), []byte("id.fabrikam.test")), "https://id.fabrikam.test"); err == nil {
		t.Error("the key registers at another site")
	}
	for _, bad := range []string{"", "{}", `{"challenge":"x"}`, `{"challenge":"x","rp":{"id":"a"},"user":{"id":"eA"},"pubKeyCredParams":[{"alg":-257}]}`, `{"challenge":"x","rp":{"id":"a"},"user":{"id":"?"},"pubKeyCredParams":[{"alg":-7}]}`} {
		if _, err := softkey.New([]byte(bad), now); err == nil {
			t.Errorf("%q makes a key", bad)
		}
	}
}

var cheap = softkey.Cost{Time: 1, Memory: 64, Threads: 1}

func file(t testing.TB, passphrase string, names ...string) (text []byte) {
	t.Helper()
	f, head, err := softkey.NewFile([]byte(passphrase), cheap)
	if err != nil {
		t.Fatal(err)
	}
	text = append(head, '\n')
	for i, n := range names {
		line, err := f.Seal(i, softkey.Key{ID: []byte(n), UserName: n, PKCS8: []byte("private " + n)})
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	return text
}

func read(text []byte, passphrase string) (names []string, err error) {
	err = softkey.ReadFile(text, []byte(passphrase), func(k softkey.Key) error {
		names = append(names, k.UserName)
		return nil
	})
	return names, err
}

// TestFile: what is sealed opens with the passphrase alone, in its place alone.
func TestFile(t *testing.T) {
	text := file(t, "correct horse", "ada", "grace", "joan")
	for _, secret := range []string{"ada", "private", "correct"} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the file shows %q", secret)
		}
	}
	if names, err := read(text, "correct horse"); err != nil || !slices.Equal(names, []string{"ada", "grace", "joan"}) {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := read(text, "wrong horse"); !errors.Is(err, softkey.ErrPassphrase) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	moved := slices.Concat(lines[0], lines[2], lines[1])
	if _, err := read(moved, "correct horse"); !errors.Is(err, softkey.ErrRecord) {
		t.Errorf("moved lines: %v", err)
	}
	foreign := bytes.SplitAfter(file(t, "correct horse", "eve"), []byte("\n"))
	if _, err := read(slices.Concat(lines[0], foreign[1]), "correct horse"); !errors.Is(err, softkey.ErrRecord) {
		t.Errorf("a line of another file: %v", err)
	}
	if names, err := read(text[:len(text)-4], "correct horse"); err != nil || len(names) != 2 {
		t.Errorf("a torn last line: %q, %v", names, err)
	}
	for _, greedy := range []string{`"memoryKiB":64`, `"time":1`, `"threads":1`} {
		name, _, _ := bytes.Cut([]byte(greedy), []byte(":"))
		big := bytes.Replace(text, []byte(greedy), append(name, ":4000000000"...), 1)
		if bytes.Equal(big, text) {
			t.Fatalf("the header has no %s", greedy)
		}
		if _, err := read(big, "correct horse"); !errors.Is(err, softkey.ErrFile) {
			t.Errorf("a header that asks for too much (%s): %v", greedy, err)
		}
	}
	if testing.Short() {
		return
	}
	if _, _, err := softkey.NewFile([]byte("x"), softkey.UsualCost()); err != nil {
		t.Error(err)
	}
}

// FuzzFile: no text but one that was sealed gives a key.
func FuzzFile(f *testing.F) {
	good := file(f, "p", "ada", "grace")
	f.Add(good)
	f.Add([]byte("{}\n\n"))
	f.Add([]byte(`{"format":"cardea-keyfile/1","kdf":"argon2id","time":1,"memoryKiB":64,"threads":1,"salt":"AAAAAAAAAAA="}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte(`"memoryKiB"`)) && !bytes.Contains(text, []byte(`"memoryKiB":64,`)) {
			return // within bounds, but slow
		}
		names, err := read(text, "p")
		if len(names) > 0 && !bytes.HasPrefix(text, bytes.SplitAfter(good, []byte("\n"))[0]) {
			t.Fatalf("%q gives %q (%v)", text, names, err)
		}
	})
}
