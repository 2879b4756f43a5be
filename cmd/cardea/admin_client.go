package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// client calls the API of one server with one person's or robot's tokens.
type client struct {
	server string
	http   *http.Client // adds the token
	robot  string       // client id, if an application signs in as itself
}

// apiError is an error answer of the API.
type apiError struct {
	Status     int
	Code       string
	Message    string
	Reason     string // innerError.code
	RequestID  string
	RetryAfter time.Duration // how long the server asks to wait; 0 if it does not say
	Details    []struct{ Code, Target, Message string }
}

func (e *apiError) Error() string { return e.Message }

// exit is the exit code, and what to do next.
func (e *apiError) exit() (code int, next string) {
	switch e.Status {
	case http.StatusUnauthorized:
		return exitSignIn, "cardea login"
	case http.StatusForbidden:
		return exitForbidden, "cardea whoami shows your roles; ask an administrator for the missing one"
	case http.StatusNotFound:
		return exitNotFound, "check the name with the list command of the same noun"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return exitConflict, "look at the present state with get or list, then try again"
	case http.StatusTooManyRequests:
		return exitFailed, "wait a moment and run it again"
	}
	if e.Status >= 500 {
		return exitFailed, "try again; if it stays, look for the id in the server's log"
	}
	return exitFailed, "change what the reason names and run it again"
}

// transport is HTTP with the trust that --ca or CARDEA_CA asks for; --verbose
// shows what goes over it.
func (x *call) transport() (http.RoundTripper, error) {
	t, err := plainTransport(x.ca)
	if err != nil || !x.verbose {
		return t, err
	}
	return &trace{base: t, to: x.err}, nil
}

func plainTransport(ca string) (*http.Transport, error) {
	if ca == "" {
		ca = os.Getenv("CARDEA_CA")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64 // there is only one host; bulk commands have many workers
	if ca == "" {
		return t, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", ca)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// connect finds out which server is meant and with what to sign in there: the
// client id and secret of a robot from the environment, else a saved sign-in.
func (x *call) connect() (*client, error) {
	if x.client != nil {
		return x.client, nil
	}
	server := x.server
	if server == "" {
		server = os.Getenv("CARDEA_SERVER")
	}
	if r, ok := robotOfEnvironment(); ok && x.contextName == "" {
		if server == "" {
			return nil, usage{errors.New("CARDEA_CLIENT_ID is set, but no server: set CARDEA_SERVER or give --server")}
		}
		server, err := cleanServer(server)
		if err != nil {
			return nil, err
		}
		base, err := x.transport()
		if err != nil {
			return nil, err
		}
		source, err := r.source(context.WithValue(x.ctx, oauth2.HTTPClient, &http.Client{Transport: base, Timeout: x.timeout}), server)
		if err != nil {
			return nil, err
		}
		x.client = &client{server, &http.Client{Transport: &oauth2.Transport{Source: source, Base: base}}, r.id}
		return x.client, nil
	}
	book, err := openBook()
	if err != nil {
		return nil, err
	}
	name, saved, ok := book.find(x.contextName, server)
	if !ok || saved.Refresh == "" && saved.Access == "" && saved.Cert == "" {
		return nil, notSignedIn{server}
	}
	if x.ca == "" {
		x.ca = saved.CA
	}
	base, err := x.transport()
	if err != nil {
		return nil, err
	}
	ctx := context.WithValue(x.ctx, oauth2.HTTPClient, &http.Client{Transport: base, Timeout: x.timeout})
	token := &oauth2.Token{AccessToken: saved.Access, RefreshToken: saved.Refresh, Expiry: saved.Expires}
	config := oauth2.Config{ClientID: saved.ClientID, Endpoint: endpoints(saved.Server)}
	source := config.TokenSource(ctx, token)
	if saved.Cert != "" {
		if source, err = (robot{id: saved.ClientID, cert: saved.Cert}).source(ctx, saved.Server); err != nil {
			return nil, err
		}
		source = oauth2.ReuseTokenSource(token, source)
	}
	x.client = &client{server: saved.Server, http: &http.Client{Transport: &oauth2.Transport{Source: &savingSource{TokenSource: source, book: book, name: name}, Base: base}}}
	if saved.Cert != "" {
		x.client.robot = saved.ClientID
	}
	return x.client, nil
}

func endpoints(server string) oauth2.Endpoint {
	return oauth2.Endpoint{DeviceAuthURL: server + "/organizations/oauth2/v2.0/devicecode", AuthURL: server + "/organizations/oauth2/v2.0/authorize", TokenURL: server + "/organizations/oauth2/v2.0/token", AuthStyle: oauth2.AuthStyleInParams}
}

// savingSource writes rotated tokens back: the refresh token that was used is
// dead afterwards. Workers of a bulk command share it.
type savingSource struct {
	oauth2.TokenSource
	mu   sync.Mutex
	book *book
	name string
}

func (s *savingSource) Token() (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.TokenSource.Token()
	if err != nil {
		if re, ok := errors.AsType[*oauth2.RetrieveError](err); ok && re.ErrorCode == "invalid_grant" {
			return nil, notSignedIn{}
		}
		return nil, err
	}
	saved := s.book.Contexts[s.name]
	if saved.Access != t.AccessToken {
		saved.Access, saved.Refresh, saved.Expires = t.AccessToken, t.RefreshToken, t.Expiry
		s.book.Contexts[s.name] = saved
		if err := s.book.save(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// cleanServer checks an address and reduces it to scheme and host.
func cleanServer(s string) (string, error) {
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1") {
		return "", usage{fmt.Errorf("%q is not the address of a server; write it like https://id.contoso.com", s)}
	}
	return u.Scheme + "://" + u.Host, nil
}

// request sends one call and returns the answer's body. path begins with /v1.0
// or /beta, or is a nextLink of the same server.
func (x *call) request(method, path string, body []byte, header http.Header) ([]byte, http.Header, error) {
	c, err := x.connect()
	if err != nil {
		return nil, nil, err
	}
	if strings.HasPrefix(path, "/") {
		path = c.server + path
	}
	if !strings.HasPrefix(path, c.server+"/") { // never carry the token to another host
		return nil, nil, fmt.Errorf("the address %s is not on %s", path, c.server)
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for k, v := range header {
		r.Header[k] = v
	}
	r.Header.Set("User-Agent", "cardea-cli")
	if len(body) > 0 && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode >= 400 {
		return nil, nil, decodeError(res, raw)
	}
	return raw, res.Header, nil
}

func decodeError(res *http.Response, raw []byte) error {
	var body struct {
		Error struct {
			Code, Message string
			Details       []struct{ Code, Target, Message string }
			InnerError    struct {
				Code string
				ID   string `json:"request-id"`
			}
		}
	}
	e := &apiError{Status: res.StatusCode, RequestID: res.Header.Get("request-id"), RetryAfter: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	if json.Unmarshal(raw, &body) != nil || body.Error.Message == "" {
		e.Message = fmt.Sprintf("the server answered %s, and not as Cardea does: is a proxy in between?", res.Status)
		return e
	}
	e.Code, e.Message, e.Reason, e.Details = body.Error.Code, body.Error.Message, body.Error.InnerError.Code, body.Error.Details
	if e.RequestID == "" {
		e.RequestID = body.Error.InnerError.ID
	}
	return e
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<31 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil && t.After(now) {
		return t.Sub(now)
	}
	return 0
}

// get reads one object.
func (x *call) get(path string) (map[string]any, error) {
	raw, _, err := x.request(http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	return decodeObject(raw)
}

func decodeObject(raw []byte) (map[string]any, error) {
	var o map[string]any
	if len(bytes.TrimSpace(raw)) == 0 {
		return o, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return o, d.Decode(&o)
}

// send writes and returns the object that comes back, if any.
func (x *call) send(method, path string, body any) (map[string]any, error) {
	var raw []byte
	if body != nil {
		raw = mustJSON(body)
	}
	answer, _, err := x.request(method, path, raw, nil)
	if err != nil {
		return nil, err
	}
	return decodeObject(answer)
}

// list reads rows page by page, up to the limit of the command line.
func (x *call) list(path string) ([]map[string]any, error) {
	limit := x.limit
	if x.all {
		limit = 1 << 30
	}
	if !strings.Contains(path, "$top=") { // few large pages instead of many small ones
		path = query(path, "$top", strconv.Itoa(max(1, min(limit, 999))))
	}
	rows := []map[string]any{}
	for path != "" && len(rows) < limit {
		o, err := x.get(path)
		if err != nil {
			return nil, err
		}
		items, _ := o["value"].([]any)
		for _, item := range items {
			if row, ok := item.(map[string]any); ok && len(rows) < limit {
				rows = append(rows, row)
			}
		}
		path = text(o, "@odata.nextLink")
		if path != "" && len(rows) >= limit {
			x.say("More rows exist: use --all, or --limit.")
		}
	}
	return rows, nil
}

// query builds a path with query options.
func query(path string, options ...string) string {
	var b strings.Builder
	b.WriteString(path)
	for i := 0; i+1 < len(options); i += 2 {
		if options[i+1] == "" {
			continue
		}
		if strings.Contains(b.String(), "?") {
			b.WriteByte('&')
		} else {
			b.WriteByte('?')
		}
		b.WriteString(options[i] + "=" + url.QueryEscape(options[i+1]))
	}
	return b.String()
}

// quoted is an OData string literal.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// since reads "2h", "7d" or a date as a moment.
func since(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if d, err := time.ParseDuration(days + "h"); err == nil {
			return now.Add(-24 * d), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage{fmt.Errorf("%q is no time; write 24h, 7d or 2026-01-31", s)}
}
