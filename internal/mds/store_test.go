package mds

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cardea/internal/mds/mdstest"
)

var testKey = bytes.Repeat([]byte{7}, 32)

func sha1Hex(b []byte) string {
	sum := sha1.Sum(b)
	return hex.EncodeToString(sum[:])
}

// sample has every kind of entry.
func sample(t testing.TB) *Metadata {
	root := testRoot(t, "A")
	m, _ := parsed(t,
		mdstest.SecurityKey(keyA, "Key <A> & \"friends\"", root, testRoot(t, "B")).Set("multiDeviceCredentialSupport", "explicit").
			Report(mdstest.Status("ATTESTATION_KEY_COMPROMISE", "2025-01-01", root)),
		mdstest.U2FKey(sha1Hex([]byte("x")), "U2F", root),
		mdstest.SecurityKey("broken", "Broken"),
		mdstest.Entry{"aaguid": keyB})
	return m
}

func TestStoreWA59(t *testing.T) {
	m := sample(t)
	data := must(m.Encode(testKey))(t)
	back, err := Decode(data, testKey)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m, back) {
		t.Errorf("stored\n%+v\nread back\n%+v", m, back)
	}
	if again := must(back.Encode(testKey))(t); !bytes.Equal(data, again) {
		t.Error("the same metadata is stored differently")
	}
}

func TestStoreRefusesChangesWA59(t *testing.T) {
	data := must(sample(t).Encode(testKey))(t)
	for i := range data { // each bit of the beginning, and then one bit of each byte
		for bit := range 8 {
			if i > 80 && bit > 0 {
				break
			}
			changed := slices.Clone(data)
			changed[i] ^= 1 << bit
			if m, err := Decode(changed, testKey); err == nil || m != nil {
				t.Fatalf("bit %d of byte %d is not protected", bit, i)
			}
		}
	}
	other := bytes.Repeat([]byte{8}, 32)
	for name, row := range map[string]struct{ data, key []byte }{
		"another key":    {data, other},
		"nothing":        {nil, testKey},
		"cut":            {data[:len(data)-1], testKey},
		"longer":         {append(slices.Clone(data), 'x'), testKey},
		"prefix only":    {[]byte(kindMetadata), testKey},
		"another kind":   {must(seal(kindConvenience, data[len(kindMetadata)+32:], testKey))(t), testKey},
		"kind exchanged": {append([]byte(kindUpload), data[len(kindMetadata):]...), testKey},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(row.data, row.key)
			wantCode(t, err, CodeDamaged)
		})
	}
	// An upload's bytes in the place of metadata, under the right key.
	u := must(ParseUpload([]byte(uploadText1(t))))(t)
	_, err := Decode(must(u.Encode(testKey))(t), testKey)
	wantCode(t, err, CodeDamaged)
}

func TestStoreRefusesShortKeys(t *testing.T) {
	m := sample(t)
	_, err := m.Encode(testKey[:31])
	wantCode(t, err, "metadataKeyTooShort")
	_, err = Decode(must(m.Encode(testKey))(t), nil)
	wantCode(t, err, "metadataKeyTooShort")
}

func TestMarkedButSenseless(t *testing.T) {
	root := strings.Repeat("A", 43) + "="
	for name, content := range map[string]string{
		"not JSON":    "hello",
		"deep":        strings.Repeat("[", 100),
		"no root":     `{"number":1,"entries":[]}`,
		"no number":   `{"root":"` + root + `","entries":[]}`,
		"null entry":  `{"number":1,"root":"` + root + `","entries":[{}]}`,
		"bad AAGUID":  `{"number":1,"root":"` + root + `","entries":[{"aaguid":"x","source":"mds"}]}`,
		"zero AAGUID": `{"number":1,"root":"` + root + `","entries":[{"aaguid":"00000000-0000-0000-0000-000000000000","source":"mds"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(must(seal(kindMetadata, []byte(content), testKey))(t), testKey)
			wantCode(t, err, CodeDamaged)
		})
	}
}
