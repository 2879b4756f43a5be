// Package jose holds the keys of the server: it signs and verifies tokens, and
// it seals small pieces of state that travel with the browser.
//
// The life of a key. It is made by OpenRing (the first ones) or Rotate, stored
// wrapped by the master key, published at once, and used from its active time
// on, ten minutes later: by then every node and every cached key set knows it.
// The next Rotate retires it: it signs and seals no more, and still verifies
// and opens what it made for KeptSigning or KeptSealing. Then it is forgotten.
//
// What it promises:
//   - A Ring is safe for concurrent use. Sign, Verify, Seal and Open do no I/O.
//   - Verify accepts a token only under a header that this Ring itself writes,
//     byte for byte: there is no header to interpret, so none to confuse.
//   - What is sealed for one purpose does not open for another.
//
// What it does not do: it knows no claims but exp and nbf, and no people. Who
// rotates keys hands in the function that writes the audit record.
package jose
