// Package mds reads the metadata of the FIDO Metadata Service: which models of
// authenticator exist, which roots their attestations end at, what they can
// do, and whether something bad has become known about them.
//
// The life of the metadata. One signed document, the BLOB, is fetched daily
// (Fetcher) or uploaded by an administrator (Fetcher.Accept). Open checks its
// form, its chain to a configured root and its signature; CheckRevocation asks
// whether the signer was revoked; Opened.Metadata compares its number with the
// stored one and parses the entries. The result is an immutable *Metadata. It
// is stored as bytes with a keyed mark (Metadata.Encode) and read back at every
// start without checking the signature again (Decode).
//
// Promises. Nothing here knows a person, a policy or a database: values go out
// and somebody else stores them. The store of the operating system is never a
// source of trust. Time is an argument. A failure never touches what the
// caller already has, and start-up never waits for any of this. No entry, icon
// or BLOB is part of this repository (WA-64): the deployment fetches its own.
//
// What it does not do: verify attestation statements (package webauthn), decide
// what a profile accepts (package passkey), keep icons (WA-62).
//
// Rules WA-50 to WA-72 of the specification and PK-91, PK-92, PK-97 to PK-100
// are tested here under these names.
package mds
