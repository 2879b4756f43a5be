package mds

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"cardea/internal/problem"
)

// Bounds of an uploaded entry.
const (
	maxUpload      = 1 << 20
	maxUploadIDs   = 100
	maxUploadRoots = 20
	maxUploadWords = 50 // members of each list of words
)

// CodeUploadInvalid is for an uploaded entry that cannot be used; Target names
// the member at fault.
const CodeUploadInvalid = "metadataUploadInvalid"

// Upload is an entry that an administrator gives for models that the FIDO
// Metadata Service does not list (WA-40). The administrator vouches for it; it
// is stored with a keyed mark (WA-41) and audited by whoever stores it.
type Upload struct {
	Name                  string   `json:"name"`
	AAGUIDs               []AAGUID `json:"-"`
	Roots                 [][]byte `json:"-"` // DER
	AttestationTypes      []string `json:"attestationTypes"`
	Versions              []string `json:"versions"`
	UserVerification      bool     `json:"userVerification"`
	ClientPIN             bool     `json:"clientPin"`
	ResidentKey           bool     `json:"residentKey"`
	EnterpriseAttestation bool     `json:"enterpriseAttestation"`
	Extensions            []string `json:"extensions"`
	KeyProtection         []string `json:"keyProtection"`
	MultiDevice           *bool    `json:"multiDevice"`
	Certification         string   `json:"certification"` // "" or FIDO_CERTIFIED…, as the maker's certificate says
}

// uploadText is Upload as JSON.
type uploadText struct {
	Upload
	AAGUIDs []string `json:"aaguids"`
	Roots   []string `json:"roots"` // PEM, or DER in base64
}

// ParseUpload reads and checks an uploaded entry in JSON. Members it does not
// know are refused, so that a misspelt ability is not taken for a missing one.
func ParseUpload(text []byte) (Upload, error) {
	if len(text) > maxUpload {
		return Upload{}, badUpload("", "The file is larger than %d MB. Upload one model or one family of models at a time.", maxUpload>>20)
	}
	return parseUpload(text)
}

func parseUpload(text []byte) (Upload, error) {
	if err := checkShape(text); err != nil {
		return Upload{}, badUpload("", "The file is not JSON (%v). Check where it was cut off.", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	var t uploadText
	if err := dec.Decode(&t); err != nil {
		return Upload{}, badUpload("", "The file does not parse. Compare its members with the documentation of uploaded metadata.").Because(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Upload{}, badUpload("", "Something follows after the JSON object. Remove it.")
	}
	return t.check()
}

func (t *uploadText) check() (Upload, error) {
	u := t.Upload
	if u.Name = displayText(u.Name); u.Name == "" {
		return u, badUpload("name", "The model has no name. Give the one that people know it by.")
	}
	if len(t.AAGUIDs) == 0 || len(t.AAGUIDs) > maxUploadIDs {
		return u, badUpload("aaguids", "Give 1 to %d AAGUIDs.", maxUploadIDs)
	}
	for _, s := range t.AAGUIDs {
		id, err := ParseAAGUID(strings.TrimSpace(s))
		if err != nil {
			return u, badUpload("aaguids", "%q is not an AAGUID. Write 32 hexadecimal digits in groups of 8-4-4-4-12.", clip(s, 60))
		}
		if id == (AAGUID{}) {
			return u, badUpload("aaguids", "The zero AAGUID stands for no model at all. Give the model's own.")
		}
		if slices.Contains(u.AAGUIDs, id) {
			return u, badUpload("aaguids", "The AAGUID %s stands there twice. Remove one.", FormatAAGUID(id))
		}
		u.AAGUIDs = append(u.AAGUIDs, id)
	}
	if len(t.Roots) == 0 || len(t.Roots) > maxUploadRoots {
		return u, badUpload("roots", "Give 1 to %d root certificates, as PEM or base64.", maxUploadRoots)
	}
	for i, s := range t.Roots {
		cert, err := parseRoot(s)
		if err != nil {
			return u, badUpload("roots", "Root %d is not a certificate. Give one certificate per string, as PEM or base64.", i+1).Because(err)
		}
		u.Roots = append(u.Roots, cert.Raw)
	}
	if len(u.AttestationTypes) == 0 {
		u.AttestationTypes = []string{"basic_full"}
	}
	for _, list := range []struct {
		target  string
		words   []string
		allowed []string // nil: any
	}{
		{"attestationTypes", u.AttestationTypes, []string{"basic_full", "basic_surrogate", "attca", "anonca"}},
		{"keyProtection", u.KeyProtection, []string{"software", "hardware", "tee", "secure_element", "remote_handle"}},
		{"versions", u.Versions, nil},
		{"extensions", u.Extensions, nil},
	} {
		if len(list.words) > maxUploadWords {
			return u, badUpload(list.target, "The list has more than %d members. Shorten it.", maxUploadWords)
		}
		for _, w := range list.words {
			if w == "" || len(w) > 64 || w != displayText(w) {
				return u, badUpload(list.target, "A member is empty, too long or has unprintable characters. Correct it.")
			}
			if list.allowed != nil && !slices.Contains(list.allowed, w) {
				return u, badUpload(list.target, "%q is not known here. Use one of %s.", w, strings.Join(list.allowed, ", "))
			}
		}
	}
	if c := u.Certification; c != "" && (!strings.HasPrefix(c, StatusCertified) || len(c) > 40 || c != displayText(c)) {
		return u, badUpload("certification", "%q is not a certification. Write it like FIDO_CERTIFIED_L1, or leave it out.", clip(c, 60))
	}
	u.Extensions = slices.Sorted(slices.Values(u.Extensions))
	return u, nil
}

func badUpload(target, format string, args ...any) *problem.Error {
	return problem.New(problem.Invalid, CodeUploadInvalid, format, args...).On(target)
}

// Entry gives the entry for one of the upload's AAGUIDs, nil for any other.
func (u *Upload) Entry(id AAGUID) *Entry {
	if !slices.Contains(u.AAGUIDs, id) {
		return nil
	}
	e := &Entry{
		Source: SourceUploaded, AAGUID: id, SoleAAGUID: len(u.AAGUIDs) == 1,
		Description: u.Name, Roots: u.Roots, AttestationTypes: u.AttestationTypes,
		ProtocolFamily: "fido2", Versions: u.Versions,
		UserVerification: u.UserVerification, ClientPIN: u.ClientPIN, ResidentKey: u.ResidentKey,
		EnterpriseAttest: u.EnterpriseAttestation, Extensions: u.Extensions,
		KeyProtection: u.KeyProtection, MultiDevice: u.MultiDevice,
	}
	if u.Certification != "" {
		e.StatusReports = []StatusReport{{Status: u.Certification}}
	}
	return e
}

// JSON writes the upload in the form that ParseUpload reads.
func (u *Upload) JSON() ([]byte, error) {
	t := uploadText{Upload: *u}
	for _, id := range u.AAGUIDs {
		t.AAGUIDs = append(t.AAGUIDs, FormatAAGUID(id))
	}
	for _, der := range u.Roots {
		t.Roots = append(t.Roots, base64.StdEncoding.EncodeToString(der))
	}
	return json.Marshal(t)
}

// Encode writes the upload for storage, marked with key (WA-41).
func (u *Upload) Encode(key []byte) ([]byte, error) {
	content, err := u.JSON()
	if err != nil {
		return nil, err
	}
	return seal(kindUpload, content, key)
}

// DecodeUpload reads what Upload.Encode wrote. An error is metadataDamaged, and
// then none of its roots may be used.
func DecodeUpload(data, key []byte) (Upload, error) {
	content, err := unseal(kindUpload, data, key)
	if err != nil {
		return Upload{}, err
	}
	return parseUpload(content)
}
