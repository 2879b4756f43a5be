package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// trace shows every request and its answer, in order, without secrets
// (--verbose).
type trace struct {
	base http.RoundTripper
	to   io.Writer
	mu   sync.Mutex
	n    int
}

// maxTraced is how much of a body is shown, in bytes.
const maxTraced = 16 << 10

func (t *trace) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		if err := r.Body.Close(); err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	t.mu.Lock()
	t.n++
	n := t.n
	t.mu.Unlock()
	var out strings.Builder
	fmt.Fprintf(&out, "#%d > %s %s\n", n, r.Method, redactedURL(r.URL))
	for _, name := range []string{"Content-Type", "If-Match", "Prefer", "ConsistencyLevel", "User-Agent"} {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(&out, "#%d > %s: %s\n", n, name, v)
		}
	}
	if r.Header.Get("Authorization") != "" {
		fmt.Fprintf(&out, "#%d > Authorization: %s\n", n, hidden)
	}
	t.body(&out, n, ">", r.Header.Get("Content-Type"), sent)
	t.print(out.String())
	res, err := t.base.RoundTrip(r)
	out.Reset()
	if err != nil {
		fmt.Fprintf(&out, "#%d < %v\n", n, err)
		t.print(out.String())
		return nil, err
	}
	got, err := io.ReadAll(res.Body)
	if closing := res.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(got))
	fmt.Fprintf(&out, "#%d < %s\n", n, res.Status)
	for _, name := range []string{"Content-Type", "ETag", "Location", "Request-Id", "Retry-After", "Warning"} {
		for _, v := range res.Header.Values(name) {
			fmt.Fprintf(&out, "#%d < %s: %s\n", n, name, v)
		}
	}
	t.body(&out, n, "<", res.Header.Get("Content-Type"), got)
	t.print(out.String())
	return res, nil
}

func (t *trace) print(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprint(t.to, s)
}

const hidden = "(hidden)"

// body shows what can be shown: JSON and forms, whose members have names.
func (t *trace) body(out *strings.Builder, n int, way, mime string, body []byte) {
	if len(body) == 0 {
		return
	}
	said := fmt.Sprintf("(%d bytes)", len(body))
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	switch {
	case strings.Contains(mime, "x-www-form-urlencoded"):
		if form, err := url.ParseQuery(string(body)); err == nil {
			said = redactedForm(form)
		}
	case strings.Contains(mime, "json") && d.Decode(&v) == nil:
		said = string(mustJSON(redacted(v)))
	}
	if len(said) > maxTraced {
		said = strings.ToValidUTF8(said[:maxTraced], "") + " …"
	}
	fmt.Fprintf(out, "#%d %s %s\n", n, way, plain(said))
}

func redactedURL(u *url.URL) string {
	shown := *u
	shown.User = nil
	q := shown.Query()
	for name := range q {
		if secretName(name) {
			q.Set(name, hidden)
			shown.RawQuery = q.Encode()
		}
	}
	return shown.String()
}

func redactedForm(form url.Values) string {
	for name := range form {
		if secretName(name) {
			form.Set(name, hidden)
		}
	}
	return form.Encode()
}

// redacted hides the values of members that are secrets, at any depth.
func redacted(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if _, isText := inner.(string); isText && secretName(name) {
				out[name] = hidden
				continue
			}
			out[name] = redacted(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = redacted(v[i])
		}
		return out
	}
	return v
}

// secretName reports whether what is called so opens something. Error codes and
// the like have "code" in their names too, so that word counts alone.
func secretName(name string) bool {
	n := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	for _, part := range []string{"token", "secret", "password", "assertion", "accesspass", "devicecode", "usercode", "codeverifier", "passphrase"} {
		if strings.Contains(n, part) && !strings.HasSuffix(n, "type") && !strings.HasSuffix(n, "state") {
			return true
		}
	}
	// url is an enrolment link; of a request inside a batch it is only a path.
	return n == "code" || n == "pin" || n == "key" || n == "url" || n == "challenge"
}
