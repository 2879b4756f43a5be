package jose_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cardea/internal/jose"
	"cardea/internal/problem"
)

func TestLoadMasterMakesOneFileForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs { // processes that start together
		wait.Go(func() { _, errs[i] = jose.LoadMaster(path) })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o, want 0600", info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(key) != 32 {
		t.Errorf("the file holds %d bytes (%v), want 32 in base64 on one line", len(key), err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("files beside the key: %v %v", left, err)
	}
}

func TestLoadMasterRefuses(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	for _, c := range []struct {
		name, text, code string
		mode             os.FileMode
	}{
		{"readable by the group", good, "masterKeyReadable", 0o640},
		{"readable by all", good, "masterKeyReadable", 0o604},
		{"short", base64.StdEncoding.EncodeToString(make([]byte, 31)), "masterKeyBroken", 0o600},
		{"empty", "", "masterKeyBroken", 0o600},
		{"no base64", "hello, this is not a key at all", "masterKeyBroken", 0o600},
		{"another file", strings.Repeat("A", 5000), "masterKeyBroken", 0o600},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "master.key")
			if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil { // the umask may have taken bits
				t.Fatal(err)
			}
			if _, err := jose.LoadMaster(path); problem.CodeOf(err) != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
}

func TestRingRefusesAnotherMaster(t *testing.T) {
	d := sqlite(t)
	open(t, d, master(t))
	if _, err := jose.OpenRing(t.Context(), d, master(t), start); problem.CodeOf(err) != "masterKeyOther" {
		t.Errorf("got %v, want masterKeyOther", err)
	}
}
