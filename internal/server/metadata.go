package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"time"

	"cardea/internal/audit"
	"cardea/internal/mds"
)

// UploadMetadata takes a metadata file (a BLOB) after the same checks as a
// download (WA-61), or a JSON entry of the organisation's own (WA-40).
func (s *Server) UploadMetadata(ctx context.Context, data []byte) error {
	by := audit.System("command line")
	if len(data) > 0 && data[0] == '{' {
		_, err := s.Keeper.Metadata.AddUpload(ctx, by, s.now(), data)
		return err
	}
	roots, err := s.metadataRoots()
	if err != nil {
		return err
	}
	f := mds.Fetcher{Client: mds.NewClient(nil), Roots: roots, Now: s.now}
	r, err := f.Accept(ctx, data, s.Keeper.Metadata.Number())
	if err != nil {
		return err
	}
	return s.Keeper.Metadata.Save(ctx, by, s.now(), r)
}

// metadataRoots are the certificates that may sign the metadata.
func (s *Server) metadataRoots() ([]*x509.Certificate, error) {
	if s.k.MetadataRoots == "" {
		return mds.DefaultRoots()
	}
	pem, err := os.ReadFile(s.k.MetadataRoots)
	if err != nil {
		return nil, err
	}
	return mds.ParseRoots(pem)
}

// MetadataStatus says in words which metadata is in use (WA-63).
func (s *Server) MetadataStatus(_ context.Context, w io.Writer) error {
	st := s.Keeper.Metadata.Status()
	if st.Number == 0 {
		fmt.Fprintln(w, "No FIDO metadata. Profiles that enforce attestation refuse every new passkey until there is some.")
		fmt.Fprintln(w, "Set CARDEA_METADATA_URL and CARDEA_METADATA_ACCEPT_TERMS, or: cardea metadata upload FILE")
	} else {
		fmt.Fprintf(w, "Number %d, %d models, signed under %s\n", st.Number, st.Entries, st.RootName)
		fmt.Fprintf(w, "Checked %s, next update %s\n", st.CheckedAt.Format(time.RFC3339), st.NextUpdate.Format("2006-01-02"))
	}
	for _, u := range s.Keeper.Metadata.Uploads() {
		fmt.Fprintf(w, "Uploaded: %s (%d models)\n", u.Name, len(u.AAGUIDs))
	}
	for _, d := range st.Damaged {
		fmt.Fprintf(w, "Damaged, not used: %s\n", d)
	}
	if st.LastError != nil {
		fmt.Fprintf(w, "Last fetch failed at %s: %s\n", st.LastError.At.Format(time.RFC3339), st.LastError.Text)
	}
	return nil
}
