package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cardea/internal/problem"
)

func answer(s *Renderer, h Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handle(h).ServeHTTP(w, r)
	return w
}

func say(a Answer, err error) Handler {
	return func(*http.Request) (Answer, error) { return a, err }
}

// TestHeaders holds ux.md §1.3 to the letter.
func TestHeaders(t *testing.T) {
	s := renderer(t, contoso)
	w := answer(s, say(HTML(SignIn{}), nil), httptest.NewRequest("GET", "/signin", nil))
	want := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	if got := w.Header().Get("Content-Security-Policy"); got != want {
		t.Errorf("CSP\n%s\nwant\n%s", got, want)
	}
	for k, v := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "same-origin"} {
		if got := w.Header().Get(k); got != v {
			t.Errorf("%s: %q, want %q", k, got, v)
		}
	}
	if id := w.Header().Get("X-Correlation-Id"); len(id) != 36 || id[14] != '4' {
		t.Errorf("correlation id %q", id)
	}
}

func TestFormPostNamesItsTargetAndNothingElse(t *testing.T) {
	s := renderer(t, contoso)
	v := HTML(FormPost{App: "Payroll", Action: "https://payroll.example/cb"})
	w := answer(s, say(v.PostingTo("https://payroll.example"), nil), httptest.NewRequest("GET", "/", nil))
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "form-action https://payroll.example; frame-ancestors") {
		t.Error(csp)
	}
	for _, bad := range []string{"https://a.example https://b.example", "https://a.example; script-src *", "https://a.example/path", "*", "https:", "data:x", "https://u@a.example", "https://*.example", "https://a.example,"} {
		if w := answer(s, say(v.PostingTo(bad), nil), httptest.NewRequest("GET", "/", nil)); w.Code != 500 {
			t.Errorf("%q was let through", bad)
		}
	}
}

// TestStatuses walks through the one table of kinds.
func TestStatuses(t *testing.T) {
	s := renderer(t, contoso)
	for kind, status := range map[problem.Kind]int{problem.Internal: 500, problem.Invalid: 400, problem.Unauthenticated: 401, problem.Forbidden: 403,
		problem.NotFound: 404, problem.Conflict: 409, problem.PreconditionFailed: 412, problem.TooMany: 429, problem.Unavailable: 503} {
		w := answer(s, say(Answer{}, problem.New(kind, "someFact", "Do this.")), httptest.NewRequest("GET", "/", nil))
		if w.Code != status || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("kind %d: %d %v", kind, w.Code, w.Header())
		}
		if shown := strings.Contains(w.Body.String(), "Do this."); shown != (kind != problem.Internal) {
			t.Errorf("kind %d: detail shown %v", kind, shown)
		}
	}
}

func scripted(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func TestRefusalJSON(t *testing.T) {
	s := renderer(t, contoso)
	e := &problem.Error{Kind: problem.TooMany, Code: "tooManyAttempts", Detail: "Wait.", RetryAfter: 1500 * time.Millisecond, Err: errors.New("secret cause")}
	rows := []struct {
		name string
		err  error
		want string
		code int
	}{
		{"problem", e, `{"error":{"code":"tooManyAttempts","message":"Wait.","help":"/help/errors/tooManyAttempts","correlationId":"ID"}}`, 429},
		{"wrapped", fmt.Errorf("around: %w", e), `{"error":{"code":"tooManyAttempts","message":"Wait.","help":"/help/errors/tooManyAttempts","correlationId":"ID"}}`, 429},
		{"PK-122 after proof", &Refusal{problem.New(problem.Forbidden, "passkeyRefused", "Use a security key."), "Admins", "passkeyTypes"}, `{"error":{"code":"passkeyRefused","message":"Use a security key.","help":"/help/errors/passkeyRefused","correlationId":"ID","profile":"Admins","rule":"passkeyTypes"}}`, 403},
		{"internal", errors.New("dial tcp 10.0.0.7: refused"), `{"error":{"code":"systemError","message":"` + s.words.text("error.internal") + `","help":"/help/errors/systemError","correlationId":"ID"}}`, 500},
		{"internal with code", problem.New(problem.Internal, "databaseGone", "table x"), `{"error":{"code":"systemError","message":"` + s.words.text("error.internal") + `","help":"/help/errors/systemError","correlationId":"ID"}}`, 500},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := answer(s, say(Answer{}, row.err), scripted("POST", "/signin/passkey", "{}"))
			got := strings.TrimSpace(strings.ReplaceAll(w.Body.String(), w.Header().Get("X-Correlation-Id"), "ID"))
			if got != row.want || w.Code != row.code {
				t.Errorf("%d %s\nwant %d %s", w.Code, got, row.code, row.want)
			}
		})
	}
	if got := answer(s, say(Answer{}, e), scripted("POST", "/", "{}")).Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After %q, want it rounded up", got)
	}
}

func TestPanicIsInternalAndLogged(t *testing.T) {
	s := renderer(t, contoso)
	var log bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&log, nil))
	w := answer(s, func(*http.Request) (Answer, error) { panic("secret-detail") }, httptest.NewRequest("GET", "/", nil))
	id := w.Header().Get("X-Correlation-Id")
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret-detail") || !strings.Contains(w.Body.String(), id) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "secret-detail") || !strings.Contains(log.String(), id) {
		t.Errorf("log: %s", log.String())
	}
}

// TestR14CrossOrigin: unsafe methods from elsewhere never reach the handler.
func TestR14CrossOrigin(t *testing.T) {
	s := renderer(t, contoso)
	for _, row := range []struct {
		method, site, origin string
		reached              bool
	}{
		{"POST", "same-origin", "", true}, {"POST", "none", "", true}, {"POST", "cross-site", "", false}, {"POST", "same-site", "", false},
		{"POST", "", "https://evil.example", false}, {"POST", "", "null", false}, {"POST", "", "https://id.contoso.com", true},
		{"POST", "", "http://example.com", true}, {"GET", "cross-site", "https://evil.example", true}, {"DELETE", "cross-site", "", false},
	} {
		r := httptest.NewRequest(row.method, "http://example.com/signout", nil)
		if row.site != "" {
			r.Header.Set("Sec-Fetch-Site", row.site)
		}
		if row.origin != "" {
			r.Header.Set("Origin", row.origin)
		}
		reached := false
		w := answer(s, func(*http.Request) (Answer, error) { reached = true; return Redirect303("/"), nil }, r)
		if reached != row.reached || (w.Code == 303) != row.reached {
			t.Errorf("%+v: reached %v, %d", row, reached, w.Code)
		}
	}
}

func TestRedirects(t *testing.T) {
	s := renderer(t, contoso)
	for path, ok := range map[string]bool{"/": true, "/signin?flow=a%2Fb": true, "//evil.example": false, `/\evil.example`: false, "https://evil.example": false,
		"": false, "signin": false, "/a\r\nSet-Cookie: x=1": false, "/\t/evil.example": false, "/ü": false} {
		if got := OwnPath(path); got != ok {
			t.Errorf("OwnPath(%q) = %v", path, got)
		}
		if path == "" {
			continue
		}
		w := answer(s, say(Redirect303(path), nil), httptest.NewRequest("GET", "/", nil))
		if ok && (w.Code != 303 || w.Header().Get("Location") != path) || !ok && (w.Code != 500 || w.Header().Get("Location") != "") {
			t.Errorf("%q: %d %q", path, w.Code, w.Header().Get("Location"))
		}
	}
}

// FuzzOwnPath: whatever OwnPath accepts stays on our host when a browser
// resolves it against our address.
func FuzzOwnPath(f *testing.F) {
	for _, s := range []string{"/", "//x", `/\x`, "/a?b#c", "/%2f/x", "/..//x", "/@x", "/\x00"} {
		f.Add(s)
	}
	base := httptest.NewRequest("GET", "https://id.contoso.com/signin", nil).URL
	f.Fuzz(func(t *testing.T, path string) {
		if !OwnPath(path) {
			return
		}
		// Browsers treat a backslash like a slash.
		u, err := base.Parse(strings.ReplaceAll(path, `\`, "/"))
		if err == nil && (u.Host != base.Host || u.Scheme != base.Scheme) {
			t.Errorf("%q leads to %s", path, u)
		}
	})
}

func TestCookies(t *testing.T) {
	s := renderer(t, contoso)
	w := answer(s, say(Redirect303("/").WithCookies(Cookie("session", "abc", time.Hour), Forget("flow")), nil), httptest.NewRequest("GET", "/", nil))
	want := []string{"__Host-session=abc; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax", "__Host-flow=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"}
	if got := w.Header()["Set-Cookie"]; strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q", got)
	}
	w = answer(s, say(Answer{}.WithCookies(Forget("session")), problem.New(problem.Unauthenticated, "sessionEnded", "Sign in again.")), httptest.NewRequest("GET", "/", nil))
	if w.Code != 401 || len(w.Header()["Set-Cookie"]) != 1 {
		t.Errorf("an error keeps the answer's cookies: %d %v", w.Code, w.Header())
	}
	for header, value := range map[string]string{"__Host-session=a": "a", "session=a": "", "__Host-session=a; __Host-session=b": "", "": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", header)
		if got := CookieValue(r, "session"); got != value {
			t.Errorf("%q: %q, want %q", header, got, value)
		}
	}
}

func TestWithCookiesDoesNotShare(t *testing.T) {
	base := Redirect303("/").WithCookies(Cookie("a", "1", 0), Cookie("b", "1", 0))
	one, two := base.WithCookies(Cookie("c", "1", 0)), base.WithCookies(Cookie("d", "1", 0))
	if one.cookies[2].Name == two.cookies[2].Name {
		t.Error("two answers share their cookies")
	}
}

func TestReadJSON(t *testing.T) {
	s := renderer(t, contoso)
	type in struct {
		State string `json:"state"`
	}
	rows := []struct{ name, contentType, body, code string }{
		{"good", "application/json; charset=utf-8", `{"state":"x"}`, ""},
		{"unknown member", "application/json", `{"state":"x","admin":true}`, "requestInvalid"},
		{"two values", "application/json", `{"state":"x"}{}`, "requestInvalid"},
		{"trailing bytes", "application/json", `{"state":"x"} x`, "requestInvalid"},
		{"empty", "application/json", ``, "requestInvalid"},
		{"form", "application/x-www-form-urlencoded", `state=x`, "contentTypeInvalid"},
		{"no type", "", `{}`, "contentTypeInvalid"},
		{"plain text", "text/plain", `{"state":"x"}`, "contentTypeInvalid"},
		{"too large", "application/json", `{"state":"` + strings.Repeat("x", MaxBody) + `"}`, "requestTooLarge"},
		{"NUL", "application/json", `{"state":"a\u0000"}`, "requestInvalid"},
		{"no NUL", "application/json", `{"state":"a\\u0000"}`, ""},
		{"too deep", "application/json", strings.Repeat("[", 20000), "requestInvalid"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := scripted("POST", "/", row.body)
			r.Header.Set("Content-Type", row.contentType)
			var got error
			answer(s, func(r *http.Request) (Answer, error) {
				var v in
				got = ReadJSON(r, &v)
				return JSON(v), nil
			}, r)
			if row.code == "" && got != nil || row.code != "" && problem.CodeOf(got) != row.code {
				t.Errorf("got %v, want %q", got, row.code)
			}
		})
	}
}

// FuzzReadJSON: what is accepted is exactly one JSON object with known members.
func FuzzReadJSON(f *testing.F) {
	for _, s := range []string{`{"state":"x"}`, `{"state":1}`, `{} {}`, `null`, `[]`, "{\"state\":\"\xff\"}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var v struct {
			State string `json:"state"`
		}
		if ReadJSON(scripted("POST", "/", body), &v) != nil {
			return
		}
		var any map[string]any
		if err := json.Unmarshal([]byte(body), &any); err != nil {
			t.Fatalf("accepted %q, which is no object: %v", body, err)
		}
		for k := range any {
			if !strings.EqualFold(k, "state") {
				t.Errorf("accepted the member %q", k)
			}
		}
	})
}

func TestReadForm(t *testing.T) {
	r := httptest.NewRequest("POST", "/?secret=query", strings.NewReader("username=ada&secret=a%2Bb"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	v, err := ReadForm(r)
	if err != nil || v.Get("secret") != "a+b" || len(v["secret"]) != 1 {
		t.Errorf("%v %v", v, err)
	}
	r = httptest.NewRequest("POST", "/", strings.NewReader("{}"))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	if _, err := ReadForm(r); problem.CodeOf(err) != "contentTypeInvalid" {
		t.Error(err)
	}
}

// TestReadFormText_regression: what PostgreSQL cannot keep goes no further.
func TestReadFormText_regression(t *testing.T) {
	for _, body := range []string{"username=a%00", "username=%ff", "username=a&username=%00"} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if _, err := ReadForm(r); problem.CodeOf(err) != "requestInvalid" {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := renderer(t, contoso)
	w := answer(s, say(JSON(map[string]string{"next": "/"}).WithStatus(201), nil), scripted("POST", "/", "{}"))
	if w.Code != 201 || w.Body.String() != "{\"next\":\"/\"}\n" || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
	if w := answer(s, say(Answer{}, nil), scripted("POST", "/", "{}")); w.Code != 204 || w.Body.Len() != 0 {
		t.Errorf("zero answer: %d", w.Code)
	}
	if w := answer(s, say(JSON(func() {}), nil), scripted("POST", "/", "{}")); w.Code != 500 {
		t.Errorf("a value that is no JSON: %d", w.Code)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(WithCorrelationID(r.Context(), "given"))
	if w := answer(s, say(Answer{}, nil), r); w.Header().Get("X-Correlation-Id") != "given" {
		t.Error("a given correlation id is kept")
	}
}
