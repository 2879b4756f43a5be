package cardeatest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
)

const testOrigin = "https://id.example.com"

func creationOptions(algorithms ...int64) []byte {
	params := ""
	for i, a := range algorithms {
		if i > 0 {
			params += ","
		}
		params += fmt.Sprintf(`{"type":"public-key","alg":%d}`, a)
	}
	return []byte(`{"rp":{"id":"id.example.com"},"user":{"id":"YW5uYQ","name":"anna"},"challenge":"AAAA","pubKeyCredParams":[` + params + `]}`)
}

type answer struct {
	ID       string
	Response struct{ ClientDataJSON, AuthenticatorData, UserHandle string }
}

func read(t *testing.T, body []byte, err error) answer {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

func TestAuthenticatorKeepsPasskeys(t *testing.T) {
	a := NewAuthenticator()
	first := read2(t, a, creationOptions(RS256, ES256))
	second := read2(t, a, creationOptions(ES256))
	if len(a.Passkeys()) != 2 || a.Passkeys()[0].Algorithm != ES256 || string(a.Passkeys()[0].UserHandle) != "anna" || a.Passkeys()[0].UserName != "anna" {
		t.Fatalf("%+v", a.Passkeys())
	}
	get := func(a *Authenticator, options string) answer {
		body, err := a.Get([]byte(options), testOrigin)
		return read(t, body, err)
	}
	const discoverable = `{"challenge":"AAAA","rpId":"id.example.com"}`
	if got := get(a, discoverable); got.ID != second.ID || got.Response.UserHandle != "YW5uYQ" {
		t.Errorf("not the newest: %+v", got)
	}
	if got := get(a, `{"publicKey":{"challenge":"AAAA","rpId":"id.example.com","allowCredentials":[{"type":"public-key","id":"`+first.ID+`"}]}}`); got.ID != first.ID {
		t.Errorf("not the one of the allow list: %+v", got)
	}
	for _, options := range []string{
		`{"challenge":"AAAA","rpId":"other.example.com"}`,
		`{"challenge":"AAAA","rpId":"id.example.com","allowCredentials":[{"type":"public-key","id":"YQ"}]}`,
	} {
		if _, err := a.Get([]byte(options), testOrigin); !errors.Is(err, ErrNoPasskey) {
			t.Errorf("%s: %v", options, err)
		}
	}
	exclude := bytes.Replace(creationOptions(ES256), []byte(`"challenge"`), []byte(`"excludeCredentials":[{"id":"`+first.ID+`"}],"challenge"`), 1)
	if _, err := a.Create(exclude, testOrigin); !errors.Is(err, ErrExcluded) {
		t.Errorf("excluded: %v", err)
	}
	b := a.Clone()
	id, _ := base64.RawURLEncoding.DecodeString(second.ID)
	b.Forget(id)
	if got := get(b, discoverable); got.ID != first.ID {
		t.Errorf("forgotten and yet used: %+v", got)
	}
	if got := get(a, discoverable); got.ID != second.ID {
		t.Errorf("the first device forgot too: %+v", got)
	}
}

func read2(t *testing.T, a *Authenticator, options []byte) answer {
	t.Helper()
	body, err := a.Create(options, testOrigin)
	return read(t, body, err)
}

func TestAuthenticatorRefusesWhatItCannot(t *testing.T) {
	a := NewAuthenticator()
	if _, err := a.Create(creationOptions(-99), testOrigin); !errors.Is(err, ErrNoAlgorithm) {
		t.Error(err)
	}
	for _, bad := range []string{"", "{}", "[]"} {
		if _, err := a.Get([]byte(bad), testOrigin); !errors.Is(err, ErrOptions) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The counters of one device are its own, and no two ceremonies get one value.
func TestAuthenticatorCounter(t *testing.T) {
	a := NewAuthenticator(SecurityKey([16]byte{1}))
	read2(t, a, creationOptions(ES256))
	b := a.Clone()
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			body, err := a.Get([]byte(`{"challenge":"AAAA","rpId":"id.example.com"}`), testOrigin)
			var got answer
			if err != nil || json.Unmarshal(body, &got) != nil {
				t.Error(err)
				return
			}
			data, _ := base64.RawURLEncoding.DecodeString(got.Response.AuthenticatorData)
			mu.Lock()
			seen[string(data[33:37])]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(seen) != 20 || seen["\x00\x00\x00\x15"] != 1 {
		t.Errorf("%x", seen)
	}
	body, err := b.Get([]byte(`{"challenge":"AAAA","rpId":"id.example.com"}`), testOrigin)
	data, _ := base64.RawURLEncoding.DecodeString(read(t, body, err).Response.AuthenticatorData)
	if !bytes.Equal(data[33:37], []byte{0, 0, 0, 2}) {
		t.Errorf("the clone counts %x", data[33:37])
	}
}
