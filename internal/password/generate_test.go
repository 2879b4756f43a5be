package password_test

import (
	"regexp"
	"testing"

	"cardea/internal/directory"
	"cardea/internal/password"
)

// What is made up passes the rules, for people of any name, and never comes twice.
func TestGenerate(t *testing.T) {
	form := regexp.MustCompile(`^([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}$`)
	seen := map[string]bool{}
	for range 2000 {
		p := password.Generate()
		if seen[p] || !form.MatchString(p) {
			t.Fatalf("%q", p)
		}
		seen[p] = true
		if err := password.Check(p, directory.User{UserPrincipalName: "ada@contoso.com", DisplayName: "Ada Lovelace"}, "Contoso"); err != nil {
			t.Fatalf("%q: %v", p, err)
		}
	}
}
