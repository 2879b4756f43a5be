package mds

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTreeHoldsNoMetadataWA64 scans what the repository holds: no signed BLOB, no
// metadata statement, no icons of authenticators. Tests make their own.
func TestTreeHoldsNoMetadataWA64(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // another test's temporary file is gone again
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "node_modules", "bin", "test-results": // what git ignores; programs name the members they read
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(path, ".go") {
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > 64<<20 {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		files++
		if why := looksLikeMetadata(text); why != "" {
			t.Errorf("%s holds %s: remove it, and make metadata with mdstest", path, why)
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Fatalf("%v, %d files", err, files)
	}
}

// looksLikeMetadata says what of the FIDO Metadata Service a file holds, "" if nothing.
func looksLikeMetadata(text []byte) string {
	trimmed := bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(trimmed, []byte("eyJ")) && bytes.Count(trimmed, []byte(".")) == 2 && len(trimmed) > 1000 && !bytes.ContainsAny(trimmed, " {\n"):
		return "a signed BLOB"
	case bytes.Contains(text, []byte(`"attestationRootCertificates"`)) && bytes.Contains(text, []byte(`"protocolFamily"`)):
		return "a metadata statement"
	case bytes.Contains(text, []byte(`"friendlyNames"`)) && bytes.Contains(text, []byte("data:image/")):
		return "names and icons of authenticators"
	}
	return ""
}

func TestLooksLikeMetadata(t *testing.T) {
	for text, want := range map[string]bool{
		"eyJ" + strings.Repeat("A", 2000) + ".e30.AA\n":                   true,
		`{"protocolFamily": "fido2", "attestationRootCertificates": []}`:  true,
		`{"x": {"friendlyNames": {}, "icon": "data:image/png;base64,A"}}`: true,
		"# Metadata\nThe BLOB is never part of this repository.":          false,
	} {
		if got := looksLikeMetadata([]byte(text)) != ""; got != want {
			t.Errorf("%.40q: %v", text, got)
		}
	}
}
