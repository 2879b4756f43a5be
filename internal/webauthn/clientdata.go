package webauthn

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
)

// minChallenge is the least entropy WebAuthn L3 §13.4.3 asks for, in bytes.
const minChallenge = 16

// clientData is the decoded clientDataJSON beside the text it was decoded from.
type clientData struct {
	protocol.CollectedClientData
	text string
}

// parseClientData decodes strictly: UTF-8 without byte order mark, one JSON
// value (WebAuthn L3 §7.1 steps 5–6, §7.2 steps 8–9). The members are those of
// the library, so that both refuse the same types.
func parseClientData(raw []byte) (*clientData, error) {
	if len(raw) == 0 {
		return nil, errors.New("clientDataJSON is missing")
	}
	if !utf8.Valid(raw) {
		return nil, errors.New("clientDataJSON is not UTF-8")
	}
	cd := &clientData{text: string(raw)}
	if err := json.Unmarshal(raw, &cd.CollectedClientData); err != nil {
		return nil, err
	}
	if tb := cd.TokenBinding; tb != nil {
		switch tb.Status {
		case protocol.Present, protocol.Supported, protocol.NotSupported:
		default:
			return nil, errors.New("tokenBinding has no known status")
		}
	}
	return cd, nil
}

// clientData gives the decoded client data, decoding only if that was not done
// or if the bytes were changed since.
func (r Response) clientData() (*clientData, error) {
	if r.client != nil && r.client.text == string(r.ClientDataJSON) {
		return r.client, nil
	}
	return parseClientData(r.ClientDataJSON)
}

// checkChallenge compares expiry and bytes (§7.1 step 8, §7.2 step 11).
func (cd *clientData) checkChallenge(c Ceremony, now time.Time) error {
	if !now.Before(c.Expires) {
		return refuse("challengeExpired", nil)
	}
	if len(c.Challenge) < minChallenge {
		return refuse("challengeMismatch", errors.New("the ceremony has no challenge of 16 bytes or more"))
	}
	want := base64.RawURLEncoding.EncodeToString(c.Challenge)
	if subtle.ConstantTimeCompare([]byte(want), []byte(cd.Challenge)) != 1 {
		return refuse("challengeMismatch", nil)
	}
	return nil
}

// checkOrigin checks type, frame and origin, in this order (§7.1 steps 7, 9–11;
// §7.2 steps 10, 12–14). Origins are compared byte by byte.
func (cd *clientData) checkOrigin(rp RelyingParty, c Ceremony, ceremony protocol.CeremonyType) error {
	if cd.Type != ceremony {
		return refuse("ceremonyTypeMismatch", nil)
	}
	if cd.CrossOrigin && !rp.CrossOrigin {
		return refuse("crossOriginNotAllowed", nil)
	}
	if cd.TopOrigin != "" && (!cd.CrossOrigin || !slices.Contains(rp.TopOrigins, cd.TopOrigin)) {
		return refuse("topOriginMismatch", nil)
	}
	if !slices.Contains(rp.Origins, cd.Origin) && !(c.lenient() && lenientMatch(rp, cd.Origin)) {
		return refuse("originMismatch", nil)
	}
	return nil
}

func (c Ceremony) lenient() bool { return c.LenientOrigin && c.Purpose == ProvisionPurpose }

// lenientMatch is for tools that build the origin from rp.id (PK-115).
func lenientMatch(rp RelyingParty, origin string) bool {
	origin = strings.TrimSuffix(origin, "/")
	return origin == "https://"+rp.ID || slices.Contains(rp.Origins, origin)
}
