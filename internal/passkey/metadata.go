package passkey

import (
	"context"
	"crypto/rand"
	"database/sql"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cardea/internal/db"
	"cardea/internal/jose"
	"cardea/internal/mds"
	"cardea/internal/problem"
	"cardea/internal/webauthn"
)

// Metadata holds FIDO metadata in memory: the last good copy from the service,
// and the entries that administrators uploaded. Package mds fetches and checks;
// this type stores. Without metadata everything works but registrations
// through profiles that enforce attestation (PK-98).
type Metadata struct {
	d    *db.DB
	key  []byte // of the integrity marks (WA-41, WA-59)
	load sync.Mutex
	held atomic.Pointer[heldMetadata]

	failed atomic.Pointer[MetadataFailure]
}

// MetadataFailure is the last fetch that did not work (WA-63).
type MetadataFailure struct {
	At   time.Time
	Code string
	Text string
}

type heldMetadata struct {
	version  int64
	blob     *mds.Metadata // nil: none
	etag     string
	checked  time.Time
	uploads  []Upload
	uploaded map[AAGUID]*Upload // the newest upload of each model
	damaged  []string           // ids of rows whose mark does not fit
	chains   chains
}

// Upload is an entry that an administrator vouches for (WA-40).
type Upload struct {
	ID         string
	UploadedAt time.Time
	mds.Upload
}

const (
	metadataVersion = "fidoMetadata" // the version row that a change bumps
	blobRow         = "blob"
	keyRow          = "key"
)

func (m *Metadata) open(ctx context.Context, d *db.DB, ring *jose.Ring, now time.Time) error {
	m.d = d
	fresh := make([]byte, 32)
	rand.Read(fresh)
	var sealedKey []byte
	err := d.Write(ctx, func(q db.Querier) error {
		if _, err := q.ExecContext(ctx, `INSERT INTO metadata (id, number, document, fetched_at) VALUES ($1, 0, $2, $3) ON CONFLICT (id) DO NOTHING`,
			keyRow, ring.SealColumn("metadata key", fresh), now.UnixMilli()); err != nil {
			return err
		}
		return q.QueryRowContext(ctx, `SELECT document FROM metadata WHERE id = $1`, keyRow).Scan(&sealedKey)
	})
	if err != nil {
		return err
	}
	if m.key, err = ring.OpenColumn("metadata key", sealedKey); err != nil {
		return err
	}
	return m.Refresh(ctx)
}

// Refresh reads the metadata again if it changed, on this node or another
// (WA-60). It costs one small read.
func (m *Metadata) Refresh(ctx context.Context) error {
	v, err := db.Version(ctx, m.d, metadataVersion)
	if err != nil {
		return err
	}
	return m.refreshAt(ctx, v)
}

// refreshAt is Refresh for a caller who just read the version.
func (m *Metadata) refreshAt(ctx context.Context, v int64) error {
	if h := m.held.Load(); h != nil && h.version == v {
		return nil
	}
	m.load.Lock()
	defer m.load.Unlock()
	// The version is read before the rows: a change in between is read twice
	// rather than never.
	v, err := db.Version(ctx, m.d, metadataVersion)
	if err != nil {
		return err
	}
	if h := m.held.Load(); h != nil && h.version == v {
		return nil
	}
	h := &heldMetadata{version: v, uploaded: map[AAGUID]*Upload{}}
	rows, err := m.d.QueryContext(ctx, `SELECT id, document, etag, fetched_at FROM metadata WHERE id <> $1 ORDER BY id`, keyRow)
	if _, err = db.Collect(rows, err, func(r *sql.Rows, _ *struct{}) error { return m.read(r, h) }); err != nil {
		return err
	}
	for i := range h.uploads {
		for _, a := range h.uploads[i].AAGUIDs {
			h.uploaded[AAGUID(a)] = &h.uploads[i]
		}
	}
	m.held.Store(h)
	return nil
}

// read takes one row into h. What is damaged is left out and named: it must not
// be trusted, and it must not stop the server.
func (m *Metadata) read(r *sql.Rows, h *heldMetadata) error {
	var id, etag string
	var document []byte
	var at int64
	if err := r.Scan(&id, &document, &etag, &at); err != nil {
		return err
	}
	var bad error
	if id == blobRow {
		if h.blob, bad = mds.Decode(document, m.key); bad == nil {
			h.etag, h.checked = etag, db.Time(at)
		}
	} else {
		var u mds.Upload
		if u, bad = mds.DecodeUpload(document, m.key); bad == nil {
			h.uploads = append(h.uploads, Upload{id, db.Time(at), u})
		}
	}
	if bad != nil {
		h.damaged = append(h.damaged, id)
	}
	return nil
}

func (m *Metadata) current() *heldMetadata {
	if h := m.held.Load(); h != nil {
		return h
	}
	return &heldMetadata{}
}

// Entry returns what is known about a model, nil if nothing is. The FIDO
// metadata goes before uploads.
func (m *Metadata) Entry(a AAGUID) *mds.Entry {
	h := m.current()
	if e := h.blob.Lookup(mds.AAGUID(a)); e != nil {
		return e
	}
	if u := h.uploaded[a]; u != nil {
		return u.Entry(mds.AAGUID(a))
	}
	return nil
}

// Entries lists the models of the FIDO metadata, by description, for the list
// of AAGUIDs to choose from (PK-100).
func (m *Metadata) Entries() []*mds.Entry { return slices.Collect(m.current().blob.All()) }

// Uploads lists the uploaded entries, oldest first.
func (m *Metadata) Uploads() []Upload { return slices.Clone(m.current().uploads) }

// Number is the serial number of the metadata in use; 0 if there is none.
func (m *Metadata) Number() int64 {
	if b := m.current().blob; b != nil {
		return b.Number
	}
	return 0
}

// judge decides what the attestation of a new passkey is worth (PK §5.3).
func (m *Metadata) judge(att webauthn.Attestation, a AAGUID, now time.Time) (webauthn.Trust, Evidence) {
	h := m.current()
	key := chainKey(att, a)
	trust, known := h.chains.find(key, now)
	listed := h.blob.Lookup(mds.AAGUID(a))
	if a.IsZero() {
		listed = h.blob.LookupKeyIdentifier(leafKeyIdentifier(att.Certificates))
	}
	var anchors []webauthn.Anchor
	if listed != nil && !known {
		for _, root := range listed.Roots {
			anchor := webauthn.Anchor{Certificate: root, Source: webauthn.SourceMDS, AttestationTypes: listed.AttestationTypes}
			if !a.IsZero() {
				anchor.AAGUIDs = [][16]byte{a}
			}
			for _, id := range listed.KeyIdentifiers {
				anchor.KeyIdentifiers = append(anchor.KeyIdentifiers, keyIdentifierBytes(id))
			}
			anchors = append(anchors, anchor)
		}
	}
	upload := h.uploaded[a]
	if upload != nil && !known {
		for _, root := range upload.Roots {
			anchors = append(anchors, webauthn.Anchor{Certificate: root, Source: webauthn.SourceUploaded, AAGUIDs: upload.AAGUIDs, AttestationTypes: upload.AttestationTypes})
		}
	}
	if !known {
		trust = webauthn.CheckTrust(att, anchors, now)
		h.chains.keep(key, trust, att.Certificates, anchors)
	}
	e := Evidence{Attested: trust.Attested, Reason: trust.Reason, Chain: att.Certificates, HasMetadata: h.blob != nil, Entry: listed}
	if upload != nil && (listed == nil || trust.Source == webauthn.SourceUploaded) {
		// A model that the service calls compromised stays so, whoever vouches for it.
		if _, bad := listed.Compromised(att.Certificates, now); !bad {
			e.Entry = upload.Entry(mds.AAGUID(a))
		}
	}
	return trust, e
}

// State is what mds.Fetcher.Run asks before every fetch. Whether fetching is
// switched on and this node's turn is the caller's to say.
func (m *Metadata) State() mds.State {
	h := m.current()
	s := mds.State{ETag: h.etag, CheckedAt: h.checked}
	if h.blob != nil {
		s.Number = h.blob.Number
	}
	return s
}

// MetadataStatus is what the admin centre shows (WA-63).
type MetadataStatus struct {
	Number     int64 // 0: no metadata
	NextUpdate time.Time
	CheckedAt  time.Time
	Entries    int
	Skipped    []mds.Warning
	RootName   string
	Damaged    []string // rows that cannot be used
	LastError  *MetadataFailure
}

// Status describes the metadata in use.
func (m *Metadata) Status() MetadataStatus {
	h := m.current()
	s := MetadataStatus{CheckedAt: h.checked, Damaged: h.damaged, LastError: m.failed.Load()}
	if b := h.blob; b != nil {
		s.Number, s.NextUpdate, s.Entries, s.Skipped, s.RootName = b.Number, b.NextUpdate, b.Len(), b.Skipped, b.RootName
	}
	return s
}

// Failed notes a fetch that did not work; the metadata in use stays.
func (m *Metadata) Failed(err error, now time.Time) {
	m.failed.Store(&MetadataFailure{At: now, Code: problem.CodeOf(err), Text: err.Error()})
}
