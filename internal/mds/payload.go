package mds

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// maxEntries is ten times what a decade of growth would bring.
const maxEntries = 20_000

// wirePayload holds the members that Cardea reads. Icons have none, so they
// never reach memory of their own (WA-62).
type wirePayload struct {
	Number     int64             `json:"no"`
	NextUpdate string            `json:"nextUpdate"`
	Entries    []json.RawMessage `json:"entries"`
}

// parsePayload reads a verified payload. The frame must be right; an entry that
// does not parse is skipped and named (WA-57).
func parsePayload(raw []byte) (*Metadata, error) {
	var p wirePayload
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, malformed("the payload does not parse").Because(err)
	}
	if p.Number < 1 {
		return nil, malformed("it has no serial number")
	}
	next, err := time.Parse(time.DateOnly, p.NextUpdate)
	if err != nil {
		return nil, malformed("it has no date of the next update").Because(err)
	}
	if len(p.Entries) > maxEntries {
		return nil, malformed("it has more than %d entries", maxEntries)
	}
	m := &Metadata{Number: p.Number, NextUpdate: next}
	b := builder{seen: map[string]*Entry{}}
	for i, raw := range p.Entries {
		b.add(i, raw)
	}
	m.Skipped = b.skipped
	m.index(b.entries)
	return m, nil
}

// builder collects entries and what was left out.
type builder struct {
	entries []*Entry
	seen    map[string]*Entry // by AAGUID and key identifier, as text
	skipped []Warning
}

func (b *builder) add(i int, raw json.RawMessage) {
	e, badRoots, err := parseEntry(raw)
	if err != nil {
		name := entryName(i, raw)
		b.skip(WarnEntrySkipped, name, fmt.Sprintf("Entry %s is not used: %v.", name, err))
		return
	}
	if e == nil { // UAF
		return
	}
	ids := slices.Clone(e.KeyIdentifiers)
	if e.AAGUID != (AAGUID{}) {
		ids = append(ids, FormatAAGUID(e.AAGUID))
	}
	for _, id := range ids {
		// Of two entries for one model the first counts, but bad news about
		// the model counts wherever it stands.
		if first := b.seen[id]; first != nil {
			first.StatusReports = append(first.StatusReports, e.StatusReports...)
			b.skip(WarnEntrySkipped, id, "A second entry for "+id+" is not used, except for its status reports.")
			return
		}
	}
	for _, id := range ids {
		b.seen[id] = e
	}
	for _, err := range badRoots {
		b.skip(WarnRootSkipped, ids[0], fmt.Sprintf("A root of %s is not used: %v.", ids[0], err))
	}
	b.entries = append(b.entries, e)
}

func (b *builder) skip(code, subject, message string) {
	b.skipped = append(b.skipped, Warning{Code: code, Subject: subject, Message: displayText(message)})
}

// entryName finds a name for an entry that may be broken.
func entryName(i int, raw json.RawMessage) string {
	var loose struct {
		AAGUID any `json:"aaguid"`
		AAID   any `json:"aaid"`
		Keys   any `json:"attestationCertificateKeyIdentifiers"`
	}
	// A failure leaves the members empty, and then the place must do.
	_ = json.Unmarshal(raw, &loose)
	if s, ok := loose.AAGUID.(string); ok && s != "" {
		return displayText(clip(s, 60))
	}
	if s, ok := loose.AAID.(string); ok && s != "" {
		return displayText(clip(s, 60))
	}
	if l, ok := loose.Keys.([]any); ok && len(l) > 0 {
		if s, ok := l[0].(string); ok && s != "" {
			return displayText(clip(s, 60))
		}
	}
	return fmt.Sprintf("number %d", i+1)
}
