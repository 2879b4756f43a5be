package graph

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
)

var brace = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// TestEveryRouteIsGuarded walks the whole table: without a token every route
// is 401, without the permission every route is 403, on both versions; and no
// answer of the walk is anything but JSON (DO-66).
func TestEveryRouteIsGuarded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, r := range w.api.routes {
			if r.batch { // any token will do: see TestBatch
				continue
			}
			for _, version := range []string{"/v1.0", "/beta"} {
				target := version + brace.ReplaceAllString(r.Path, "01890000-0000-7000-8000-000000000001")
				for who, want := range map[string]int{"none": 401, "nobody": 403, "weak": 403} {
					rec := w.request(r.Method, target, who, []byte(`{}`), nil)
					if rec.Code != want {
						t.Errorf("%s %s as %s: status %d, want %d", r.Method, target, who, rec.Code, want)
					}
					var body errorBody
					if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || body.Error.Message == "" || body.Error.Inner.RequestID == "" || len(body.Error.Inner.Date) != 19 {
						t.Errorf("%s %s as %s: not an error of Graph: %s", r.Method, target, who, rec.Body)
					}
					if want == 401 && !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Bearer ") {
						t.Errorf("%s %s: no WWW-Authenticate (WC-18)", r.Method, target)
					}
				}
			}
		}
	})
}

// questions are the actions that change nothing.
var questions = regexp.MustCompile(`/(checkMember(Groups|Objects)|getMember(Groups|Objects)|getByIds|evaluateDynamicMembership)$`)

// TestWritesNeedRoles: a token with every scope, of a person without any
// role, changes nothing of anybody else.
func TestWritesNeedRoles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		for _, r := range w.api.routes {
			if r.batch || (r.Method == "GET" || questions.MatchString(r.Path)) && r.Access.Roles == nil {
				continue
			}
			target := "/v1.0" + brace.ReplaceAllString(r.Path, "01890000-0000-7000-8000-000000000001")
			if rec := w.request(r.Method, target, "ada", []byte(`{}`), nil); rec.Code != 403 {
				t.Errorf("%s %s as somebody without a role: status %d, want 403", r.Method, target, rec.Code)
			}
		}
	})
}

// TestReach is the table of DO-21 … DO-23.
func TestReach(t *testing.T) {
	role := func(name string) string {
		for _, r := range directory.Roles {
			if r.DisplayName == name {
				return r.ID
			}
		}
		t.Fatalf("no role %q", name)
		return ""
	}
	everyday := []string{"Authentication Administrator", "Directory Readers", "Guest Inviter", "Message Center Reader", "Password Administrator",
		"Reports Reader", "User Experience Success Manager", "Usage Summary Reports Reader"}
	for _, r := range directory.Roles {
		theirs := []string{r.ID}
		want := slices.Contains(everyday, r.DisplayName)
		if got := directory.Reaches([]string{role("Authentication Administrator")}, theirs); got != want {
			t.Errorf("DO-21/DO-22: an Authentication Administrator reaches a %s: %v, want %v", r.DisplayName, got, want)
		}
		if got := directory.Reaches([]string{role("User Administrator")}, append(theirs, role("Reports Reader"))); got != want {
			t.Errorf("DO-3: a User Administrator reaches a %s: %v, want %v", r.DisplayName, got, want)
		}
		for _, strong := range []string{"Privileged Authentication Administrator", "Global Administrator"} {
			if !directory.Reaches([]string{role(strong)}, theirs) {
				t.Errorf("DO-23: a %s does not reach a %s", strong, r.DisplayName)
			}
		}
	}
	if !directory.Reaches([]string{role("Authentication Administrator")}, nil) {
		t.Error("DO-21: a person without roles is out of reach")
	}
}
