package mds

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

type wireEntry struct {
	AAID           string         `json:"aaid"`
	AAGUID         string         `json:"aaguid"`
	KeyIdentifiers []string       `json:"attestationCertificateKeyIdentifiers"`
	Statement      *wireStatement `json:"metadataStatement"`
	Reports        []wireReport   `json:"statusReports"`
	Changed        string         `json:"timeOfLastStatusChange"`
}

type wireStatement struct {
	AAGUID           string            `json:"aaguid"`
	Description      string            `json:"description"`
	FriendlyNames    map[string]string `json:"friendlyNames"`
	ProtocolFamily   string            `json:"protocolFamily"`
	AttestationTypes []string          `json:"attestationTypes"`
	KeyProtection    []string          `json:"keyProtection"`
	Roots            []string          `json:"attestationRootCertificates"`
	MultiDevice      string            `json:"multiDeviceCredentialSupport"`
	Extensions       []struct {
		ID string `json:"id"`
	} `json:"supportedExtensions"`
	UPV []struct {
		Major int `json:"major"`
		Minor int `json:"minor"`
	} `json:"upv"`
	Info *struct {
		Versions   []string       `json:"versions"`
		Extensions []string       `json:"extensions"`
		Options    map[string]any `json:"options"`
	} `json:"authenticatorGetInfo"`
}

type wireReport struct {
	Status           string `json:"status"`
	EffectiveDate    string `json:"effectiveDate"`
	SunsetDate       string `json:"sunsetDate"`
	Version          int64  `json:"authenticatorVersion"`
	Certificate      string `json:"certificate"`
	BatchCertificate string `json:"batchCertificate"`
	Number           string `json:"certificateNumber"`
	Descriptor       string `json:"certificationDescriptor"`
	URL              string `json:"url"`
}

// parseEntry reads one entry. A UAF entry gives nil and no error. Roots that do
// not parse are left out and come back as errors of their own.
func parseEntry(raw json.RawMessage) (e *Entry, badRoots []error, err error) {
	var w wireEntry
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, nil, err
	}
	if w.AAGUID == "" && len(w.KeyIdentifiers) == 0 {
		if w.AAID != "" {
			return nil, nil, nil
		}
		return nil, nil, errors.New("it names no authenticator")
	}
	e = &Entry{Source: SourceMDS}
	if w.AAGUID != "" {
		if e.AAGUID, err = ParseAAGUID(w.AAGUID); err != nil {
			return nil, nil, errors.New("its AAGUID does not parse")
		}
		// Zero means "no AAGUID" in a ceremony; an entry under it would vouch
		// for everything that hides its model.
		if e.AAGUID == (AAGUID{}) {
			return nil, nil, errors.New("its AAGUID is zero")
		}
	}
	for _, k := range w.KeyIdentifiers {
		k = strings.ToLower(k)
		if b, err := hex.DecodeString(k); err != nil || len(b) != sha1.Size {
			return nil, nil, fmt.Errorf("key identifier %q is not 40 hexadecimal digits", clip(k, 60))
		}
		e.KeyIdentifiers = append(e.KeyIdentifiers, k)
	}
	for _, r := range w.Reports {
		report, err := r.parse()
		if err != nil {
			return nil, nil, err
		}
		e.StatusReports = append(e.StatusReports, report)
	}
	if e.LastStatusChange, err = parseDate(w.Changed); err != nil {
		return nil, nil, err
	}
	if w.Statement != nil {
		if id, err := ParseAAGUID(w.Statement.AAGUID); w.Statement.AAGUID != "" && (err != nil || id != e.AAGUID) {
			return nil, nil, errors.New("its statement is about another AAGUID")
		}
		badRoots = e.take(w.Statement)
	}
	return e, badRoots, nil
}

// take copies from the statement what Cardea keeps (specification §4.1).
func (e *Entry) take(s *wireStatement) (badRoots []error) {
	e.Description = displayText(s.Description)
	e.Names = displayNames(s.FriendlyNames)
	e.ProtocolFamily = s.ProtocolFamily
	e.AttestationTypes = s.AttestationTypes
	e.KeyProtection = s.KeyProtection
	for _, text := range s.Roots {
		cert, err := parseRoot(text)
		if err != nil {
			badRoots = append(badRoots, err)
			continue
		}
		e.Roots = append(e.Roots, cert.Raw)
	}
	switch s.MultiDevice {
	case "unsupported":
		e.MultiDevice = new(false)
	case "explicit", "implicit":
		e.MultiDevice = new(true)
	}
	for _, x := range s.Extensions {
		e.Extensions = append(e.Extensions, x.ID)
	}
	if s.Info != nil {
		// CTAP 2.1 §6.4: an absent uv or clientPin is a missing ability,
		// false only says that it is not set up on a new device.
		_, e.UserVerification = s.Info.Options["uv"]
		_, e.ClientPIN = s.Info.Options["clientPin"]
		_, e.EnterpriseAttest = s.Info.Options["ep"]
		e.ResidentKey = s.Info.Options["rk"] == true
		e.Versions = s.Info.Versions
		e.Extensions = append(e.Extensions, s.Info.Extensions...)
	} else if s.ProtocolFamily == "fido2" {
		// Statements number FIDO2 from 1.0 (FIDO 2.0) on.
		for _, v := range s.UPV {
			if v.Major >= 1 {
				e.Versions = append(e.Versions, fmt.Sprintf("FIDO_%d_%d", v.Major+1, v.Minor))
			}
		}
	}
	slices.Sort(e.Extensions)
	e.Extensions = slices.Compact(e.Extensions)
	return badRoots
}

func (r wireReport) parse() (out StatusReport, err error) {
	if r.Status == "" {
		return out, errors.New("a status report has no status")
	}
	out = StatusReport{Status: r.Status, AuthenticatorVersion: r.Version, CertificateNumber: displayText(r.Number), Descriptor: displayText(r.Descriptor)}
	if strings.HasPrefix(r.URL, "https://") && len(r.URL) <= 2048 {
		out.URL = r.URL // shown as a link, so nothing but https
	}
	if out.EffectiveDate, err = parseDate(r.EffectiveDate); err != nil {
		return out, err
	}
	if out.SunsetDate, err = parseDate(r.SunsetDate); err != nil {
		return out, err
	}
	if out.Certificate, err = decodeBase64(r.Certificate); err != nil {
		return out, errors.New("the certificate of a status report is not base64")
	}
	if out.BatchCertificate, err = decodeBase64(r.BatchCertificate); err != nil {
		return out, errors.New("the certificate of a status report is not base64")
	}
	return out, nil
}

// parseDate reads a day; "" is the zero time.
func parseDate(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a date", clip(s, 40))
	}
	return day, nil
}

// parseRoot reads a certificate in base64, with or without PEM armour or line breaks.
func parseRoot(text string) (*x509.Certificate, error) {
	if strings.Contains(text, "-----BEGIN") {
		certs, err := ParseRoots([]byte(text))
		if err != nil {
			return nil, err
		}
		if len(certs) != 1 {
			return nil, errors.New("more than one certificate in one string")
		}
		return certs[0], nil
	}
	der, err := decodeBase64(text)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	return x509.ParseCertificate(der)
}

// decodeBase64 decodes standard base64 with any white space in it; "" is nil.
func decodeBase64(s string) ([]byte, error) {
	s = strings.Join(strings.Fields(s), "")
	if s == "" {
		return nil, nil
	}
	return base64.StdEncoding.DecodeString(s)
}

// KeyIdentifier gives the name under which metadata lists a U2F model: the hex
// SHA-1 of the public key in its attestation certificate (RFC 5280 §4.2.1.2
// method 1).
func KeyIdentifier(cert *x509.Certificate) (string, error) {
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if rest, err := asn1.Unmarshal(cert.RawSubjectPublicKeyInfo, &spki); err != nil || len(rest) != 0 {
		return "", errors.New("the public key of the certificate does not parse")
	}
	sum := sha1.Sum(spki.Key.RightAlign())
	return hex.EncodeToString(sum[:]), nil
}
