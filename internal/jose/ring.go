package jose

import (
	"cmp"
	"context"
	"crypto"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cardea/internal/db"
)

// What keys are for, and how.
const (
	ForSigning = "sig"
	ForSealing = "enc"

	ES256   = "ES256"
	RS256   = "RS256"
	A256GCM = "A256GCM"
)

// How long keys work.
const (
	LeadTime    = 10 * time.Minute    // a new key is published this long before it signs
	KeptSigning = 48 * time.Hour      // a retired key verifies: the longest token, and a day for cached key sets
	KeptSealing = 43200 * time.Minute // a retired key opens: PK-112
)

// KeyInfo describes a key without its secret. It signs or seals in
// [ActiveAt, RetiredAt).
type KeyInfo struct {
	ID        string     `json:"id"` // kid
	Use       string     `json:"use"`
	Algorithm string     `json:"algorithm"`
	CreatedAt time.Time  `json:"createdDateTime"`
	ActiveAt  time.Time  `json:"activeDateTime"`
	RetiredAt *time.Time `json:"retiredDateTime"`
}

// Until says when the key is forgotten; false: not retired yet.
func (k KeyInfo) Until() (time.Time, bool) {
	if k.RetiredAt == nil {
		return time.Time{}, false
	}
	if k.Use == ForSealing {
		return k.RetiredAt.Add(KeptSealing), true
	}
	return k.RetiredAt.Add(KeptSigning), true
}

type key struct {
	KeyInfo
	signer crypto.Signer // ForSigning
	aead   cipher.AEAD   // ForSealing
	prefix []byte        // ForSealing: what starts everything it seals
	header string        // ForSigning: the first part of its tokens, with the dot
	public string        // ForSigning: JWK
}

// Ring holds the keys in memory, ready to use.
type Ring struct {
	d      *db.DB
	master Master
	load   sync.Mutex // one Reload at a time
	snap   atomic.Pointer[snapshot]
}

// snapshot is what a Ring knows; it never changes.
type snapshot struct {
	version  int64
	all      []*key // newest first
	signing  map[string][]*key
	byHeader map[string]*key
	byPrefix map[string]*key
	sealing  *key
	jwks     []byte
}

// OpenRing reads the keys of d, and makes the first ones if there are none.
func OpenRing(ctx context.Context, d *db.DB, m Master, now time.Time) (*Ring, error) {
	r := &Ring{d: d, master: m}
	var n int
	if err := d.QueryRowContext(ctx, `SELECT count(*) FROM keys`).Scan(&n); err != nil {
		return nil, err
	}
	if n == 0 {
		if err := r.first(ctx, now); err != nil {
			return nil, fmt.Errorf("first keys: %w", err)
		}
	}
	return r, r.Reload(ctx, now)
}

// Reload reads the keys again if they changed, and lets time pass for those it
// has: call it every few seconds. It costs one small read.
func (r *Ring) Reload(ctx context.Context, now time.Time) error {
	r.load.Lock()
	defer r.load.Unlock()
	v, err := db.Version(ctx, r.d, "keys")
	if err != nil {
		return err
	}
	old := r.snap.Load()
	var all []*key
	if old != nil && old.version == v {
		all = old.all
	} else if all, err = r.read(ctx); err != nil {
		return err
	}
	s, err := arrange(all, now)
	if err != nil {
		return err
	}
	s.version = v
	r.snap.Store(s)
	return nil
}

// Keys lists the keys, newest first.
func (r *Ring) Keys() []KeyInfo {
	var out []KeyInfo
	for _, k := range r.snap.Load().all {
		out = append(out, k.KeyInfo)
	}
	return out
}

func (r *Ring) read(ctx context.Context) ([]*key, error) {
	rows, err := r.d.QueryContext(ctx, `SELECT id, use, algorithm, wrapped, public, created_at, active_at, retired_at FROM keys`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*key
	for rows.Next() {
		var (
			k               key
			wrapped         []byte
			created, active int64
			retired         *int64
		)
		if err := rows.Scan(&k.ID, &k.Use, &k.Algorithm, &wrapped, &k.public, &created, &active, &retired); err != nil {
			return nil, err
		}
		k.CreatedAt, k.ActiveAt = db.Time(created), db.Time(active)
		if retired != nil {
			t := db.Time(*retired)
			k.RetiredAt = &t
		}
		secret, err := r.master.unwrap(k.purpose(), wrapped)
		if err == nil {
			err = k.ready(secret)
		}
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
		all = append(all, &k)
	}
	return all, rows.Err()
}

// arrange sorts keys into a snapshot as of now.
func arrange(all []*key, now time.Time) (*snapshot, error) {
	s := &snapshot{signing: map[string][]*key{}, byHeader: map[string]*key{}, byPrefix: map[string]*key{}}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *key) int { return cmp.Or(b.ActiveAt.Compare(a.ActiveAt), cmp.Compare(b.ID, a.ID)) })
	s.all = all
	var sealing []*key
	var public []byte
	for _, k := range all {
		if until, ok := k.Until(); ok && !now.Before(until) {
			continue
		}
		if k.Use == ForSealing {
			s.byPrefix[string(k.prefix)] = k
			sealing = append(sealing, k)
			continue
		}
		s.signing[k.Algorithm] = append(s.signing[k.Algorithm], k)
		s.byHeader[k.header] = k
		if public != nil {
			public = append(public, ',')
		}
		public = append(public, k.public...)
	}
	s.jwks = fmt.Appendf(nil, `{"keys":[%s]}`, public)
	if s.sealing = choose(sealing, now); s.sealing == nil || choose(s.signing[ES256], now) == nil || choose(s.signing[RS256], now) == nil {
		return nil, fmt.Errorf("the table of keys lacks a key that seals or signs: restore the database from its backup")
	}
	return s, nil
}

// choose returns the newest key that is active. Should the clock have been set
// back before every key, the oldest that is not retired has to do.
func choose(newestFirst []*key, now time.Time) *key {
	var fallback *key
	for _, k := range newestFirst {
		if k.RetiredAt != nil && !now.Before(*k.RetiredAt) {
			continue
		}
		if !now.Before(k.ActiveAt) {
			return k
		}
		fallback = k
	}
	return fallback
}

func (k *key) purpose() string { return "key|" + k.ID + "|" + k.Use + "|" + k.Algorithm }

// ready builds what k works with from its secret.
func (k *key) ready(secret []byte) error {
	if k.Use == ForSealing {
		id, err := hex.DecodeString(k.ID)
		if err != nil || len(id) != keyIDLen {
			return errBroken
		}
		k.prefix = append([]byte{formatVersion}, id...)
		k.aead, err = newAEAD(secret)
		return err
	}
	k.header = base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"`+k.Algorithm+`","kid":"`+k.ID+`"}`)) + "."
	var err error
	k.signer, err = parsePrivate(secret, k.Algorithm)
	return err
}
