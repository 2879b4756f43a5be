package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/problem"
)

// SetupLinkFile is where the set-up link lies too, readable by its owner only.
func SetupLinkFile(dataDir string) string { return filepath.Join(dataDir, "setup-link.txt") }

// Greet tells the operator where to go. As long as no administrator has a
// passkey that includes a fresh set-up link; older ones die with it.
func (s *Server) Greet(ctx context.Context, w io.Writer) error {
	file := SetupLinkFile(s.k.DataDir)
	address, until, err := s.SetupLink(ctx)
	switch {
	case problem.CodeOf(err) == "alreadySetUp":
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.log.Warn("cannot remove the old set-up link", "error", err)
		}
		fmt.Fprintf(w, "\nCardea is ready at  %s\n\n", s.k.PublicURL)
	case err != nil:
		return err
	default:
		if err := os.WriteFile(file, []byte(address+"\n"), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(w, "\nCardea is ready at  %s\n\nSet it up: open this link in your browser. It works once, until %s, and is a secret.\n\n  %s\n\n(also in %s; a new one: cardea bootstrap)\n\n",
			s.k.PublicURL, until.Local().Format("2 Jan 15:04"), address, file)
	}
	if s.k.TLS == "self-signed" {
		fmt.Fprintf(w, "Browsers must trust this certificate authority first:  %s\n\n", LocalCAFile(s.k.DataDir))
	}
	return nil
}

// GreetDemo says what the demo is and gives two ways in.
func (s *Server) GreetDemo(ctx context.Context, w io.Writer) error {
	admin, _, err := s.link(ctx, accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: s.company.Owner.ID, Lifetime: 12 * time.Hour}, "/enrol")
	if err != nil {
		return err
	}
	seller, _, err := s.link(ctx, accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: s.company.Seller.ID, Lifetime: 12 * time.Hour}, "/enrol")
	if err != nil {
		return err
	}
	strict, _, err := s.link(ctx, accesspass.LinkOrder{Kind: accesspass.EnrolmentLink, UserID: s.company.Admin.ID, Lifetime: 12 * time.Hour}, "/enrol")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, `
  THIS IS A DEMO: invented people, a temporary folder that is deleted at the end, loopback only. Never use it for real.

  %s    %d people, %d passkeys, %d sign-ins of the last month

  You, the administrator (works once):
    %s
  Sam of Sales, who may use known password managers (works once):
    %s
  An IT administrator, held to attested security keys: see what a refusal looks like (works once):
    %s

`, s.k.PublicURL, s.company.People, s.company.Passkeys, s.company.SignIns, admin, seller, strict)
	return nil
}
