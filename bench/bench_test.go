package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMeasurements: what docs/speed.md tells people to run runs, on few people.
func TestMeasurements(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts servers")
	}
	o := options{workers: 2, length: 20 * time.Millisecond, binary: filepath.Join(t.TempDir(), "cardea")}
	if out, err := exec.Command("go", "build", "-o", o.binary, "../cmd/cardea").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"CARDEA_DATA_DIR", "CARDEA_LISTEN", "CARDEA_DATABASE_URL", "CARDEA_METADATA_URL", "CARDEA_PUBLIC_URL"} {
		t.Setenv(name, "")
	}
	for name, measure := range map[string]func(int, options) error{"directory": measureDirectory, "import": measureImport, "provision": measureProvision} {
		if err := measure(300, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
