package passkey

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/webauthn"
)

// Keeper keeps the passkeys of an organisation: their policy, both ceremonies,
// and what people and administrators do with them afterwards. One per process,
// safe for concurrent use. Open makes one.
type Keeper struct {
	DB         *db.DB
	Ring       *jose.Ring
	RP         webauthn.RelyingParty
	TenantID   string // the organisation's id, part of every user handle
	MaxPerUser int    // passkeys of one person; 0 means 100 (PK-45)
	Metadata   *Metadata

	load   sync.Mutex // one reading of the policy at a time
	policy atomic.Pointer[heldPolicy]
}

// heldPolicy is the compiled policy and the version row it was read under.
type heldPolicy struct {
	version  int64
	snapshot *Snapshot
}

const defaultMaxPerUser = 100

// Open checks the relying party and reads policy and metadata. Metadata that is
// not there or damaged is no error: it is fetched later (WA-58).
func Open(ctx context.Context, k *Keeper, now time.Time) error {
	if err := k.RP.Check(); err != nil {
		return err
	}
	if _, ok := parseGUID(k.TenantID); !ok {
		return fmt.Errorf("tenant id %q is not a GUID", k.TenantID)
	}
	if k.MaxPerUser == 0 {
		k.MaxPerUser = defaultMaxPerUser
	}
	if k.Metadata == nil {
		k.Metadata = &Metadata{}
	}
	if err := k.Metadata.open(ctx, k.DB, k.Ring, now); err != nil {
		return err
	}
	_, err := k.Snapshot(ctx)
	return err
}

// Snapshot returns the policy as it is in the database now. It costs one small
// read.
func (k *Keeper) Snapshot(ctx context.Context) (*Snapshot, error) {
	v, err := db.Version(ctx, k.DB, directory.MethodPoliciesVersion)
	if err != nil {
		return nil, err
	}
	return k.snapshotAt(ctx, v)
}

// snapshotAt returns the policy of a version row that was just read with other
// data, so that a change counts from the next sign-in on, on every node (PK-63).
func (k *Keeper) snapshotAt(ctx context.Context, version int64) (*Snapshot, error) {
	if h := k.policy.Load(); h != nil && h.version >= version {
		return h.snapshot, nil
	}
	k.load.Lock()
	defer k.load.Unlock()
	if h := k.policy.Load(); h != nil && h.version >= version {
		return h.snapshot, nil
	}
	// The version is read before the document: a change in between is read
	// twice rather than never.
	version, err := db.Version(ctx, k.DB, directory.MethodPoliciesVersion)
	if err != nil {
		return nil, err
	}
	c, _, err := readPolicy(ctx, k.DB)
	if err != nil {
		return nil, err
	}
	h := &heldPolicy{version, Compile(c)}
	k.policy.Store(h)
	return h.snapshot, nil
}

// OtherRelyingParties lists the relying party ids of stored passkeys that are
// not ours: those passkeys work no more (PK-103). For a warning at start.
func (k *Keeper) OtherRelyingParties(ctx context.Context) ([]string, error) {
	rows, err := k.DB.QueryContext(ctx, `SELECT DISTINCT rp_id FROM passkeys WHERE rp_id <> $1 ORDER BY rp_id`, k.RP.ID)
	return db.Collect(rows, err, scanText)
}
