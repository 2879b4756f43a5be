package server

import (
	"context"
	"net/http"
	"time"

	"cardea/internal/account"
	"cardea/internal/console"
	"cardea/internal/directory"
	"cardea/internal/graph"
	"cardea/internal/mail"
	"cardea/internal/oidc"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/scim"
	"cardea/internal/session"
	"cardea/internal/signin"
	"cardea/internal/throttle"
)

// sessionCookie is the name of the session's cookie, without its prefix.
const sessionCookie = "session"

// edges builds every edge and mounts it.
func (s *Server) edges() (http.Handler, error) {
	op, err := oidc.New(oidc.Config{DB: s.DB, Ring: s.ring, Apps: s.apps, Pages: s.pages, Origin: s.k.PublicURL, TenantID: s.tenantID,
		Domain: s.brand.Domain, Now: s.now, Log: s.log, Session: s.session, Cookie: sessionCookie,
		NoDeviceCode: s.k.DeviceCode == "no", PasswordGrant: s.k.PasswordGrant == "yes", Hasher: s.hasher,
		ApplicationPermissions: graph.ApplicationPermissions(), DelegatedPermissions: graph.DelegatedPermissions()})
	if err != nil {
		return nil, err
	}
	api := graph.New(graph.Config{DB: s.DB, FirstParty: []string{console.ClientID}, Ring: s.ring, Now: s.now, PublicURL: s.k.PublicURL, Log: s.log, Applications: s.apps, Hasher: s.hasher, Keeper: s.Keeper, SendLink: s.linkSender(),
		KeepChanges: s.k.delta, AppsRespectReach: s.k.AppsReach == "yes", Rate: throttle.NewRate(s.k.apiRate), PowerShellPage: s.k.powerShellPage, PowerShellLinks: s.k.PowerShellLink == "yes"})
	people := scim.New(scim.Config{DB: s.DB, Ring: s.ring, Applications: s.apps, Keeper: s.Keeper, Now: s.now, PublicURL: s.k.PublicURL, Audience: graph.Audience, Log: s.log, RespectReach: s.k.AppsReach == "yes"})
	mux := http.NewServeMux()
	mux.Handle(scim.Path+"/", people)
	mux.Handle(page.StaticPath, s.pages.Static())
	dress := func(ctx context.Context) error { return s.brand.refresh(ctx, s.DB, s.pages) }
	signin.New(signin.Config{DB: s.DB, Ring: s.ring, Pages: s.pages, Keeper: s.Keeper, Hasher: s.hasher, Now: s.now, PublicURL: s.k.PublicURL,
		TenantID: s.tenantID, Log: s.log, Dress: dress, NoDeviceCode: s.k.DeviceCode == "no"}).Mount(mux)
	console.New(console.Config{DB: s.DB, Ring: s.ring, Pages: s.pages, Keeper: s.Keeper, Now: s.now, PublicURL: s.k.PublicURL, TenantID: s.tenantID,
		Session: s.session, Audience: graph.Audience, Scopes: graph.DelegatedPermissions(), Log: s.log}).Mount(mux)
	account.New(account.Config{DB: s.DB, Ring: s.ring, Pages: s.pages, Keeper: s.Keeper, Hasher: s.hasher, Mail: s.mail, Now: s.now, PublicURL: s.k.PublicURL,
		TenantID: s.tenantID, Log: s.log}).Mount(mux)
	mux.Handle("/", s.pages.Handle(func(*http.Request) (page.Answer, error) {
		return page.Answer{}, problem.New(problem.NotFound, "notFound", "There is no such page. Check the address, or go to the start.")
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if op.Owns(r.URL.Path) {
			op.ServeHTTP(w, r)
			return
		}
		if graph.Owns(r.URL.Path) {
			api.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}), nil
}

// session finds the browser session of a request.
func (s *Server) session(r *http.Request) (session.Session, error) {
	return session.Find(r.Context(), s.DB, page.CookieValue(r, sessionCookie), s.now())
}

// linkSender mails enrolment links; nil if this server sends no mail.
func (s *Server) linkSender() graph.SendLink {
	if !s.mail.Configured() {
		return nil
	}
	return func(_ context.Context, to directory.User, address string, expires time.Time) error {
		return s.mail.Send(mail.Message{To: to.Mail, Subject: "Create your passkey", Body: "Hello " + to.DisplayName + ",\n\n" +
			"open this link on the device you work with, and create a passkey there. It works once, until " + expires.UTC().Format("2 January 15:04") + " UTC, and is only for you:\n\n" +
			address + "\n\nIf you did not expect this message, tell your help desk.\n"})
	}
}
