package password

import (
	"strings"
	"testing"
	"unicode/utf8"

	"cardea/internal/directory"
	"cardea/internal/problem"
)

var ada = directory.User{UserPrincipalName: "ada.lovelace@contoso.com", DisplayName: "Ada Lovelace"}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ password, code string }{
		{"seven quiet violins", ""},
		{"grüne möhren im käse", ""},
		{"日本語のパスワードは長い方が良い", ""},
		{"x8#Lq!v92Rt_", ""},
		{"my password is a violin", ""},
		{"lovelace likes seven violins", ""},
		{strings.Repeat("seven quiet violins ", 6), ""},
		{"elevenchars", "passwordTooShort"},
		{"", "passwordTooShort"},
		{"u\u0308u\u0308u\u0308u\u0308u\u0308u\u0308", "passwordTooShort"},
		{strings.Repeat("abcdefgh!", 15), "passwordTooLong"},
		{"password1234!", "passwordTooCommon"},
		{"PasswordPassword", "passwordTooCommon"},
		{"P@ssw0rd!!!!!", "passwordTooCommon"},
		{"qwertyuiop123", "passwordTooCommon"},
		{"1q2w3e4r1q2w3e4r", "passwordTooCommon"},
		{"aaaaaaaaaaaaaaaa", "passwordTooCommon"},
		{"abababababababab", "passwordTooCommon"},
		{"abcdefghijklmnop", "passwordTooCommon"},
		{"123456789012345", "passwordTooCommon"},
		{"9876543210987654", "passwordTooCommon"},
		{"December2026!!", "passwordTooCommon"},
		{"Correct Horse Battery Staple"[:12] + "\x00", "passwordInvalid"},
		{"abc\xff defghijklm", "passwordInvalid"},
		{"ada.lovelace1815", "passwordHoldsName"},
		{"Lovelace!18151852", "passwordHoldsName"},
		{"Contoso#2026#x", "passwordHoldsName"},
		{"Fabrikam 2026!", "passwordHoldsName"},
	} {
		err := Check(c.password, ada, "Fabrikam Ltd")
		if c.code == "" && err != nil || c.code != "" && problem.CodeOf(err) != c.code {
			t.Errorf("%q: %v, want %q", c.password, err, c.code)
		}
	}
}

// FuzzCheck: whatever is accepted has a length within the bounds and is text,
// and no refusal repeats the password.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "seven quiet violins", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "ada.lovelace ada.lovelace", strings.Repeat("é", 128)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		err := Check(s, ada, "Fabrikam")
		n := utf8.RuneCountInString(normal(s))
		if err == nil && (n < MinLength || n > MaxLength || !utf8.ValidString(s)) {
			t.Fatalf("accepted %q", s)
		}
		if e, ok := err.(*problem.Error); ok && len(s) > 11 && strings.Contains(e.Detail, s) {
			t.Fatalf("the refusal repeats %q", s)
		}
	})
}
