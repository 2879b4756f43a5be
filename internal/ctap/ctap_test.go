package ctap_test

import (
	"context"
	"crypto/rand"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cardea/internal/ctap"
	"cardea/internal/ctap/ctaptest"
	"cardea/internal/problem"

	"github.com/fxamacker/cbor/v2"
)

// plug serves k on a socket and opens it as the command line would.
func plug(t *testing.T, k *ctaptest.Key, touch func()) *ctap.Key {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go k.Serve(c)
		}
	}()
	d, err := ctap.Open(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ctap.New(t.Context(), d, touch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { key.Close() })
	return key
}

var request = ctap.Request{ClientData: []byte(`{"type":"webauthn.create"}`), RPID: "id.example.com", RPName: "Contoso", UserID: []byte("user-1"),
	UserName: "ada@example.com", UserShown: "Ada", Algorithms: []int64{-7, -257}, Protect: 2}

func code(t *testing.T, err error, want string) {
	t.Helper()
	if problem.CodeOf(err) != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

// TestPrepare is what provisioning does to a new key, with both PIN protocols
// and with tokens of CTAP 2.0: PIN, passkey, forced change of the PIN.
func TestPrepare(t *testing.T) {
	for name, k := range map[string]*ctaptest.Key{
		"protocol 2": {PINProtocols: []uint{2, 1}}, "protocol 1": {PINProtocols: []uint{1}}, "CTAP 2.0 tokens": {PINProtocols: []uint{1}, OldTokens: true},
	} {
		t.Run(name, func(t *testing.T) {
			k.AAGUID = [16]byte{0xfa, 0x2b, 0x99, 0xdc}
			touched := 0
			key := plug(t, k, func() { touched++ })
			if key.Info().HasPIN() || key.Info().Model() != "fa2b99dc-0000-0000-0000-000000000000" {
				t.Fatalf("a new key says %+v", key.Info())
			}
			_, _, err := key.MakeCredential(t.Context(), request)
			code(t, err, "pinRequired")
			code(t, key.Unlock(t.Context(), "123456", request.RPID), "pinNotSet")
			code(t, key.SetPIN(t.Context(), "123"), "pinLength")
			if err := key.SetPIN(t.Context(), "92630518"); err != nil {
				t.Fatal(err)
			}
			if !key.Info().HasPIN() {
				t.Fatal("the key has no PIN after SetPIN")
			}
			code(t, key.Unlock(t.Context(), "00000000", request.RPID), "pinInvalid")
			if n, err := key.Retries(t.Context()); n != 7 || err != nil {
				t.Fatalf("%d retries left, %v", n, err)
			}
			if err := key.Unlock(t.Context(), "92630518", request.RPID); err != nil {
				t.Fatal(err)
			}
			id, object, err := key.MakeCredential(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			var made struct {
				Format   string         `cbor:"fmt"`
				Stmt     map[string]any `cbor:"attStmt"`
				AuthData []byte         `cbor:"authData"`
			}
			if err := cbor.Unmarshal(object, &made); err != nil || made.Format != "packed" || made.Stmt["sig"] == nil || !slices.Equal(made.AuthData[55:87], id) {
				t.Fatalf("attestation object %+v, %v", made, err)
			}
			if touched != 1 || k.Holds() != 1 {
				t.Fatalf("touched %d times, holds %d", touched, k.Holds())
			}
			again := request
			again.Exclude = [][]byte{id}
			_, _, err = key.MakeCredential(t.Context(), again)
			code(t, err, "keyAlreadyRegistered")
			if err := key.ForcePINChange(t.Context()); err != nil && name != "CTAP 2.0 tokens" {
				t.Fatal(err)
			}
			if !k.WantsNewPIN() || !key.Info().ForcePINChange {
				t.Fatal("the key does not insist on a new PIN")
			}
			code(t, key.Unlock(t.Context(), "92630518", request.RPID), "pinPolicyViolation")
			code(t, key.ChangePIN(t.Context(), "92630518", "92630518"), "pinPolicyViolation")
			if err := key.ChangePIN(t.Context(), "92630518", "päßwörd"); err != nil {
				t.Fatal(err)
			}
			if err := key.Unlock(t.Context(), "pa\u0308ßwo\u0308rd", request.RPID); err != nil { // the same PIN, otherwise composed
				t.Fatal(err)
			}
		})
	}
}

// TestKeyRefusals: what a key says no to has a name and a way on.
func TestKeyRefusals(t *testing.T) {
	ready := func(t *testing.T, k *ctaptest.Key) *ctap.Key {
		key := plug(t, k, nil)
		if err := key.SetPIN(t.Context(), "92630518"); err != nil {
			t.Fatal(err)
		}
		if err := key.Unlock(t.Context(), "92630518", request.RPID); err != nil {
			t.Fatal(err)
		}
		return key
	}
	t.Run("full", func(t *testing.T) {
		key := ready(t, &ctaptest.Key{Room: 1})
		if _, _, err := key.MakeCredential(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		_, _, err := key.MakeCredential(t.Context(), request)
		code(t, err, "keyFull")
	})
	t.Run("algorithm", func(t *testing.T) {
		r := request
		r.Algorithms = []int64{-257}
		_, _, err := ready(t, &ctaptest.Key{}).MakeCredential(t.Context(), r)
		code(t, err, "keyAlgorithmUnsupported")
	})
	t.Run("no forced change", func(t *testing.T) {
		code(t, ready(t, &ctaptest.Key{NoConfig: true}).ForcePINChange(t.Context()), "pinChangeUnsupported")
	})
	t.Run("locked", func(t *testing.T) {
		key := ready(t, &ctaptest.Key{})
		for range 8 {
			code(t, key.Unlock(t.Context(), "wrong pin", request.RPID), "pinInvalid")
		}
		code(t, key.Unlock(t.Context(), "92630518", request.RPID), "pinBlocked")
	})
	t.Run("too long", func(t *testing.T) {
		r := request
		for range 40 {
			id := make([]byte, 64)
			rand.Read(id)
			r.Exclude = append(r.Exclude, id)
		}
		_, _, err := ready(t, &ctaptest.Key{}).MakeCredential(t.Context(), r)
		code(t, err, "keyMessageTooLong")
	})
}

// TestCancel: when the context ends while the key blinks, the key is told and
// serves the next command.
func TestCancel(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	key := plug(t, &ctaptest.Key{IgnoreTouch: true}, func() { stop() })
	if err := key.SetPIN(t.Context(), "92630518"); err != nil {
		t.Fatal(err)
	}
	if err := key.Unlock(t.Context(), "92630518", request.RPID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := key.MakeCredential(ctx, request); err != context.Canceled {
		t.Fatalf("got %v", err)
	}
}

// TestGone: a key that is pulled out, or that talks nonsense, is an error and
// never a hang or a panic.
func TestGone(t *testing.T) {
	host, wire := net.Pipe()
	wire.Close()
	_, err := ctap.New(t.Context(), ctap.Stream(host), nil)
	code(t, err, "keyGone")
	k := &ctaptest.Key{Garble: func(r []byte) { r[7] ^= 0xff }}
	_, err = ctap.New(t.Context(), ctap.Stream(k.Pipe()), nil)
	code(t, err, "keyUnreadable")
}

// FuzzAnswer: whatever a key sends back, New ends without a panic.
func FuzzAnswer(f *testing.F) {
	f.Add(make([]byte, 192))
	f.Add([]byte("\xff\xff\xff\xff\x86\x00\x11"))
	f.Fuzz(func(t *testing.T, in []byte) {
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		host, wire := net.Pipe()
		go func() {
			nonce := make([]byte, 64)
			wire.Read(nonce)
			answer := make([]byte, 64)
			copy(answer, in)
			copy(answer, []byte{255, 255, 255, 255, 0x86, 0, 17})
			copy(answer[7:], nonce[7:15])
			copy(answer[15:], []byte{0, 0, 0, 9, 2, 5, 7, 1, 4})
			wire.Write(answer)
			go wire.Read(nonce)
			for rest := in; len(rest) > 0; {
				r := make([]byte, 64)
				n := copy(r[4:], rest)
				copy(r, []byte{0, 0, 0, 9})
				rest = rest[n:]
				wire.Write(r)
			}
			wire.Close()
		}()
		if k, err := ctap.New(ctx, ctap.Stream(host), nil); err == nil {
			k.Close()
		}
	})
}
