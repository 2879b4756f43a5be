package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var lowerCamel = regexp.MustCompile(`^[a-z][A-Za-z0-9]+$`)

// TestEveryErrorCodeHasHelp reads the source for the codes that reach people
// and wants a section in errors.md for each, and each section in the index.
func TestEveryErrorCodeHasHelp(t *testing.T) {
	codes := findCodes(t)
	// One of each way of making a code, so that the search cannot break silently.
	for _, code := range []string{
		"changed",               // problem.New with a literal
		"metadataOlder",         // problem.New with a constant
		"challengeExpired",      // webauthn's refuse
		"codeUnknown",           // session's errGrant, a function that passes its code on
		"attestationSelf",       // a Reason
		"attestationUnverified", // a Reason and a Cause
		"userNotFound",          // a session.Failure without keys
		"wrongAccessPass",       // a session.Failure with keys
		"emptyAllowList",        // a Warning without keys
		"metadataStale",         // a Warning with a constant
		"aaguidNotAllowed",      // a constant of passkey
		"userNotTargeted",       // a typed constant of passkey
		"authenticatorNotFido2", // a constant of mds
		"acrUnmet",              // oidc's table
		"invalidKeyDataFormat",  // passkey's table
		"verificationFailed",    // assigned to code
		"noCode",                // assigned to a member Fact
	} {
		if codes[code] == "" {
			t.Errorf("the search does not find %q any more", code)
		}
	}
	index, _, _ := strings.Cut(Errors, "\n## ")
	for code, path := range codes {
		if !lowerCamel.MatchString(code) {
			t.Errorf("%s: code %q is not a lowerCamel fact", path, code)
		}
		if _, ok := Help(code); !ok {
			t.Errorf("docs/errors.md has no section for %q (%s)", code, path)
		}
	}
	var last string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(Errors, -1) {
		code := m[1]
		if strings.ToLower(code) <= last {
			t.Errorf("section %q of docs/errors.md is not in the order of the alphabet, or there twice", code)
		}
		last = strings.ToLower(code)
		if n := strings.Count(index, "["+code+"](#"+last+")"); n != 1 {
			t.Errorf("the index of docs/errors.md has %q %d times", code, n)
		}
		paragraphs, _ := Help(code)
		for _, p := range paragraphs {
			if strings.Contains(p, "](") || strings.HasPrefix(p, "|") || strings.HasPrefix(p, "- ") {
				t.Errorf("section %q of docs/errors.md is not plain text: %s", code, p)
			}
		}
		if len(paragraphs) == 0 {
			t.Errorf("section %q of docs/errors.md is empty", code)
		}
	}
}

// codeFiles hold nothing but codes in their string constants, apart from
// notCodes.
var codeFiles = map[string]bool{"passkey/allowed.go": true, "passkey/flags.go": true, "passkey/words.go": true}

var notCodes = map[string]bool{"applies": true}

// codeMembers are the members of structs that hold codes. The number is the
// place in a literal without keys.
var codeMembers = map[string]map[string]int{
	"Error": {"Code": 1}, "Reason": {"Code": 0}, "Failure": {"Fact": 1}, "Warning": {"Code": 0},
	"Trust": {"Reason": 1}, "Evidence": {"Reason": 1}, "Attestation": {"Problem": 3},
}

// findCodes returns every code and a file that makes it.
func findCodes(t *testing.T) map[string]string {
	t.Helper()
	codes := map[string]string{}
	files, constants := parseAll(t)
	makers := findMakers(files)
	for path, file := range files {
		dir := filepath.Dir(path)
		note := func(e ast.Expr) {
			switch e := e.(type) {
			case *ast.Ident:
				if code := constants[dir+"."+e.Name]; code != "" && !notCodes[code] {
					codes[code] = path
				}
			case *ast.SelectorExpr: // another package's constant; every package's folder has its name
				if id, ok := e.X.(*ast.Ident); ok {
					if code := constants[filepath.Join(filepath.Dir(dir), id.Name)+"."+e.Sel.Name]; code != "" {
						codes[code] = path
					}
				}
			case *ast.BasicLit:
				if code, err := strconv.Unquote(e.Value); e.Kind == token.STRING && err == nil && code != "" {
					codes[code] = path
				}
			}
		}
		inMDS := filepath.Base(dir) == "mds"
		constantCodes := codeFiles[filepath.Base(dir)+"/"+filepath.Base(path)]
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if at, ok := makers[dir+"."+called(n.Fun)]; ok && at < len(n.Args) {
					note(n.Args[at])
				}
			case *ast.CompositeLit:
				members := codeMembers[typeName(n.Type)]
				for i, e := range n.Elts {
					kv, keyed := e.(*ast.KeyValueExpr)
					for name, at := range members {
						if id, ok := key(kv); keyed && ok && id == name {
							note(kv.Value)
						} else if !keyed && i == at {
							note(e)
						}
					}
				}
			case *ast.AssignStmt:
				if filepath.Base(dir) == "account" { // its codes are events: "signedInPasskey"
					return true
				}
				for i, to := range n.Lhs {
					if name := lastName(to); i < len(n.Rhs) && (name == "code" || name == "Code" || name == "Fact" || name == "Cause" || name == "Problem" && strings.HasSuffix(dir, "webauthn")) {
						note(n.Rhs[i])
					}
				}
			case *ast.ValueSpec:
				for i, name := range n.Names {
					inTable := name.Name == "meanings" || name.Name == "graphCodes"
					if i >= len(n.Values) {
						continue
					}
					if table, ok := n.Values[i].(*ast.CompositeLit); ok && inTable {
						for _, e := range table.Elts {
							kv := e.(*ast.KeyValueExpr)
							note(kv.Key)
							note(kv.Value)
						}
					}
					mdsCode := inMDS && (strings.HasPrefix(name.Name, "Code") || strings.HasPrefix(name.Name, "Reason") || strings.HasPrefix(name.Name, "Warn"))
					if mdsCode || constantCodes && name.IsExported() {
						note(name)
					}
				}
			}
			return true
		})
	}
	return codes
}

// findMakers returns the functions that make errors with a code, by
// "folder.name", and which argument the code is: problem.New, and every
// function that hands a parameter of its own on as that argument.
func findMakers(files map[string]*ast.File) map[string]int {
	makers := map[string]int{}
	for path := range files {
		makers[filepath.Dir(path)+".problem.New"] = 1
	}
	for grew := true; grew; {
		grew = false
		for path, file := range files {
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Recv != nil || f.Body == nil {
					continue
				}
				parameters := map[string]int{}
				for _, field := range f.Type.Params.List {
					for _, name := range field.Names {
						parameters[name.Name] = len(parameters)
					}
				}
				ast.Inspect(f.Body, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok {
						return true
					}
					at, ok := makers[filepath.Dir(path)+"."+called(call.Fun)]
					if !ok || at >= len(call.Args) {
						return true
					}
					id, ok := call.Args[at].(*ast.Ident)
					if !ok {
						return true
					}
					mine := filepath.Dir(path) + "." + f.Name.Name
					if which, ok := parameters[id.Name]; ok {
						if _, known := makers[mine]; !known {
							makers[mine], grew = which, true
						}
					}
					return true
				})
			}
		}
	}
	return makers
}

// called names what a call calls: "refuse", "problem.New"; "" for the rest.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if id, ok := e.X.(*ast.Ident); ok {
			return id.Name + "." + e.Sel.Name
		}
	}
	return ""
}

// typeName is the last part of the name of a type.
func typeName(e ast.Expr) string {
	if _, ok := e.(*ast.StarExpr); ok {
		return ""
	}
	return lastName(e)
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func key(kv *ast.KeyValueExpr) (string, bool) {
	if kv == nil {
		return "", false
	}
	id, ok := kv.Key.(*ast.Ident)
	if !ok {
		return "", false
	}
	return id.Name, true
}

// parseAll reads the program: its files by path, and its string constants by
// "folder.Name".
func parseAll(t *testing.T) (files map[string]*ast.File, constants map[string]string) {
	t.Helper()
	files, constants = map[string]*ast.File{}, map[string]string{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "cardeatest") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		files[path] = file
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for i := range min(len(v.Names), len(v.Values)) {
					if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
						constants[filepath.Dir(path)+"."+v.Names[i].Name], _ = strconv.Unquote(lit.Value)
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, constants
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

// TestLinks follows the relative links of every Markdown file.
func TestLinks(t *testing.T) {
	n := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			n++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		t.Error("no links found: the search is broken")
	}
}

// TestCommandLineIsDocumented wants every command and every flag of the program
// in cli.md. The flags of the settings come from configure.md's table.
func TestCommandLineIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("cli.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	files, _ := parseAll(t)
	commands, flags := 0, 0
	// want checks a name in code: `name`, `noun name X`, `--name …`.
	want := func(name, kind string) {
		if !regexp.MustCompile("`[^`\n]*" + regexp.QuoteMeta(name) + "\\b[^`\n]*`").MatchString(text) {
			t.Errorf("docs/cli.md does not have the %s %s", kind, name)
		}
	}
	for path, file := range files {
		if filepath.Base(filepath.Dir(path)) != "cardea" || !strings.Contains(path, "cmd") {
			continue
		}
		literal := func(e ast.Expr) string {
			if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s, _ := strconv.Unquote(lit.Value)
				return s
			}
			return ""
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				name := lastName(n.Fun)
				at := -1
				switch name {
				case "StringVar", "StringVarP", "StringSliceVar", "BoolVar", "BoolVarP", "IntVar", "DurationVar":
					at = 1
				case "String", "StringSlice", "Bool":
					at = 0
				case "noun", "verb":
					if s := literal(n.Args[0]); s != "" {
						commands++
						want(strings.Fields(s)[0], "command")
					}
				}
				if at >= 0 && at+1 < len(n.Args) {
					if s := literal(n.Args[at]); s != "" {
						flags++
						want("--"+s, "flag")
					}
				}
			case *ast.KeyValueExpr:
				if id, ok := n.Key.(*ast.Ident); ok && id.Name == "Use" {
					if s := literal(n.Value); s != "" && s != "cardea" {
						commands++
						want(strings.Fields(s)[0], "command")
					}
				}
			}
			return true
		})
	}
	if commands < 30 || flags < 30 {
		t.Errorf("found only %d commands and %d flags: the search is broken", commands, flags)
	}
	settings, err := os.ReadFile("configure.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `CARDEA_([A-Z_]+)`").FindAllStringSubmatch(string(settings), -1) {
		if m[1] != "DATABASE_URL" && m[1] != "SMTP" { // secrets, never flags
			want("--"+strings.ToLower(strings.ReplaceAll(m[1], "_", "-")), "flag")
		}
	}
}

// TestDependenciesAreExplained compares dependencies.md with go.mod.
func TestDependenciesAreExplained(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	direct := regexp.MustCompile(`(?m)^\s+(\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1)
	if len(direct) == 0 {
		t.Fatal("no direct dependencies found in go.mod")
	}
	for _, m := range direct {
		if !strings.Contains(string(text), "| `"+m[1]+"` | ") {
			t.Errorf("docs/dependencies.md does not say what %s is for", m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(string(mod), "\t"+m[1]+" v") {
			t.Errorf("docs/dependencies.md explains %s, which go.mod does not require", m[1])
		}
	}
}

// TestGoExampleCompiles lets the compiler read the Go program of clients.md.
func TestGoExampleCompiles(t *testing.T) {
	text, err := os.ReadFile("clients.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n```go\n")
	if !ok {
		t.Fatal("docs/clients.md has no Go example any more")
	}
	program, _, _ := strings.Cut(after, "\n```")
	path := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(path, []byte(program+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vet := exec.CommandContext(t.Context(), "go", "vet", path)
	vet.Dir = ".." // its modules are this repository's
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("go vet of the example in docs/clients.md: %v\n%s", err, out)
	}
}
