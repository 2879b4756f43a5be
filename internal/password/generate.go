package password

import "crypto/rand"

// letters are those that nobody mixes up when reading or dictating.
const letters = "abcdefghjkmnpqrstuvwxyz23456789"

// Generate makes up a password for somebody else: four groups of four, 79 bits,
// that always passes Check.
func Generate() string {
	for {
		var out []byte
		var b [1]byte
		for len(out) < 19 {
			if len(out)%5 == 4 {
				out = append(out, '-')
				continue
			}
			// Of 256 values the first 248 are eight times the alphabet: no letter is likelier.
			if rand.Read(b[:]); int(b[0]) < 256/len(letters)*len(letters) {
				out = append(out, letters[int(b[0])%len(letters)])
			}
		}
		if text := string(out); !guessable(text) {
			return text
		}
	}
}
