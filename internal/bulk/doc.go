// Package bulk is the machinery of commands that do one thing for many rows:
// provision 5,000 passkeys, import 100,000 people. It knows nothing of people
// or of HTTP.
//
// The life of a run: a Table reads a CSV file as a stream and names every
// fault with its line; a Journal remembers on disk what was begun and what is
// done, so that a run that was killed goes on where it stood; a Gate lets a
// few workers through and slows all of them down when the server asks for it;
// a Meter says how far it is and how long it takes.
//
// It promises bounded memory: a row costs some 60 bytes, whatever the file
// holds. It keeps no secrets: nothing that a caller does not put into an Entry
// is written.
package bulk
