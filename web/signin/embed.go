// Package signinweb holds the files of the pages for people: templates, the one
// style sheet, the one small script, the catalogue of texts, and Cardea's mark.
// internal/page renders them.
package signinweb

import "embed"

// Files are embedded in the binary; nothing is read from disk at run time.
//
//go:embed pages/*.html signin.css signin.js mark.svg words.en.txt
var Files embed.FS
