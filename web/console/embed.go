// Package consoleweb holds the files of the interim administration pages: the
// frame, the style that is added to that of web/signin, the script in parts,
// and the catalogue of texts. internal/page puts them together.
package consoleweb

import "embed"

// Files are embedded in the binary; nothing is read from disk at run time.
//
//go:embed console.html console.css words.en.txt *.js
var Files embed.FS

// Script lists the parts of the script in the order they run: what is built
// from first, the start last.
var Script = []string{"dom.js", "graph.js", "parts.js", "home.js", "policy.js", "profile.js", "passkey.js", "people.js", "person.js", "groups.js", "signins.js", "organisation.js", "console.js"}
