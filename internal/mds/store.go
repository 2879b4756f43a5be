package mds

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"time"

	"cardea/internal/problem"
)

// Kinds of stored bytes. The kind is under the mark, so that bytes of one kind
// never pass for another.
const (
	kindMetadata    = "cardea mds metadata 1\n"
	kindUpload      = "cardea mds upload 1\n"
	kindConvenience = "cardea mds names 1\n"
)

// maxStored bounds what is read back.
const maxStored = 64 << 20

// minKey is the shortest key accepted for marks, in bytes.
const minKey = 32

// CodeDamaged is for stored bytes whose mark does not fit: changed, cut, or
// written under another key. The caller goes on as if there were none.
const CodeDamaged = "metadataDamaged"

func damaged(reason string) *problem.Error {
	return problem.New(problem.Internal, CodeDamaged,
		"The stored FIDO metadata cannot be used: %s. It is fetched again at the next refresh, or upload the file.", reason)
}

// seal is kind, mark (HMAC-SHA256), content.
func seal(kind string, content, key []byte) ([]byte, error) {
	if len(key) < minKey {
		return nil, problem.New(problem.Internal, "metadataKeyTooShort", "The key for stored metadata has %d bytes. Give one of %d or more.", len(key), minKey)
	}
	out := make([]byte, 0, len(kind)+sha256.Size+len(content))
	out = append(out, kind...)
	out = append(out, mark(kind, content, key)...)
	return append(out, content...), nil
}

// unseal returns the content of sealed bytes; it looks at nothing before the
// mark holds.
func unseal(kind string, data, key []byte) ([]byte, error) {
	if len(key) < minKey {
		return nil, problem.New(problem.Internal, "metadataKeyTooShort", "The key for stored metadata has %d bytes. Give one of %d or more.", len(key), minKey)
	}
	if len(data) > maxStored {
		return nil, damaged("it is too large")
	}
	rest, ok := bytes.CutPrefix(data, []byte(kind))
	if !ok || len(rest) < sha256.Size {
		return nil, damaged("it has another form")
	}
	content := rest[sha256.Size:]
	if !hmac.Equal(rest[:sha256.Size], mark(kind, content, key)) {
		return nil, damaged("its integrity mark does not fit")
	}
	return content, nil
}

func mark(kind string, content, key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(kind))
	h.Write(content)
	return h.Sum(nil)
}

type storedMetadata struct {
	Number     int64         `json:"number"`
	NextUpdate time.Time     `json:"nextUpdate"`
	VerifiedAt time.Time     `json:"verifiedAt"`
	Root       []byte        `json:"root"`
	RootName   string        `json:"rootName"`
	Skipped    []Warning     `json:"skipped,omitempty"`
	Entries    []storedEntry `json:"entries"`
}

type storedEntry struct {
	ID string `json:"aaguid,omitempty"`
	*Entry
}

// Encode writes the parsed metadata for storage, marked with key (32 bytes or
// more, WA-59).
func (m *Metadata) Encode(key []byte) ([]byte, error) {
	s := storedMetadata{Number: m.Number, NextUpdate: m.NextUpdate, VerifiedAt: m.VerifiedAt, Root: m.Root[:], RootName: m.RootName, Skipped: m.Skipped}
	for e := range m.All() {
		stored := storedEntry{Entry: e}
		if e.AAGUID != (AAGUID{}) {
			stored.ID = FormatAAGUID(e.AAGUID)
		}
		s.Entries = append(s.Entries, stored)
	}
	content, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return seal(kindMetadata, content, key)
}

// Decode reads what Encode wrote. It checks the mark and not the signature: that
// was done when the BLOB came. Errors are metadataDamaged.
func Decode(data, key []byte) (*Metadata, error) {
	content, err := unseal(kindMetadata, data, key)
	if err != nil {
		return nil, err
	}
	return decodeContent(content)
}

func decodeContent(content []byte) (*Metadata, error) {
	if err := checkShape(content); err != nil {
		return nil, damaged("it does not parse").Because(err)
	}
	var s storedMetadata
	if err := json.Unmarshal(content, &s); err != nil || len(s.Root) != sha256.Size || s.Number < 1 {
		return nil, damaged("it does not parse").Because(err)
	}
	m := &Metadata{Number: s.Number, NextUpdate: s.NextUpdate, VerifiedAt: s.VerifiedAt, Root: [32]byte(s.Root), RootName: s.RootName, Skipped: s.Skipped}
	entries := make([]*Entry, 0, len(s.Entries))
	for _, stored := range s.Entries {
		e := stored.Entry
		if e == nil {
			return nil, damaged("an entry is empty")
		}
		if stored.ID != "" {
			id, err := ParseAAGUID(stored.ID)
			if err != nil || id == (AAGUID{}) {
				return nil, damaged("an AAGUID does not parse").Because(err)
			}
			e.AAGUID = id
		}
		entries = append(entries, e)
	}
	m.index(entries)
	return m, nil
}
