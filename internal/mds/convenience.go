package mds

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"cardea/internal/problem"
)

// MaxConvenience bounds the convenience metadata, in bytes (WA-72).
const MaxConvenience = 16 << 20

// CodeNamesMalformed is for convenience metadata that is not what it should be.
const CodeNamesMalformed = "metadataNamesMalformed"

// Convenience holds names of models in several languages, from the FIDO
// Convenience Metadata Service. It is not signed: for display only (WA-71).
// It never changes. A nil *Convenience has no names.
type Convenience struct {
	names map[AAGUID]map[string]string // by language tag in lower case
}

// ParseConvenience reads the JSON object of AAGUIDs. What is not an AAGUID with
// names is left out; icons are not kept.
func ParseConvenience(text []byte) (*Convenience, error) {
	bad := problem.New(problem.Invalid, CodeNamesMalformed,
		"These names of authenticators cannot be read. The names already stored stay in use; check the address of the convenience metadata.")
	if len(text) > MaxConvenience {
		return nil, bad
	}
	if err := checkShape(text); err != nil {
		return nil, bad.Because(err)
	}
	var wire map[string]json.RawMessage
	if err := json.Unmarshal(text, &wire); err != nil {
		return nil, bad.Because(err)
	}
	if len(wire) > maxEntries {
		return nil, bad
	}
	c := &Convenience{names: map[AAGUID]map[string]string{}}
	for key, raw := range wire {
		id, err := ParseAAGUID(key)
		if err != nil || id == (AAGUID{}) {
			continue
		}
		var v struct {
			Names map[string]string `json:"friendlyNames"`
		}
		if json.Unmarshal(raw, &v) != nil {
			continue
		}
		if names := displayNames(v.Names); names != nil {
			c.names[id] = names
		}
	}
	return c, nil
}

// Len is the number of models with a name.
func (c *Convenience) Len() int {
	if c == nil {
		return 0
	}
	return len(c.names)
}

// Name gives the name of a model in a language: the tag itself, then shorter
// ones ("de" for "de-AT"), then another region of the same language. "" if the
// language has none.
func (c *Convenience) Name(aaguid AAGUID, lang string) string {
	if c == nil {
		return ""
	}
	return inLanguage(c.names[aaguid], lang)
}

func inLanguage(names map[string]string, lang string) string {
	lang = strings.ToLower(strings.ReplaceAll(lang, "_", "-"))
	for tag := lang; tag != ""; {
		if n := names[tag]; n != "" {
			return n
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	language, _, _ := strings.Cut(lang, "-")
	if language == "" {
		return ""
	}
	for _, tag := range slices.Sorted(maps.Keys(names)) {
		if strings.HasPrefix(tag, language+"-") {
			return names[tag]
		}
	}
	return ""
}

// Encode writes the names for storage, marked with key.
func (c *Convenience) Encode(key []byte) ([]byte, error) {
	wire := make(map[string]map[string]string, len(c.names))
	for id, names := range c.names {
		wire[FormatAAGUID(id)] = names
	}
	content, err := json.Marshal(wire)
	if err != nil {
		return nil, err
	}
	return seal(kindConvenience, content, key)
}

// DecodeConvenience reads what Convenience.Encode wrote.
func DecodeConvenience(data, key []byte) (*Convenience, error) {
	content, err := unseal(kindConvenience, data, key)
	if err != nil {
		return nil, err
	}
	var wire map[string]map[string]string
	if err := json.Unmarshal(content, &wire); err != nil {
		return nil, damaged("the names do not parse").Because(err)
	}
	c := &Convenience{names: make(map[AAGUID]map[string]string, len(wire))}
	for key, names := range wire {
		id, err := ParseAAGUID(key)
		if err != nil {
			return nil, damaged("an AAGUID does not parse").Because(err)
		}
		c.names[id] = names
	}
	return c, nil
}
