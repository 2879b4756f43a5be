package passkey

import (
	"context"
	"crypto/x509"
	"fmt"
	"strconv"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/mds"
	"cardea/internal/problem"
)

// Save stores what a fetch or an upload of the whole file brought, and takes
// it into use. A number below the stored one is never kept (WA-55). A model
// that is newly reported as compromised is one audit event with its passkeys
// (WA-70).
func (m *Metadata) Save(ctx context.Context, a audit.Actor, now time.Time, r mds.Result) error {
	if r.Metadata == nil || r.Unchanged {
		err := m.d.Write(ctx, func(q db.Querier) error {
			_, err := q.ExecContext(ctx, `UPDATE metadata SET fetched_at = $1, etag = $2 WHERE id = $3`, now.UnixMilli(), r.ETag, blobRow)
			if err != nil {
				return err
			}
			return db.Bump(ctx, q, metadataVersion)
		})
		if err != nil {
			return err
		}
		m.failed.Store(nil)
		return m.Refresh(ctx)
	}
	document, err := r.Metadata.Encode(m.key)
	if err != nil {
		return err
	}
	before := m.current().blob
	err = m.d.Write(ctx, func(q db.Querier) error {
		res, err := q.ExecContext(ctx, `INSERT INTO metadata (id, number, document, etag, fetched_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET number = excluded.number, document = excluded.document, etag = excluded.etag, fetched_at = excluded.fetched_at
			WHERE metadata.number <= excluded.number`, blobRow, r.Metadata.Number, document, r.ETag, now.UnixMilli())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err // another node stored a newer one meanwhile
		}
		if err := db.Bump(ctx, q, metadataVersion); err != nil {
			return err
		}
		if err := m.reportCompromised(ctx, q, a, now, before, r.Metadata); err != nil {
			return err
		}
		return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Upload FIDO metadata", Category: "Policy", LoggedByService: "Cardea", OperationType: "Update",
			TargetResources:   []audit.Target{{ID: blobRow, DisplayName: "FIDO metadata", Type: "Other", ModifiedProperties: []audit.Modified{audit.Change("number", m.Number(), r.Metadata.Number)}}},
			AdditionalDetails: []audit.KeyValue{{Key: "entries", Value: strconv.Itoa(r.Metadata.Len())}, {Key: "root", Value: r.Metadata.RootName}}})
	})
	if err != nil {
		return err
	}
	m.failed.Store(nil)
	return m.Refresh(ctx)
}

// maxNamed is how many passkeys an event names; the count is always whole.
const maxNamed = 200

func (m *Metadata) reportCompromised(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, before, after *mds.Metadata) error {
	for e := range after.All() {
		report, bad := e.Compromised(nil, now)
		if _, was := before.Lookup(e.AAGUID).Compromised(nil, now); !bad || was || AAGUID(e.AAGUID).IsZero() {
			continue
		}
		aaguid := AAGUID(e.AAGUID).String()
		rows, err := q.QueryContext(ctx, `SELECT id FROM passkeys WHERE aaguid = $1 ORDER BY id`, aaguid)
		keys, err := db.Collect(rows, err, scanText)
		if err != nil {
			return err
		}
		details := []audit.KeyValue{{Key: "aaGuid", Value: aaguid}, {Key: "status", Value: report.Status}, {Key: "passkeys", Value: strconv.Itoa(len(keys))}}
		for i, key := range keys {
			if i == maxNamed {
				break
			}
			details = append(details, audit.KeyValue{Key: "passkeyId", Value: key})
		}
		if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Authenticator model reported as compromised", Category: "Policy", LoggedByService: "Cardea",
			OperationType: "Other", TargetResources: []audit.Target{{ID: aaguid, DisplayName: e.Description, Type: "Other", ModifiedProperties: []audit.Modified{}}}, AdditionalDetails: details}); err != nil {
			return err
		}
	}
	return nil
}

// AddUpload stores an entry that an administrator vouches for (WA-40). text is
// JSON as mds.ParseUpload reads it; its errors are metadataUploadInvalid.
func (m *Metadata) AddUpload(ctx context.Context, a audit.Actor, now time.Time, text []byte) (Upload, error) {
	parsed, err := mds.ParseUpload(text)
	if err != nil {
		return Upload{}, err
	}
	document, err := parsed.Encode(m.key)
	if err != nil {
		return Upload{}, err
	}
	u := Upload{db.NewID(now), now.UTC(), parsed}
	err = m.d.Write(ctx, func(q db.Querier) error {
		if _, err := q.ExecContext(ctx, `INSERT INTO metadata (id, number, document, fetched_at) VALUES ($1, 0, $2, $3)`, u.ID, document, now.UnixMilli()); err != nil {
			return err
		}
		return m.uploadChanged(ctx, q, a, now, u, "Add")
	})
	if err != nil {
		return Upload{}, err
	}
	return u, m.Refresh(ctx)
}

// RemoveUpload deletes an uploaded entry. Passkeys registered with it stay.
func (m *Metadata) RemoveUpload(ctx context.Context, a audit.Actor, now time.Time, id string) error {
	err := m.d.Write(ctx, func(q db.Querier) error {
		var document []byte
		err := q.QueryRowContext(ctx, `SELECT document FROM metadata WHERE id = $1 AND id NOT IN ($2, $3)`, id, blobRow, keyRow).Scan(&document)
		if err != nil {
			return db.Err(fmt.Sprintf("The uploaded entry %q", clip(id, 60)), err)
		}
		u := Upload{ID: id}
		if u.Upload, err = mds.DecodeUpload(document, m.key); err != nil && problem.CodeOf(err) != mds.CodeDamaged {
			return err // a damaged one is removed all the same
		}
		if _, err := q.ExecContext(ctx, `DELETE FROM metadata WHERE id = $1`, id); err != nil {
			return err
		}
		return m.uploadChanged(ctx, q, a, now, u, "Delete")
	})
	if err != nil {
		return err
	}
	return m.Refresh(ctx)
}

func (m *Metadata) uploadChanged(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, u Upload, operation string) error {
	if err := db.Bump(ctx, q, metadataVersion); err != nil {
		return err
	}
	activity := "Upload FIDO metadata"
	if operation == "Delete" {
		activity = "Remove uploaded FIDO metadata"
	}
	details := []audit.KeyValue{}
	for _, id := range u.AAGUIDs {
		details = append(details, audit.KeyValue{Key: "aaGuid", Value: AAGUID(id).String()})
	}
	return audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: activity, Category: "Policy", LoggedByService: "Cardea", OperationType: operation,
		TargetResources: []audit.Target{{ID: u.ID, DisplayName: u.Name, Type: "Other", ModifiedProperties: []audit.Modified{}}}, AdditionalDetails: details})
}

// leafKeyIdentifier names the key of an attestation certificate as the
// metadata of U2F models does; "" if there is none that parses.
func leafKeyIdentifier(chain [][]byte) string {
	if len(chain) == 0 {
		return ""
	}
	cert, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return ""
	}
	id, err := mds.KeyIdentifier(cert)
	if err != nil {
		return ""
	}
	return id
}
