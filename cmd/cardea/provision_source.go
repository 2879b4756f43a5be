package main

import (
	"context"
	"encoding/json"
)

// source makes the credentials of a provisioning run: keys in software, the
// answers of a factory, security keys in a reader.
//
// For each row the run calls Create, writes the credential's id to the
// journal, registers it at the server, and calls Settle. It may be called by
// as many workers as Parallel says.
type source interface {
	// Check names what is wrong with a row before anything happens, as a
	// *bulk.Fault: no serial number, no such response. It changes nothing.
	Check(row *manyRow) error

	// Parallel is the number of workers the source bears, at most the one
	// given; and whether Create needs creation options of the server.
	Parallel(workers int) (n int, needsOptions bool)

	// Create makes a credential for the person of the row. A credential that
	// an earlier run had begun is used again if the source still has it. ctx
	// ends when the person interrupts: waiting for a key ends with it. What
	// has to outlive a crash is on the disk when Create returns.
	Create(ctx context.Context, o order) (made, error)

	// Settle hears what became of a credential. After an error the source
	// removes it where it can: from the key in the reader.
	Settle(ctx context.Context, c made, err error) error

	Close() error
}

// order is a credential that is wanted.
type order struct {
	Row     manyRow
	Options json.RawMessage // the member publicKey of the creation options; nil if the source needs none
	Begun   string          // base64url id of the credential that an earlier run began; "" if none
	Origin  string          // of the client data: the server's address
}

// made is a new credential as POST fido2Methods takes it.
type made struct {
	ID         string // base64url, without padding
	Credential any    // publicKeyCredential
}
