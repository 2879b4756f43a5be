package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
	"cardea/internal/server"
	"cardea/internal/session"
	"cardea/internal/webauthn"
)

// world is what the browsers know: the server, an application, the people.
type world struct {
	address  string // host:port to dial
	host     string // of the Host header
	origin   string
	tenant   string
	clientID string
	redirect string
	people   []*person
}

// person is somebody with a passkey.
type person struct {
	credential, handle []byte
	key                *ecdsa.PrivateKey
}

// populate makes people with a passkey each, as registration would, and an
// application, before the server starts.
func populate(ctx context.Context, n int, log *slog.Logger) (*world, error) {
	cfg := server.FromEnvironment(os.Getenv)
	s, err := server.New(ctx, cfg, server.Options{Now: time.Now, Log: log, Offline: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	w := &world{address: cfg.Listen, tenant: s.TenantID(), redirect: "http://localhost:1/callback"}
	w.origin = s.Keeper.RP.Origins[0]
	w.host = w.origin[len("http://"):]
	by := audit.System("bench")
	err = s.DB.Write(ctx, func(q db.Querier) error {
		app, err := application.Create(ctx, q, by, time.Now(), application.Application{DisplayName: "Bench", IsFallbackPublicClient: true,
			PublicClient: application.Redirects{RedirectURIs: []string{w.redirect}}})
		w.clientID = app.AppID
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range n {
		p, err := enrol(ctx, s, w.origin, i)
		if err != nil {
			return nil, err
		}
		w.people = append(w.people, p)
	}
	return w, nil
}

func enrol(ctx context.Context, s *server.Server, origin string, i int) (*person, error) {
	var u directory.User
	var signedIn session.Session
	now := time.Now()
	err := s.DB.Write(ctx, func(q db.Querier) (err error) {
		u, err = directory.CreateUser(ctx, q, audit.System("bench"), now, directory.User{UserPrincipalName: fmt.Sprintf("p%d@example.com", i), DisplayName: fmt.Sprintf("Person %d", i), AccountEnabled: true})
		if err != nil {
			return err
		}
		signedIn, _, err = session.Start(ctx, q, now, session.Session{UserID: u.ID, MFAAt: now, Methods: []string{session.MethodAccessPass, session.MethodMFA}})
		return err
	})
	if err != nil {
		return nil, err
	}
	r := passkey.Registration{User: u, Actor: audit.Actor{UserID: u.ID}, At: now, Session: &signedIn}
	begun, err := s.Keeper.BeginRegistration(ctx, r)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	device := cardeatest.NewAuthenticator()
	device.Signer = key
	device.Algorithm = cardeatest.ES256
	made, err := device.Create(begun.Options, origin)
	if err != nil {
		return nil, err
	}
	resp, err := webauthn.ParseRegistration(made)
	if err != nil {
		return nil, err
	}
	if _, err := s.Keeper.FinishRegistration(ctx, r, passkey.Answer{Response: resp}); err != nil {
		return nil, err
	}
	handle, err := passkey.UserHandle(s.TenantID(), u.ID)
	return &person{credential: resp.CredentialID, handle: handle, key: key}, err
}
