// Package layers has no code, only a test: the import rules of this program.
// ARCHITECTURE.md explains them.
package layers

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "cardea/internal/"

// order lists the packages from the top of the program to the bottom. A
// package may import what stands on a lower line, never its own line or one
// above. "!" forbids a package from outside to a whole line.
var order = [][]string{
	{"server"},
	{"graph", "oidc", "signin", "account", "console", "scim", "!database/sql"}, // edges never import one another
	{"report", "sweep", "demo", "!net/http"},
	{"condaccess", "!net/http"},
	{"passkey", "!net/http"},
	{"password", "oath", "accesspass", "!net/http"},
	{"session", "!net/http"},
	{"application", "!net/http"},
	{"directory", "!net/http"},
	{"throttle", "!net/http"},
	{"audit", "!net/http"},
	{"page", "mail", "!database/sql"},
	{"mds/mdstest", "!database/sql"},
	{"mds", "!database/sql"},
	{"webauthn", "odata", "rule", "netrange", "!database/sql", "!net/http"},
	{"ctap", "!database/sql", "!net/http"},
	{"bulk", "softkey", "!database/sql", "!net/http"},
	{"jose", "!database/sql", "!net/http"},
	{"db", "!net/http"},
	{"problem"},
}

// kits are for tests: they may import everything, and only tests import them.
var kits = []string{module + "cardeatest", module + "cardeatest/house", module + "ctap/ctaptest", module + "db/dbtest", module + "layers"}

type pkg struct {
	ImportPath           string
	Imports, TestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "cardea/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func TestLayers(t *testing.T) {
	level, banned := map[string]int{}, map[int][]string{}
	for i, line := range order {
		for _, p := range line {
			if b, ok := strings.CutPrefix(p, "!"); ok {
				banned[i] = append(banned[i], b)
			} else {
				level[module+p] = i
			}
		}
	}
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.ImportPath, module) || slices.Contains(kits, p.ImportPath) {
			continue
		}
		mine, ok := level[p.ImportPath]
		if !ok {
			t.Errorf("%s has no line in the table above: decide where it belongs", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if theirs, ok := level[imp]; ok && theirs <= mine {
				t.Errorf("%s must not import %s: it is not below it", p.ImportPath, imp)
			}
			if slices.Contains(banned[mine], imp) {
				t.Errorf("%s must not import %s", p.ImportPath, imp)
			}
			if slices.Contains(kits, imp) {
				t.Errorf("%s must not import the test kit %s", p.ImportPath, imp)
			}
		}
	}
}
