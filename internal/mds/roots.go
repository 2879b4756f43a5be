package mds

import (
	"crypto/x509"
	"embed"
	"encoding/pem"
	"fmt"
)

//go:embed roots/*.pem
var rootFiles embed.FS

// DefaultRoots gives the roots that sign the FIDO Metadata Service: GlobalSign
// R46 (since August 2026) and R3 (before). A deployment may configure others.
func DefaultRoots() ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, name := range []string{"globalsign-r46.pem", "globalsign-r3.pem"} {
		text, err := rootFiles.ReadFile("roots/" + name)
		if err != nil {
			return nil, err
		}
		certs, err := ParseRoots(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, certs...)
	}
	return out, nil
}

// ParseRoots reads certificates from PEM text; anything else in it is an error,
// so that a mistake in a file of roots does not pass for a shorter file.
func ParseRoots(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a PEM block of type %q where a CERTIFICATE belongs", clip(block.Type, 40))
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(out)+1, err)
		}
		out = append(out, cert)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no certificate in PEM form")
	}
	return out, nil
}
