package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"cardea/internal/ctap"
)

// securityKeys makes passkeys on security keys that a person plugs in, one
// after another. The PIN is the same for all: it lives in memory only, and
// with force each key asks its owner for a new one before its first use.
type securityKeys struct {
	*call
	device, pin string
	force       bool

	key  *ctap.Key // of the passkey that is being registered
	path string    // where it is plugged in
}

func (k *securityKeys) Check(*manyRow) error     { return nil }
func (k *securityKeys) Parallel(int) (int, bool) { return 1, true }
func (k *securityKeys) Close() error             { return k.pullOut() }

// creation is what a key needs of WebAuthn's creation options.
type creation struct {
	RP        struct{ ID, Name string }
	User      struct{ ID, Name, DisplayName string }
	Challenge string
	Params    []struct{ Alg int64 } `json:"pubKeyCredParams"`
	Exclude   []struct{ ID string } `json:"excludeCredentials"`
}

// Create waits for a key, sets its PIN if it has none, and makes the passkey.
func (k *securityKeys) Create(ctx context.Context, o order) (made, error) {
	var c creation
	if err := json.Unmarshal(o.Options, &c); err != nil {
		return made{}, err
	}
	clientData, err := json.Marshal(struct {
		Type        string `json:"type"`
		Challenge   string `json:"challenge"`
		Origin      string `json:"origin"`
		CrossOrigin bool   `json:"crossOrigin"`
	}{"webauthn.create", c.Challenge, o.Origin, false})
	if err != nil {
		return made{}, err
	}
	r := ctap.Request{ClientData: clientData, RPID: c.RP.ID, RPName: c.RP.Name, UserName: c.User.Name, UserShown: c.User.DisplayName, Protect: 2}
	if r.UserID, err = base64.RawURLEncoding.DecodeString(c.User.ID); err != nil {
		return made{}, err
	}
	for _, p := range c.Params {
		r.Algorithms = append(r.Algorithms, p.Alg)
	}
	for _, x := range c.Exclude {
		id, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(x.ID, "="))
		if err != nil {
			return made{}, err
		}
		r.Exclude = append(r.Exclude, id)
	}
	who := o.Row.User
	if o.Row.Serial != "" {
		who += ", serial " + o.Row.Serial
	}
	if err := k.plugIn(ctx, who); err != nil {
		return made{}, err
	}
	id, object, err := k.prepare(ctx, r)
	if err != nil {
		return made{}, errors.Join(err, k.pullOut())
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return made{b64(id), map[string]any{"id": b64(id), "type": "public-key",
		"response": map[string]any{"clientDataJSON": b64(clientData), "attestationObject": b64(object), "transports": k.key.Info().Transports}}}, nil
}

func (k *securityKeys) prepare(ctx context.Context, r ctap.Request) (id, object []byte, err error) {
	if k.force && !k.key.Info().CanForcePINChange() {
		return nil, nil, errors.New("this key cannot be told to ask for a new PIN; use another, or leave --force-pin-change out")
	}
	if !k.key.Info().HasPIN() {
		if err := k.key.SetPIN(ctx, k.pin); err != nil {
			return nil, nil, err
		}
	}
	if err := k.key.Unlock(ctx, k.pin, r.RPID); err != nil {
		return nil, nil, err
	}
	return k.key.MakeCredential(ctx, r)
}

// plugIn waits until one key is there.
func (k *securityKeys) plugIn(ctx context.Context, who string) error {
	k.say("Plug in the key for %s.", who)
	for {
		path := k.device
		if path == "" {
			found, err := ctap.Devices()
			if err != nil {
				return awayError{err}
			}
			if len(found) == 1 {
				path = found[0].Path
			} else if len(found) > 1 {
				k.say("There are %d keys. Leave one in.", len(found))
			}
		}
		if path != "" {
			d, err := ctap.Open(ctx, path)
			if err != nil {
				return awayError{err}
			}
			k.path = path
			k.key, err = ctap.New(ctx, d, func() { k.say("Touch the key.") })
			return err
		}
		if err := wait(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
}

// Settle finishes the key: its owner will have to choose a new PIN. A refused
// passkey stays on the key, where it opens nothing.
func (k *securityKeys) Settle(ctx context.Context, c made, err error) error {
	defer k.pullOut()
	if err != nil {
		k.say("The server refused the passkey. It stays on the key, of no use; reset the key before you use it for somebody else.")
		return nil
	}
	if k.force {
		if err := k.key.ForcePINChange(ctx); err != nil {
			return fmt.Errorf("the passkey is registered, but the key will not ask for a new PIN: %w", err)
		}
	}
	if k.device == "" { // the next key is another one
		k.say("Done. Pull it out.")
		for {
			found, err := ctap.Devices()
			if err != nil || len(found) == 0 {
				return err
			}
			if err := wait(ctx, 300*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *securityKeys) pullOut() error {
	if k.key == nil {
		return nil
	}
	err := k.key.Close()
	k.key = nil
	return err
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keyPIN reads the PIN for new keys: from CARDEA_KEY_PIN or the terminal, never
// from a flag or a file beside the list.
func (x *call) keyPIN() (string, error) {
	pin := os.Getenv("CARDEA_KEY_PIN")
	if f, ok := x.in.(*os.File); pin == "" && ok && !x.noInput && isTerminal(f) {
		fmt.Fprint(x.err, "PIN of the keys, set where there is none: ")
		raw, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(x.err)
		if err != nil {
			return "", err
		}
		pin = string(raw)
	}
	if pin == "" {
		return "", usage{errors.New("a PIN is needed: set CARDEA_KEY_PIN, or run it at a terminal")}
	}
	return pin, nil
}
