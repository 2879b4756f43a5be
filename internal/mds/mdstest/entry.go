package mdstest

import (
	"crypto/x509"
	"encoding/base64"
	"maps"
)

// Entry is one entry of a BLOB, as JSON. Its methods return a changed copy.
type Entry map[string]any

// SecurityKey is a certified FIDO2 key that meets every demand of a profile
// that enforces attestation (PK-91).
func SecurityKey(aaguid, name string, roots ...*x509.Certificate) Entry {
	e := Entry{
		"aaguid":                 aaguid,
		"timeOfLastStatusChange": "2024-01-15",
		"metadataStatement": map[string]any{
			"legalHeader":                 "Made by a test. Not FIDO metadata.",
			"aaguid":                      aaguid,
			"description":                 name,
			"friendlyNames":               map[string]any{"en-US": name},
			"authenticatorVersion":        5,
			"protocolFamily":              "fido2",
			"schema":                      3,
			"upv":                         []any{map[string]any{"major": 1, "minor": 0}},
			"attestationTypes":            []any{"basic_full"},
			"keyProtection":               []any{"hardware", "secure_element"},
			"attestationRootCertificates": X5C(roots...),
			"authenticatorGetInfo": map[string]any{
				"versions":   []any{"U2F_V2", "FIDO_2_0", "FIDO_2_1"},
				"extensions": []any{"credProtect", "hmac-secret"},
				"options":    map[string]any{"plat": false, "rk": true, "up": true, "clientPin": true},
			},
		},
	}
	return e.Report(map[string]any{"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2024-01-15"})
}

// U2FKey is a U2F key, named by key identifiers (see mds.KeyIdentifier).
func U2FKey(keyIdentifier, name string, roots ...*x509.Certificate) Entry {
	e := SecurityKey("", name, roots...)
	delete(e, "aaguid")
	e["attestationCertificateKeyIdentifiers"] = []any{keyIdentifier}
	return e.Set("protocolFamily", "u2f").Set("aaguid", nil).Set("authenticatorGetInfo", nil)
}

// Set changes a member of the statement; nil removes it.
func (e Entry) Set(member string, value any) Entry {
	statement := maps.Clone(e.statement())
	if value == nil {
		delete(statement, member)
	} else {
		statement[member] = value
	}
	return e.with("metadataStatement", statement)
}

// Info changes a member of the statement's authenticatorGetInfo; nil removes it.
func (e Entry) Info(member string, value any) Entry {
	info, _ := e.statement()["authenticatorGetInfo"].(map[string]any)
	info = maps.Clone(info)
	if info == nil {
		info = map[string]any{}
	}
	if value == nil {
		delete(info, member)
	} else {
		info[member] = value
	}
	return e.Set("authenticatorGetInfo", info)
}

// Reports replaces the status history.
func (e Entry) Reports(reports ...map[string]any) Entry {
	list := make([]any, len(reports))
	for i, r := range reports {
		list[i] = r
	}
	return e.with("statusReports", list)
}

// Report adds a report at the end of the history.
func (e Entry) Report(report map[string]any) Entry {
	old, _ := e["statusReports"].([]any)
	return e.with("statusReports", append(old[:len(old):len(old)], report))
}

// Status is a report for Report and Reports: a status since a day ("": ever)
// and, if certificates are given, about the first of them only.
func Status(status, since string, about ...*x509.Certificate) map[string]any {
	r := map[string]any{"status": status}
	if since != "" {
		r["effectiveDate"] = since
	}
	if len(about) > 0 {
		r["certificate"] = base64.StdEncoding.EncodeToString(about[0].Raw)
	}
	return r
}

func (e Entry) statement() map[string]any {
	s, _ := e["metadataStatement"].(map[string]any)
	return s
}

func (e Entry) with(member string, value any) Entry {
	c := maps.Clone(e)
	c[member] = value
	return c
}
