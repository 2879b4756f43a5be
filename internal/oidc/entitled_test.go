package oidc_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
)

const writerRole = "1b19509b-32b1-4e9f-b71d-4992aa991967"

var system = audit.System("test")

// withRoles changes the wiki: a role, the claim groups, whatever change does.
func (w *world) change(a application.Application, change func(*application.Application)) application.Application {
	w.Helper()
	w.write(func(q db.Querier) (err error) {
		a, err = application.Update(w.Context(), q, system, w.time(), a.ID, func(a *application.Application) error { change(a); return nil })
		return err
	})
	w.refresh()
	return a
}

func (w *world) principal(a application.Application, change func(*application.ServicePrincipal)) {
	w.Helper()
	w.write(func(q db.Querier) error {
		_, err := application.Catalogue{}.UpdatePrincipal(w.Context(), q, system, w.time(), a.PrincipalID(), func(p *application.ServicePrincipal) error { change(p); return nil })
		return err
	})
	w.refresh()
}

func (w *world) group(name string, members ...string) directory.Group {
	w.Helper()
	var g directory.Group
	w.write(func(q db.Querier) (err error) {
		if g, err = directory.CreateGroup(w.Context(), q, system, w.time(), directory.Group{DisplayName: name}); err != nil {
			return err
		}
		for _, m := range members {
			if err := directory.AddMember(w.Context(), q, system, w.time(), directory.Membership{GroupID: g.ID, MemberID: m}); err != nil {
				return err
			}
		}
		return nil
	})
	return g
}

func (w *world) assign(on application.Application, principalID, role string) (id string) {
	w.Helper()
	w.write(func(q db.Querier) error {
		a, err := application.Catalogue{}.Assign(w.Context(), q, system, w.time(), application.Assignment{PrincipalID: principalID, ResourceID: on.PrincipalID(), AppRoleID: role})
		id = a.ID
		return err
	})
	w.refresh()
	return id
}

func roles(list ...string) []application.AppRole {
	out := []application.AppRole{}
	for i, value := range list {
		out = append(out, application.AppRole{ID: fmt.Sprintf("%s%d", writerRole[:35], i), Value: application.Text(value), DisplayName: "d", Description: "d", AllowedMemberTypes: []string{"User", "Application"}, IsEnabled: true})
	}
	return out
}

// TestAppRolesOfPeople: roles of the person, and of groups that the person is
// directly in, are in the id_token; those in an API are in access tokens for it.
func TestAppRolesOfPeople(t *testing.T) {
	each(t, func(w *world) {
		api := w.app(application.Application{DisplayName: "Payroll", Document: application.Document{AppRoles: roles("Pay.Read", "Pay.Write")}})
		app := w.change(w.wiki(), func(a *application.Application) {
			a.AppRoles, a.Cardea.Scopes = roles("Wiki.Read", "Wiki.Write", "Wiki.Off"), append(a.Cardea.Scopes, api.AppID)
		})
		id := func(n int) string { return fmt.Sprintf("%s%d", writerRole[:35], n) }
		inner := w.group("inner", w.user.ID)
		outer := w.group("outer", inner.ID)
		w.assign(app, inner.ID, id(0))
		w.assign(app, w.user.ID, id(2))
		w.assign(app, outer.ID, id(1)) // a group around the group does not count, as in Entra
		w.assign(api, w.user.ID, id(1))
		w.change(app, func(a *application.Application) { a.AppRoles[2].IsEnabled = false })
		w.signIn()
		got := w.tokens(w.token(redeem(app, w.code(request(app)))))
		if c := w.claims(got["id_token"]); fmt.Sprint(c["roles"]) != "[Wiki.Read]" {
			t.Errorf("roles in the id_token: %v", c["roles"])
		}
		if c := w.claims(got["access_token"]); fmt.Sprint(c["roles"]) != "[]" {
			t.Errorf("roles in a token for Graph: %v", c["roles"])
		}
		got = w.tokens(w.token(redeem(app, w.code(request(app, "scope", "api://"+api.AppID+"/.default")))))
		if c := w.claims(got["access_token"]); fmt.Sprint(c["roles"]) != "[Pay.Write]" || c["aud"] != api.AppID {
			t.Errorf("roles in a token for the API: %v %v", c["roles"], c["aud"])
		}
	})
}

// TestAssignmentRequired: only who is assigned signs in; the refusal is a page,
// with prompt=none an answer, and at the token endpoint an error.
func TestAssignmentRequired(t *testing.T) {
	each(t, func(w *world) {
		app := w.wiki()
		w.signIn()
		got := w.tokens(w.token(redeem(app, w.code(request(app)))))
		refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}}
		code := w.code(request(app))
		w.principal(app, func(p *application.ServicePrincipal) { p.AppRoleAssignmentRequired = true })
		r := w.authorize(request(app))
		if r.status != http.StatusForbidden || r.location != "" || !strings.Contains(r.body, "assigned") {
			t.Errorf("a page: %d %q %.200s", r.status, r.location, r.body)
		}
		if a := w.answered(w.authorize(request(app, "prompt", "none"))); a.Get("error") != "access_denied" || !strings.HasPrefix(a.Get("error_description"), "AADSTS50105:") || a.Get("state") != "xyz" {
			t.Errorf("WC-54: %v", a)
		}
		barred := 0
		for _, row := range w.signIns(audit.NonInteractive) {
			if row.Status.ErrorCode == 50105 && row.UserID == w.user.ID {
				barred++
			}
		}
		if barred != 2 {
			t.Errorf("the sign-in log has %d rows of it, want 2", barred)
		}
		w.fails("a code from before", w.token(redeem(app, code)), 400, "access_denied", 50105)
		w.fails("a refresh token from before", w.token(refresh), 400, "access_denied", 50105)
		g := w.group("readers", w.user.ID)
		id := w.assign(app, g.ID, application.NoRole)
		w.tokens(w.token(redeem(app, w.code(request(app)))))
		w.write(func(q db.Querier) error {
			return application.Catalogue{}.Unassign(w.Context(), q, system, w.time(), application.Side{Resource: app.PrincipalID()}, id)
		})
		if r := w.authorize(request(app)); r.status != http.StatusForbidden {
			t.Errorf("after the assignment went: %d", r.status)
		}
	})
}

// TestGroupsClaim: groupMembershipClaims SecurityGroup is every group, nested
// ones too; over 200 the token says where to ask.
func TestGroupsClaim(t *testing.T) {
	each(t, func(w *world) {
		app := w.change(w.wiki(), func(a *application.Application) { a.GroupMembershipClaims = "SecurityGroup, DirectoryRole" })
		inner := w.group("inner", w.user.ID)
		outer := w.group("outer", inner.ID)
		w.write(func(q db.Querier) error {
			return directory.AssignRole(w.Context(), q, system, w.time(), directory.RoleAssignment{UserID: w.user.ID, RoleID: directory.GlobalReader})
		})
		w.signIn()
		claims := func() map[string]any {
			return w.claims(w.tokens(w.token(redeem(app, w.code(request(app)))))["id_token"])
		}
		c := claims()
		if l, _ := c["groups"].([]any); len(l) != 2 || !strings.Contains(fmt.Sprint(l), inner.ID) || !strings.Contains(fmt.Sprint(l), outer.ID) || fmt.Sprint(c["wids"]) != "["+directory.GlobalReader+"]" {
			t.Errorf("groups %v wids %v", c["groups"], c["wids"])
		}
		w.change(app, func(a *application.Application) { a.GroupMembershipClaims = "ApplicationGroup" })
		w.assign(app, inner.ID, application.NoRole)
		if c := claims(); fmt.Sprint(c["groups"]) != "["+inner.ID+"]" {
			t.Errorf("ApplicationGroup: %v", c["groups"])
		}
		w.change(app, func(a *application.Application) { a.GroupMembershipClaims = "All" })
		for i := range 199 {
			w.group(fmt.Sprint("g", i), w.user.ID)
		}
		c = claims()
		sources, _ := c["_claim_sources"].(map[string]any)
		if c["groups"] != nil || fmt.Sprint(c["_claim_names"]) != "map[groups:src1]" || !strings.Contains(fmt.Sprint(sources["src1"]), "/users/"+w.user.ID+"/getMemberObjects") {
			t.Errorf("201 groups: %v %v %v", c["groups"], c["_claim_names"], c["_claim_sources"])
		}
		w.change(app, func(a *application.Application) { a.GroupMembershipClaims = "" })
		if c := claims(); c["groups"] != nil || c["wids"] != nil || c["_claim_names"] != nil {
			t.Errorf("nothing was asked for: %v", c)
		}
	})
}

// TestDisabledPrincipal: accountEnabled false means no sign-in and no tokens,
// for the application and for the API; the same once the principal is gone.
func TestDisabledPrincipal(t *testing.T) {
	each(t, func(w *world) {
		job := w.app(application.Application{DisplayName: "Job"})
		secret := w.secret(job)
		own := url.Values{"grant_type": {"client_credentials"}, "client_id": {job.AppID}, "client_secret": {secret}, "scope": {"https://graph.microsoft.com/.default"}}
		app := w.wiki()
		w.signIn()
		got := w.tokens(w.token(redeem(app, w.code(request(app)))))
		w.tokens(w.token(own))
		for _, a := range []application.Application{app, job} {
			w.principal(a, func(p *application.ServicePrincipal) { p.AccountEnabled = false })
		}
		w.fails("client credentials", w.token(own), 400, "unauthorized_client", 7000112)
		w.fails("refresh", w.token(url.Values{"grant_type": {"refresh_token"}, "client_id": {app.AppID}, "refresh_token": {got["refresh_token"].(string)}}), 400, "unauthorized_client", 7000112)
		if r := w.authorize(request(app)); r.location != "" || !strings.Contains(r.body, "disabled") {
			t.Errorf("authorize: %d %q", r.status, r.location)
		}
		w.principal(app, func(p *application.ServicePrincipal) { p.AccountEnabled = true })
		w.code(request(app))
		w.write(func(q db.Querier) error {
			return application.Catalogue{}.DeletePrincipal(w.Context(), q, system, w.time(), job.PrincipalID())
		})
		w.refresh()
		w.fails("without a principal", w.token(own), 400, "unauthorized_client", 7000229)
	})
}

// TestPersonalConsent: a consent of one person counts for that person alone.
func TestPersonalConsent(t *testing.T) {
	each(t, func(w *world) {
		app, ada := w.wiki(), w.user
		w.write(func(q db.Querier) (err error) {
			if w.user, err = directory.CreateUser(w.Context(), q, system, w.time(), directory.User{UserPrincipalName: "bob@contoso.test", DisplayName: "Bob", AccountEnabled: true}); err != nil {
				return err
			}
			_, err = application.Catalogue{}.Grant(w.Context(), q, system, w.time(), application.Consent{ClientID: app.PrincipalID(), ConsentType: "Principal", PrincipalID: &ada.ID,
				ResourceID: application.GraphPrincipalID, Scope: "openid User.ReadBasic.All"})
			return err
		})
		w.refresh()
		ask := request(app, "scope", "User.ReadBasic.All openid")
		w.signIn() // Bob
		if a := w.answered(w.authorize(ask)); a.Get("error") != "consent_required" {
			t.Errorf("somebody else: %v", a)
		}
		w.user = ada
		w.signIn()
		got := w.tokens(w.token(redeem(app, w.code(ask))))
		if c := w.claims(got["access_token"]); c["scp"] != "User.ReadBasic.All openid" {
			t.Errorf("scp %v", c["scp"])
		}
		got = w.tokens(w.token(redeem(app, w.code(request(app, "scope", "https://graph.microsoft.com/.default")))))
		if c := w.claims(got["access_token"]); c["scp"] != "User.Read Group.Read.All User.ReadBasic.All" {
			t.Errorf(".default is scp %v", c["scp"])
		}
	})
}
