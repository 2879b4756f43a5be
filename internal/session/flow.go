package session

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

	"cardea/internal/jose"
	"cardea/internal/problem"
)

// Flow is a pending authorization: what an application asked for before the
// person was sent to sign in. It is stored nowhere. It travels as the
// parameter "flow", sealed, from authorize to /signin and on to
// /signin/continue, where the answer is decided again.
//
// The zero Flow, sealed or not, means: the person came by themselves.
type Flow struct {
	At            time.Time // of the authorization request
	AppID         string    // client id
	AppName       string    // for pages
	RedirectURI   string    // validated against the application
	ResponseMode  string    // query, fragment, form_post
	State         string    // any bytes, returned as they came
	HasState      bool      // an empty state is not an absent one
	Nonce         string
	Scope         string // as asked
	Challenge     string // PKCE S256, or ""
	LoginHint     string
	HintUserID    string   // the person an id_token_hint named, or ""
	Prompt        string   // login, select_account, or ""
	MaxAge        int64    // seconds; -1: not asked
	ACR           []string // asked, best first
	ACREssential  bool     // refuse rather than answer with less
	ClientInfo    bool     // client_info=1
	Fresh         bool     // a multifactor proof of the last minutes is wanted (FreshClaims)
	CorrelationID string

	// Of a device that waits (Device), in place of a redirect URI.
	Device   string // its id, or ""
	UserCode string // as the person typed it, clean
	Browser  string // what the browser of that person is known by
}

const (
	flowPurpose   = "authorize"
	returnPurpose = "signOutReturn"
	// FlowLife is how long a person may take to sign in.
	FlowLife = time.Hour
	maxFlow  = 24 << 10 // bytes of the parameter
)

// Proved reports whether s holds proofs that tokens may come from. First steps
// are none: a passkey comes first.
func (s *Session) Proved() bool {
	return !s.FirstSteps() && slices.ContainsFunc(s.Methods, func(m string) bool { return m != MethodLink && m != MethodMFA && m != MethodHardware })
}

// SealFlow returns f as the value of the parameter "flow".
func SealFlow(r *jose.Ring, f Flow) string {
	return sealSome(r, flowPurpose, f)
}

func sealSome(r *jose.Ring, purpose string, f Flow) string {
	return base64.RawURLEncoding.EncodeToString(r.Seal(purpose, f.encode()))
}

// OpenFlow reverses SealFlow. "" is the zero Flow. A broken one is flowBroken,
// one older than FlowLife flowExpired.
func OpenFlow(r *jose.Ring, text string, now time.Time) (Flow, error) {
	return openSome(r, flowPurpose, text, now)
}

func openSome(r *jose.Ring, purpose, text string, now time.Time) (Flow, error) {
	if text == "" {
		return Flow{}, nil
	}
	broken := problem.New(problem.Invalid, "flowBroken", "This sign-in link is damaged. Go back to the application and sign in from there.")
	if len(text) > maxFlow {
		return Flow{}, broken
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Flow{}, broken
	}
	plain, err := r.Open(purpose, sealed)
	if err != nil {
		return Flow{}, broken
	}
	f, ok := decodeFlow(plain)
	if !ok {
		return Flow{}, broken
	}
	if age := now.Sub(f.At); age > FlowLife || age < -FlowLife {
		return Flow{}, problem.New(problem.Invalid, "flowExpired", "This page was open for too long. Go back to the application and sign in from there.")
	}
	return f, nil
}

// SealReturn seals the address of an application to which a person may go back
// after signing out, for the parameter "return" of /signout. The caller has
// checked that the address is registered.
func SealReturn(r *jose.Ring, appName, uri string, now time.Time) string {
	return sealSome(r, returnPurpose, Flow{At: now, AppName: appName, RedirectURI: uri})
}

// OpenReturn reverses SealReturn; "" yields nothing.
func OpenReturn(r *jose.Ring, text string, now time.Time) (appName, uri string, err error) {
	f, err := openSome(r, returnPurpose, text, now)
	return f.AppName, f.RedirectURI, err
}

// The encoding is length-prefixed strings in fixed order: state may hold bytes
// that JSON would change, and the whole must fit into an address.

const flowVersion = 2

func (f *Flow) strings() []*string {
	return []*string{&f.AppID, &f.AppName, &f.RedirectURI, &f.ResponseMode, &f.State, &f.Nonce, &f.Scope, &f.Challenge,
		&f.LoginHint, &f.HintUserID, &f.Prompt, &f.CorrelationID, &f.Device, &f.UserCode, &f.Browser}
}

func (f *Flow) flags() []*bool { return []*bool{&f.HasState, &f.ACREssential, &f.ClientInfo, &f.Fresh} }

func (f Flow) encode() []byte {
	b := []byte{flowVersion, 0}
	for i, flag := range f.flags() {
		if *flag {
			b[1] |= 1 << i
		}
	}
	b = binary.AppendVarint(b, f.At.UnixMilli())
	b = binary.AppendVarint(b, f.MaxAge)
	put := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, s := range f.strings() {
		put(*s)
	}
	for _, s := range f.ACR {
		put(s)
	}
	return b
}

func decodeFlow(b []byte) (f Flow, ok bool) {
	if len(b) < 2 || b[0] != flowVersion {
		return f, false
	}
	for i, flag := range f.flags() {
		*flag = b[1]&(1<<i) != 0
	}
	b = b[2:]
	number := func() int64 {
		v, n := binary.Varint(b)
		if ok = n > 0; ok {
			b = b[n:]
		}
		return v
	}
	text := func() (s string) {
		n, used := binary.Uvarint(b)
		if ok = used > 0 && n <= uint64(len(b)-used); ok {
			s, b = string(b[used:used+int(n)]), b[used+int(n):]
		}
		return s
	}
	at := number()
	if !ok {
		return f, false
	}
	f.At = time.UnixMilli(at).UTC()
	if f.MaxAge = number(); !ok {
		return f, false
	}
	for _, s := range f.strings() {
		if *s = text(); !ok {
			return f, false
		}
	}
	for len(b) > 0 {
		s := text()
		if !ok {
			return f, false
		}
		f.ACR = append(f.ACR, s)
	}
	return f, true
}
