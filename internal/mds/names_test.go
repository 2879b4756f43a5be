package mds

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"cardea/internal/mds/mdstest"
)

// The table of the specification, PK §5.5, written a second time on purpose.
func TestProvidersWA66(t *testing.T) {
	for _, row := range []struct {
		aaguid, name string
		class        Class
		sync         Sync
	}{
		{"de1e552d-db1d-4423-a619-566b625cdc84", "Microsoft Authenticator", ClassAuthenticator, DeviceBound},
		{"90a3ccdf-635c-4729-a248-9b709135078f", "Microsoft Authenticator", ClassAuthenticator, DeviceBound},
		{"08987058-cadc-4b81-b6e1-30de50dcbe96", "Windows Hello", ClassWindows, DeviceBound},
		{"9ddd1817-af5a-4672-a2b9-3e3dd95000a9", "Windows Hello", ClassWindows, DeviceBound},
		{"6028b017-b1d4-4c02-b4b3-afcdafc96bb2", "Windows Hello", ClassWindows, DeviceBound},
		{"fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "iCloud Keychain", ClassApple, Synced},
		{"dd4ec289-e01d-41c9-bb89-70fa845d4bf2", "iCloud Keychain (managed)", ClassApple, Synced},
		{"ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", "Google Password Manager", ClassGoogle, Synced},
		{"53414d53-554e-4700-0000-000000000000", "Samsung Pass", ClassSamsung, Synced},
		{"adce0002-35bc-c60a-648b-0b25f1f05503", "Chrome on Mac", ClassOther, DeviceBound},
		{"771b48fd-d3d4-4f74-9232-fc157ab0507a", "Edge on Mac", ClassOther, DeviceBound},
		{"d3452668-01fd-4c12-926c-83a4204853aa", "Microsoft Password Manager", ClassOther, Synced},
		{"bada5566-a7aa-401f-bd96-45619a55120d", "1Password", ClassOther, Synced},
		{"d548826e-79b4-db40-a3d8-11116f7e8349", "Bitwarden", ClassOther, Synced},
		{"531126d6-e717-415c-9320-3d9aa6981239", "Dashlane", ClassOther, Synced},
		{"0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6", "Keeper", ClassOther, Synced},
		{"50726f74-6f6e-5061-7373-50726f746f6e", "Proton Pass", ClassOther, Synced},
		{"fdb141b2-5d84-443e-8a35-4698c205a502", "KeePassXC", ClassOther, SyncUnknown},
		{"b78a0a55-6ef8-d246-a042-ba0f6d55050c", "LastPass", ClassOther, Synced},
	} {
		p, ok := ProviderOf(id(row.aaguid))
		if !ok || p.Name != row.name || p.Class != row.class || p.Sync != row.sync || ProviderName(id(row.aaguid)) != row.name || ProviderClass(id(row.aaguid)) != row.class {
			t.Errorf("%s: %+v", row.aaguid, p)
		}
	}
	if _, ok := ProviderOf(AAGUID{}); ok || ProviderName(id(keyA)) != "" || ProviderClass(id(keyA)) != ClassOther {
		t.Error("an unknown AAGUID has a provider")
	}
}

func TestProviderGroupsPK100(t *testing.T) {
	size, seen := map[string]int{}, map[AAGUID]bool{}
	for _, p := range Providers() {
		size[p.Name] = len(p.Members)
		for _, m := range p.Members {
			if seen[m.AAGUID] {
				t.Errorf("%s twice", FormatAAGUID(m.AAGUID))
			}
			seen[m.AAGUID] = true
		}
	}
	if size["Microsoft Authenticator"] != 2 || size["Windows Hello"] != 3 || len(seen) != 19 {
		t.Errorf("groups %v, %d AAGUIDs", size, len(seen))
	}
	Providers()[0].Name = "changed"
	if Providers()[0].Name != "Microsoft Authenticator" {
		t.Error("a caller can change the table")
	}
}

const bitwarden = "d548826e-79b4-db40-a3d8-11116f7e8349"

func convenience(t testing.TB) *Convenience {
	return must(ParseConvenience([]byte(`{
		"` + bitwarden + `": {"friendlyNames": {"en-US": "Bitwarden Vault", "de": "Bitwarden-Tresor", "pt-BR": "Cofre", "pt-PT": "Cofre PT"}, "icon": "data:image/png;base64,AAAA"},
		"` + strings.ToUpper(keyA) + `": {"friendlyNames": {"en-US": "Line\none\u202e", "fr": ""}},
		"00000000-0000-0000-0000-000000000000": {"friendlyNames": {"en": "nobody"}},
		"not an id": {"friendlyNames": {"en": "nothing"}},
		"` + keyB + `": {"friendlyNames": ["not", "a", "map"]},
		"11111111-2222-4333-8444-555555555556": {}
	}`)))(t)
}

func TestNameOrderWA72(t *testing.T) {
	c := convenience(t)
	entry := only(t, mdstest.SecurityKey(keyA, "Key from metadata"))
	for _, row := range []struct {
		name, aaguid, lang string
		c                  *Convenience
		e                  *Entry
		want               string
	}{
		{"convenience first", bitwarden, "en-US", c, nil, "Bitwarden Vault"},
		{"case and underscore of the tag", bitwarden, "EN_us", c, nil, "Bitwarden Vault"},
		{"shorter tag", bitwarden, "de-AT", c, nil, "Bitwarden-Tresor"},
		{"another region", bitwarden, "en-GB", c, nil, "Bitwarden Vault"},
		{"another region, first by alphabet", bitwarden, "pt", c, nil, "Cofre"},
		{"not in the person's language: own table", bitwarden, "ja", c, nil, "Bitwarden"},
		{"no language: own table", bitwarden, "", c, nil, "Bitwarden"},
		{"no convenience metadata: own table", bitwarden, "en-US", nil, nil, "Bitwarden"},
		{"own table before metadata", bitwarden, "ja", c, entry, "Bitwarden"},
		{"metadata last", keyA, "ja", c, entry, "Key from metadata"},
		{"convenience before metadata, cleaned", keyA, "en", c, entry, "Line one"},
		{"nothing known", keyB, "en", c, nil, ""},
		{"zero", FormatAAGUID(AAGUID{}), "en", c, nil, ""},
	} {
		if got := Name(id(row.aaguid), row.lang, row.c, row.e); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	if c.Len() != 2 {
		t.Errorf("%d models have names", c.Len())
	}
	if Model(id(bitwarden), entry) != "Key from metadata" || Model(id(bitwarden), nil) != "Bitwarden" || Model(id(keyB), nil) != "" {
		t.Error("PK §7.1: model is the metadata description, else the provider, else nothing")
	}
}

func TestConvenienceRefusesWA72(t *testing.T) {
	many := map[string]any{}
	for i := range maxEntries + 1 {
		many[FormatAAGUID(AAGUID{1, byte(i >> 8), byte(i)})] = nil
	}
	for name, text := range map[string][]byte{
		"empty":     nil,
		"a list":    []byte("[]"),
		"too deep":  []byte(strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)),
		"too large": append([]byte(`{"a":"`), bytes.Repeat([]byte("x"), MaxConvenience)...),
		"too many":  must(json.Marshal(many))(t),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConvenience(text)
			wantCode(t, err, CodeNamesMalformed)
		})
	}
}

func TestConvenienceIsStoredMarked(t *testing.T) {
	c := convenience(t)
	data := must(c.Encode(testKey))(t)
	if bytes.Contains(data, []byte("image/png")) {
		t.Error("icons are kept")
	}
	back, err := DecodeConvenience(data, testKey)
	if err != nil || !reflect.DeepEqual(c, back) {
		t.Fatalf("%v, %+v", err, back)
	}
	data[len(data)-3] ^= 1
	_, err = DecodeConvenience(data, testKey)
	wantCode(t, err, CodeDamaged)
}

func TestDisplayText(t *testing.T) {
	for in, want := range map[string]string{
		"  a \t\n b ":               "a b",
		"a\u202eb\u2066c\u200fd":    "abcd",
		"\x00\x1b[31mred":           "[31mred",
		"\xff\xfea":                 "a",
		strings.Repeat("ü", 300):    strings.Repeat("ü", 200),
		"Schlüssel 鍵 🔑":             "Schlüssel 鍵 🔑",
		strings.Repeat("a ", 150):   strings.TrimSpace(strings.Repeat("a ", 100)),
		"\u0085next\u2028line":      "next line",
		"<script>alert(1)</script>": "<script>alert(1)</script>", // escaping is the page's business
	} {
		if got := displayText(in); got != want || !utf8.ValidString(got) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
