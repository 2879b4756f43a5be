package mds

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"cardea/internal/problem"
)

// Bounds of a document. A real BLOB of 2026 has 7 MB, depth 9, some 300,000 values.
const (
	MaxBLOB      = 32 << 20 // bytes, as downloaded
	maxHeader    = 256 << 10
	maxDepth     = 32
	maxValues    = 4_000_000
	maxX5C       = 16
	maxSignature = 1024 // an RSA key of 8192 bits
)

// CodeMalformed is for what is not a metadata BLOB at all (WA-50).
const CodeMalformed = "metadataMalformed"

func malformed(format string, args ...any) *problem.Error {
	e := problem.New(problem.Invalid, CodeMalformed, "This is not a FIDO metadata BLOB: "+format, args...)
	e.Detail += ". Fetch it again, or download the file from the FIDO Metadata Service and upload it unchanged. The stored copy stays in use."
	return e
}

// token is a JWS in compact form, taken apart and not verified.
type token struct {
	alg     string
	x5c     []*x509.Certificate // leaf first
	signed  []byte              // header "." payload, as received
	payload []byte
	sig     []byte
}

// parseToken takes a BLOB apart and checks all that needs no key (WA-50).
func parseToken(blob []byte) (token, error) {
	var t token
	if len(blob) > MaxBLOB {
		return t, malformed("it is larger than %d MB", MaxBLOB>>20)
	}
	blob = bytes.TrimSpace(blob) // an editor may have added a last line break
	parts := bytes.SplitN(blob, []byte("."), 4)
	if len(parts) != 3 {
		return t, malformed("it does not have exactly three parts")
	}
	if len(parts[0]) > maxHeader || len(parts[2]) > maxSignature*4/3+4 {
		return t, malformed("its header or its signature is too long")
	}
	header, err := decodePart(parts[0])
	if err != nil {
		return t, malformed("the header is not base64url").Because(err)
	}
	if t.alg, t.x5c, err = parseHeader(header); err != nil {
		return t, err
	}
	if t.payload, err = decodePart(parts[1]); err != nil {
		return t, malformed("the payload is not base64url").Because(err)
	}
	if err := checkShape(t.payload); err != nil {
		return t, malformed("the payload is not acceptable JSON (%v)", err)
	}
	if t.sig, err = decodePart(parts[2]); err != nil || len(t.sig) == 0 {
		return t, malformed("the signature is missing or not base64url").Because(err)
	}
	t.signed = blob[:len(parts[0])+1+len(parts[1])]
	return t, nil
}

// decodePart decodes base64url without padding, without line breaks (which
// encoding/base64 would skip) and without spare bits.
func decodePart(part []byte) ([]byte, error) {
	if bytes.ContainsAny(part, "\r\n") {
		return nil, fmt.Errorf("line break inside")
	}
	out := make([]byte, base64.RawURLEncoding.DecodedLen(len(part)))
	n, err := base64.RawURLEncoding.Strict().Decode(out, part)
	return out[:n], err
}

// parseHeader accepts RS256 and ES256 with an x5c. Any other way of naming a
// key, and any critical extension, is refused rather than ignored.
func parseHeader(raw []byte) (alg string, chain []*x509.Certificate, err error) {
	if err := checkShape(raw); err != nil {
		return "", nil, malformed("the header is not acceptable JSON (%v)", err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", nil, malformed("the header is not a JSON object").Because(err)
	}
	for _, name := range []string{"x5u", "jku", "jwk", "crit", "b64", "zip", "enc"} {
		if _, there := members[name]; there {
			return "", nil, malformed("the header member %s is not allowed", name)
		}
	}
	if err := json.Unmarshal(members["alg"], &alg); err != nil || alg != "RS256" && alg != "ES256" {
		return "", nil, malformed("the signature algorithm is not RS256 or ES256")
	}
	var x5c []string
	if err := json.Unmarshal(members["x5c"], &x5c); err != nil || len(x5c) == 0 || len(x5c) > maxX5C {
		return "", nil, malformed("the header does not have 1 to %d certificates", maxX5C)
	}
	for i, s := range x5c {
		der, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", nil, malformed("certificate %d is not base64", i+1).Because(err)
		}
		cert, err := x509.ParseCertificate(der)
		switch {
		case err == nil:
			chain = append(chain, cert)
		case i == 0:
			return "", nil, malformed("the signer's certificate does not parse").Because(err)
		}
		// A later certificate that does not parse may be one that the chain
		// does not need (WA-51). If it was needed, there will be no chain.
	}
	return alg, chain, nil
}

// checkShape bounds nesting and number of values before any parser allocates
// for them. It is not a validator: encoding/json comes after it.
func checkShape(doc []byte) error {
	depth, values, inString := 0, 0, false
	for i := 0; i < len(doc); i++ {
		c := doc[i]
		if inString {
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
			continue
		}
		switch c {
		case '"':
			inString = true
		case '{', '[':
			depth++
			values++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if depth > maxDepth {
			return fmt.Errorf("deeper than %d", maxDepth)
		}
		if values > maxValues {
			return fmt.Errorf("more than %d values", maxValues)
		}
	}
	if depth != 0 || inString {
		return fmt.Errorf("cut off")
	}
	return nil
}
