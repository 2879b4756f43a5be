package password

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cardea/internal/directory"
	"cardea/internal/problem"
)

// The length of a password, in characters. Length is the only thing that is
// asked for; a single factor needs more than the eight of a second one.
const (
	MinLength = 12
	MaxLength = 128
)

// common holds, in lower case and without digits and signs around them, what
// long passwords are most often made of. Shorter favourites fail by length.
var common = []string{
	"password", "passwort", "motdepasse", "contrasena", "senha", "wachtwoord", "passphrase", "letmein", "welcome", "willkommen", "bienvenue",
	"iloveyou", "ichliebedich", "jetaime", "teamo", "qwerty", "qwertz", "azerty", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm",
	"qazwsx", "qazwsxedc", "1q2w3e4r", "1qaz2wsx", "1qaz2wsx3edc", "zaq12wsx", "abcdef", "abcdefgh", "abcdefghijkl", "admin", "administrator", "changeme",
	"changethis", "default", "secret", "geheim", "topsecret", "master", "monkey", "dragon", "football", "baseball", "basketball", "superman", "batman",
	"spiderman", "princess", "sunshine", "shadow", "trustno", "starwars", "pokemon", "michael", "jordan", "login", "guest", "user", "test", "testing",
	"computer", "internet", "hello", "hallo", "bonjour", "winter", "summer", "spring", "autumn", "sommer", "january", "february", "march", "april",
	"june", "july", "august", "september", "october", "november", "december", "monday", "friday", "company", "cardea", "passkey",
	"correcthorsebatterystaple",
}

// Check refuses a password that is too short or long, easily guessed, or made
// of the person's or the organisation's name. It is a pure function.
func Check(password string, u directory.User, organisation string) error {
	if !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl) {
		return problem.New(problem.Invalid, "passwordInvalid", "This password holds characters that cannot be typed. Use letters, digits, signs and blanks.").On("password")
	}
	switch n := utf8.RuneCountInString(normal(password)); {
	case n < MinLength:
		return problem.New(problem.Invalid, "passwordTooShort", "A password has at least %d characters. A few words in a row are easy to remember.", MinLength).On("password")
	case n > MaxLength:
		return problem.New(problem.Invalid, "passwordTooLong", "A password has at most %d characters.", MaxLength).On("password")
	}
	low := strings.ToLower(normal(password))
	if guessable(low) {
		return problem.New(problem.Invalid, "passwordTooCommon", "This password is among the first that an attacker tries. Use a few words in a row that do not belong together.").On("password")
	}
	local, domain, _ := strings.Cut(strings.ToLower(u.UserPrincipalName), "@")
	site, _, _ := strings.Cut(domain, ".")
	names := []string{local, site}
	for _, text := range []string{u.DisplayName, u.GivenName, u.Surname, organisation} {
		names = append(names, strings.Fields(strings.ToLower(text))...)
	}
	rest := low
	for _, name := range names {
		if utf8.RuneCountInString(name) >= 4 {
			rest = strings.ReplaceAll(rest, name, "")
		}
	}
	if rest != low && utf8.RuneCountInString(core(rest)) < 8 {
		return problem.New(problem.Invalid, "passwordHoldsName", "This password is little more than a name. Use a few words in a row that have nothing to do with you.").On("password")
	}
	return nil
}

// guessable looks at a password in lower case: one of the common words with
// ornaments or repeated, few different characters, or a row of neighbours.
func guessable(low string) bool {
	seen := map[rune]bool{}
	var last rune
	neighbours := 0
	for i, r := range low {
		if step := r - last; i > 0 && step >= -1 && step <= 1 {
			neighbours++
		}
		seen[r], last = true, r
	}
	if len(seen) < 5 || neighbours >= utf8.RuneCountInString(low)*2/3 {
		return true
	}
	rest := low
	for _, word := range common {
		rest = strings.ReplaceAll(rest, word, "")
	}
	if rest != low && utf8.RuneCountInString(core(rest)) < 4 {
		return true
	}
	plain := strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "@", "a", "$", "s", "!", "i").Replace(core(low))
	return slices.Contains(common, plain) || slices.Contains(common, core(low))
}

// core is what remains without the digits and signs around it.
func core(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}
