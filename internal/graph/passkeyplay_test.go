package graph

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"cardea/internal/cardeatest"
)

// playedKeys lets conversations register passkeys. {new.id},
// {new.clientDataJSON} and {new.attestationObject} in a body are what a new
// security key answers to the creation options of the last answer that had any;
// {new.standard.clientDataJSON} and so on are the same in standard base64. In
// what follows {key1}, {key2}, … are the ids of these passkeys as methods, and
// {key1.bare} their credential ids.
type playedKeys struct {
	t       *testing.T
	options json.RawMessage
	names   map[string]string // placeholder → id
	order   []string          // ids, the longer of two that begin alike first
}

var yubiKey5NFC = [16]byte{0x2f, 0xc0, 0x57, 0x9f, 0x81, 0x13, 0x47, 0xea, 0xb1, 0x16, 0xbb, 0x5a, 0x8d, 0xb9, 0x20, 0x2a}

// listen remembers the creation options of an answer.
func (k *playedKeys) listen(body []byte) {
	var o struct {
		PublicKey json.RawMessage `json:"publicKey"`
	}
	if json.Unmarshal(body, &o) == nil && o.PublicKey != nil {
		k.options = o.PublicKey
	}
}

// fill puts ids and what a new key answers in their places.
func (k *playedKeys) fill(text string) string {
	for name, id := range k.names {
		text = strings.ReplaceAll(text, name, id)
	}
	if !strings.Contains(text, "{new.") {
		return text
	}
	c := made(k.t, cardeatest.NewAuthenticator(cardeatest.SecurityKey(yubiKey5NFC)), k.options, "https://id.contoso.test")
	name := fmt.Sprintf("{key%d}", len(k.order)/2+1)
	if k.names == nil {
		k.names = map[string]string{}
	}
	k.names[name], k.names[strings.TrimSuffix(name, "}")+".bare}"] = urlToken(c.id), bare(c.id)
	k.order = append(k.order, name, strings.TrimSuffix(name, "}")+".bare}")
	return strings.NewReplacer(
		"{new.id}", bare(c.id), "{new.clientDataJSON}", bare(c.clientData), "{new.attestationObject}", bare(c.object),
		"{new.standard.id}", standard(c.id), "{new.standard.clientDataJSON}", standard(c.clientData), "{new.standard.attestationObject}", standard(c.object),
	).Replace(text)
}

var (
	challenge  = regexp.MustCompile(`"challenge": "[A-Za-z0-9]+"`)
	userHandle = regexp.MustCompile(`"id": "[A-Za-z0-9_-]{68}"`)
)

// hide names the ids in an answer, and leaves out what differs each time.
func (k *playedKeys) hide(text string) string {
	for _, name := range k.order {
		text = strings.ReplaceAll(text, `"`+k.names[name]+`"`, `"`+name+`"`)
	}
	return userHandle.ReplaceAllString(challenge.ReplaceAllString(text, `"challenge": "…"`), `"id": "…"`)
}
