package passkey_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"testing"
	"time"

	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/mds/mdstest"
	"cardea/internal/passkey"
	"cardea/internal/problem"
)

// TestForgeries_WA83: what a profile with attestation and a list of models must
// refuse, and what it must accept, end to end (rows 1 to 6 and 9 of WA-83; row 5 with
// a list that does not enforce attestation).
func TestForgeries_WA83(t *testing.T) {
	each(t, func(h *house) {
		own, err := cardeatest.NewAttestationCA("Somebody's own", h.at)
		h.must(err)
		h.metadata(1, h.entry(modelX, "Key X"), h.entry(modelY, "Key Y"),
			h.entry(modelZ, "Key Z").Report(mdstest.Status("REVOKED", "2024-02-01")).Report(mdstest.Status("FIDO_CERTIFIED_L1", "2024-03-01")))
		x, y := guid(modelX), guid(modelY)
		plain := func(model string, change func(*cardeatest.Authenticator)) *cardeatest.Authenticator {
			a := cardeatest.NewAuthenticator(cardeatest.SecurityKey(guid(model)))
			change(a)
			return a
		}
		none := func(*cardeatest.Authenticator) {}
		self := func(a *cardeatest.Authenticator) { a.Attestation.Self = true }
		for _, tt := range []struct {
			name    string
			profile string
			a       *cardeatest.Authenticator
			code    string // "" means accepted
			reason  string
		}{
			{"genuine", strict, h.key(modelX), "", ""},
			{"genuine, through an intermediate", strict, h.key(modelX, func(r *cardeatest.LeafRules) { r.Intermediate = true }), "", ""},
			{"genuine, without the extension", strict, h.key(modelX, func(r *cardeatest.LeafRules) { r.AAGUID = nil }), "", ""},
			{"1 none with an allowed AAGUID", strict, plain(modelX, none), passkey.CodeAttestation, passkey.AttestationRequired},
			{"2 self attestation with an allowed AAGUID", strict, plain(modelX, self), passkey.CodeAttestation, passkey.AttestationRequired},
			{"3 chain of an own CA", strict, h.keyFrom(own, modelX), passkey.CodeAttestation, passkey.AttestationRequired},
			{"4 chain of another model: AAGUID of the data changed", strict, withModel(h.key(modelY), x), passkey.CodeAttestation, passkey.AttestationRequired},
			{"4 chain of another model: extension changed", strict, h.key(modelX, func(r *cardeatest.LeafRules) { r.AAGUID = &y }), passkey.CodeAttestation, passkey.AttestationRequired},
			{"5 zero AAGUID, none", onlyX, plain(zero, none), passkey.CodeKeyDisallowed, passkey.AAGUIDNotAllowed},
			{"5 zero AAGUID, self", onlyX, plain(zero, self), passkey.CodeKeyDisallowed, passkey.AAGUIDNotAllowed},
			{"5 zero AAGUID, own CA", onlyX, h.keyFrom(own, zero), passkey.CodeKeyDisallowed, passkey.AAGUIDNotAllowed},
			{"5 zero AAGUID, own CA, strict", strict, h.keyFrom(own, zero), passkey.CodeKeyDisallowed, passkey.AAGUIDNotAllowed},
			{"6 revoked in its history", strict, h.key(modelZ), passkey.CodeAttestation, passkey.AttestationRequired},
			{"PK-27 synced, attested", `"name": "S", "passkeyTypes": "deviceBound,synced", "attestationEnforcement": "registrationOnly", "keyRestrictions": {}`,
				synced(), passkey.CodeAttestation, passkey.AttestationRequired},
			{"PK-93 own CA where nothing is enforced", anything, h.keyFrom(own, modelX, func(r *cardeatest.LeafRules) { r.CA = true }), "", ""},
			{"PK-93 unknown format where nothing is enforced", anything, plain(modelX, func(a *cardeatest.Authenticator) { a.Attestation.Format = "made-up" }), "", ""},
			{"PK-93 wrong signature, even where nothing is enforced", anything, plain(modelX, func(a *cardeatest.Authenticator) {
				a.Attestation.Self = true
				a.Attestation.Edit = func(stmt map[string]any) { stmt["sig"].([]byte)[9] ^= 1 }
			}), passkey.CodeAttestation, "attestationValidationFailed"},
		} {
			h.later(time.Second)
			h.patch(profiles(tt.profile))
			before := h.count(`SELECT count(*) FROM passkeys`)
			done, err := h.create(h.provision(h.ada), tt.a)
			if tt.code == "" {
				if err != nil {
					h.Errorf("%s: %v", tt.name, err)
				}
				if level := done.Method.AttestationLevel; (level == passkey.Attested) != (tt.profile == strict) {
					h.Errorf("%s: %s (PK-94)", tt.name, level)
				}
				continue
			}
			e := h.refused(err, problem.Invalid, tt.code)
			if e.Reasons[0].Code != tt.reason || h.count(`SELECT count(*) FROM passkeys`) != before {
				h.Errorf("%s: %+v", tt.name, e.Reasons)
			}
		}
	})
}

// withModel changes what the authenticator data says about the model.
func withModel(a *cardeatest.Authenticator, model [16]byte) *cardeatest.Authenticator {
	a.AAGUID = model
	return a
}

// TestTakenCredential_WA83row9: a credential id that anybody has, whoever it is
// (PK-109). The answer does not say whose.
func TestTakenCredential_WA83row9_PK109(t *testing.T) {
	each(t, func(h *house) {
		first, second := synced(), synced()
		first.CredentialID = bytes.Repeat([]byte{9}, 32)
		second.CredentialID = bytes.Repeat([]byte{9}, 32)
		h.register(h.ada, first)
		_, err := h.create(h.own(h.grace), second)
		if e := h.refused(err, problem.Conflict, "credentialAlreadyRegistered"); len(e.Reasons) != 0 {
			h.Errorf("%+v", e)
		}
	})
}

// TestAttested: the session of an attested device-bound passkey says hwk; the
// evidence is kept (PK-94 to PK-96, WA-42).
func TestAttested_PK94_PK95_PK96(t *testing.T) {
	each(t, func(h *house) {
		h.metadata(7, h.entry(modelX, "Key X"))
		h.patch(profiles(strict))
		a := h.key(modelX)
		m := h.register(h.ada, a)
		if m.AttestationLevel != passkey.Attested || len(m.AttestationCertificates) != 1 || len(m.AttestationCertificates[0]) != 40 || m.Model == nil || *m.Model != "Key X" || m.DisplayName != "Microsoft Authenticator" {
			h.Errorf("%+v", m)
		}
		in, err := h.signIn(a)
		h.must(err)
		if !in.Session.Used("hwk") {
			h.Errorf("methods %v", in.Session.Methods)
		}
		var format, kind, trust, profile string
		var object, client []byte
		var number int64
		h.must(h.d.QueryRowContext(h.Context(), `SELECT format, type, trust, profile_id, attestation_object, client_data, metadata_no FROM passkey_attestations`).
			Scan(&format, &kind, &trust, &profile, &object, &client, &number))
		if format != "packed" || kind != "basic" || number != 7 || profile != "aaaaaaaa-0000-4000-8000-000000000001" || len(object) == 0 || len(client) == 0 || !bytes.Contains([]byte(trust), []byte(`"Attested":true`)) {
			h.Errorf("%s %s %d %s %s", format, kind, number, profile, trust)
		}
		// PK-92: found compromised later, it goes on signing in, and the log names it (WA-70).
		h.later(time.Second)
		h.metadata(8, h.entry(modelX, "Key X").Report(mdstest.Status("USER_KEY_PHYSICAL_COMPROMISE", "2024-05-01")))
		if _, err := h.signIn(a); err != nil {
			h.Error(err)
		}
		events := h.audits("Authenticator model reported as compromised")
		if len(events) != 1 || detail(events[0], "passkeys") != "1" || detail(events[0], "passkeyId") != m.Key {
			h.Errorf("%+v", events)
		}
		_, err = h.create(h.own(h.ada), h.key(modelX))
		h.refused(err, problem.Invalid, passkey.CodeAttestation)
	})
}

// TestMetadata: none, stored, on another node, never older, damaged (PK-97,
// PK-98, WA-55, WA-58 to WA-60).
func TestMetadata_PK97_PK98_WA55_WA59(t *testing.T) {
	each(t, func(h *house) {
		h.patch(profiles(strict))
		_, err := h.create(h.provision(h.ada), h.key(modelX))
		if e := h.refused(err, problem.Invalid, passkey.CodeAttestation); !bytes.Contains([]byte(e.Detail), []byte("no FIDO metadata")) || !bytes.Contains([]byte(e.Detail), []byte("Load the FIDO metadata")) {
			h.Errorf("PK-98: %q", e.Detail)
		}
		other := h.keeper(h.d, h.k.Ring, h.k.TenantID)
		h.metadata(5, h.entry(modelX, "Key X"))
		if s := h.k.Metadata.Status(); s.Number != 5 || s.Entries != 1 || s.LastError != nil || s.RootName == "" || h.k.Metadata.State().Number != 5 || h.k.Metadata.State().ETag != "5" {
			h.Errorf("%+v", s)
		}
		h.must(other.Metadata.Refresh(h.Context()))
		if n := other.Metadata.Number(); n != 5 {
			h.Errorf("another node has %d", n)
		}
		h.metadata(4)
		if n := h.k.Metadata.Number(); n != 5 {
			h.Errorf("WA-55: %d replaced 5", n)
		}
		if _, err := h.create(h.provision(h.ada), h.key(modelX)); err != nil {
			h.Error(err)
		}
		h.write(func(q db.Querier) error {
			if _, err := q.ExecContext(h.Context(), `UPDATE metadata SET document = $1 WHERE id = 'blob'`, []byte("something else")); err != nil {
				return err
			}
			_, err := q.ExecContext(h.Context(), `UPDATE versions SET value = value + 1 WHERE name = 'fidoMetadata'`)
			return err
		})
		h.must(h.k.Metadata.Refresh(h.Context()))
		if s := h.k.Metadata.Status(); s.Number != 0 || len(s.Damaged) != 1 || h.k.Metadata.State().ETag != "" {
			h.Errorf("damaged: %+v", s)
		}
		again := h.keeper(h.d, h.k.Ring, h.k.TenantID) // a start does not fail for it
		again.Metadata.Failed(problem.New(problem.Unavailable, "metadataUnavailable", "No network."), h.at)
		if s := again.Metadata.Status(); s.LastError == nil || s.LastError.Code != "metadataUnavailable" {
			h.Errorf("%+v", s)
		}
	})
}

// TestUpload: an administrator vouches for a model that the service does not
// list; taking it away stops new ones only (WA-40, WA-41).
func TestUpload_WA40(t *testing.T) {
	each(t, func(h *house) {
		h.patch(profiles(strict))
		_, err := h.k.Metadata.AddUpload(h.Context(), h.admin, h.at, []byte(`{"name": ""}`))
		h.refused(err, problem.Invalid, "metadataUploadInvalid")
		u, err := h.k.Metadata.AddUpload(h.Context(), h.admin, h.at, []byte(`{"name": "House key", "aaguids": ["`+modelY+`"], "roots": ["`+base64.StdEncoding.EncodeToString(h.maker.Root)+`"],
			"versions": ["FIDO_2_1"], "clientPin": true, "residentKey": true, "extensions": ["hmac-secret"], "certification": "FIDO_CERTIFIED_L1"}`))
		h.must(err)
		a := h.key(modelY)
		m := h.register(h.ada, a)
		if m.AttestationLevel != passkey.Attested || m.Model == nil || *m.Model != "House key" || len(h.k.Metadata.Uploads()) != 1 {
			h.Errorf("%+v", m)
		}
		if n := len(h.audits("Upload FIDO metadata")); n != 1 {
			h.Errorf("%d records", n)
		}
		// Whoever vouches for it: what the service calls compromised stays so (PK-92).
		other, err := cardeatest.NewAttestationCA("The root that the service knows", h.at)
		h.must(err)
		root, err := x509.ParseCertificate(other.Root)
		h.must(err)
		h.metadata(1, mdstest.SecurityKey(modelY, "Key Y", root).Report(mdstest.Status("REVOKED", "2024-02-01")))
		_, err = h.create(h.provision(h.ada), h.key(modelY))
		h.refused(err, problem.Invalid, passkey.CodeAttestation)
		h.metadata(2, h.entry(modelX, "Key X"))
		_, err = h.create(h.provision(h.ada), h.key(modelY))
		h.must(err)
		h.must(h.k.Metadata.RemoveUpload(h.Context(), h.admin, h.at, u.ID))
		h.refused(h.k.Metadata.RemoveUpload(h.Context(), h.admin, h.at, u.ID), problem.NotFound, "notFound")
		h.refused(h.k.Metadata.RemoveUpload(h.Context(), h.admin, h.at, "key"), problem.NotFound, "notFound")
		if _, err := h.signIn(a); err != nil {
			h.Error(err)
		}
		_, err = h.create(h.provision(h.ada), h.key(modelY))
		h.refused(err, problem.Invalid, passkey.CodeAttestation)
	})
}
