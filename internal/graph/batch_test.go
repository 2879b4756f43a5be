package graph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"cardea/internal/db"
	"cardea/internal/db/dbtest"
)

// item is one answer of a batch, as clients read it.
type item struct {
	ID      string
	Status  int
	Headers map[string]string
	Body    json.RawMessage
}

func (w *world) batch(who, body string) (int, map[string]item) {
	w.t.Helper()
	rec := w.request("POST", "/v1.0/$batch", who, []byte(body), nil)
	var out struct{ Responses []item }
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.t.Fatalf("%v: %s", err, rec.Body)
	}
	byID := map[string]item{}
	for _, it := range out.Responses {
		byID[it.ID] = it
	}
	return rec.Code, byID
}

// TestBatch: DO-54 … DO-58 beyond the conversation.
func TestBatch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		many := func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `,{"id":"%d","method":"GET","url":"/me"}`, i)
			}
			return `{"requests":[` + strings.TrimPrefix(b.String(), ",") + `]}`
		}
		for _, c := range []struct {
			rule, body string
			want       int
		}{
			{"DO-54 twenty", many(20), 200},
			{"DO-54 twenty-one", many(21), 400},
			{"DO-54 none", `{"requests":[]}`, 400},
			{"DO-54 no list", `{}`, 400},
			{"DO-54 no id", `{"requests":[{"method":"GET","url":"/me"}]}`, 400},
			{"DO-54 an id that is no text", `{"requests":[{"id":{},"method":"GET","url":"/me"}]}`, 400},
			{"DO-54 no method", `{"requests":[{"id":"1","url":"/me"}]}`, 400},
			{"DO-54 no url", `{"requests":[{"id":"1","method":"GET"}]}`, 400},
			{"DO-54 another host", `{"requests":[{"id":"1","method":"GET","url":"//elsewhere.test/v1.0/me"}]}`, 400},
			{"DO-54 a scheme", `{"requests":[{"id":"1","method":"GET","url":"HTTPS://id.contoso.test/v1.0/me"}]}`, 400},
			{"DO-56 itself", `{"requests":[{"id":"1","method":"GET","url":"/me","dependsOn":["1"]}]}`, 400},
			{"members in any case, nulls", `{"Requests":[{"Id":1,"Method":"GET","Url":"me","Headers":null,"Body":null,"DependsOn":null}]}`, 200},
		} {
			if got, _ := w.batch("ada", c.body); got != c.want {
				t.Errorf("%s: %d, want %d", c.rule, got, c.want)
			}
		}

		// Each has its own request id, and the batch's client-request-id unless it brings one.
		_, got := w.batch("reader", `{"requests":[{"id":"1","method":"GET","url":"/me"},{"id":"2","method":"GET","url":"/me","headers":{"client-request-id":"mine"}},
			{"id":"3","method":"GET","url":"/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2"}]}`)
		if a, b := got["1"].Headers["Request-Id"], got["2"].Headers["Request-Id"]; a == "" || a == b {
			t.Errorf("DO-57: request ids %q and %q", a, b)
		}
		if got["2"].Headers["Client-Request-Id"] != "mine" || got["3"].Headers["Etag"] == "" || got["3"].Headers["Access-Control-Allow-Origin"] != "" {
			t.Errorf("DO-57: headers %v, %v", got["2"].Headers, got["3"].Headers)
		}

		// What runs in a batch is authorized and written to the log like any other call.
		_, got = w.batch("useradmin", `{"requests":[
			{"id":"read","method":"GET","url":"/groups?$filter=displayName eq 'Later'&$select=displayName","dependsOn":["make"]},
			{"id":"make","method":"POST","url":"/groups","headers":{"Content-Type":"application/json; charset=utf-8"},"body":{"displayName":"Later"}},
			{"id":"role","method":"POST","url":"/directoryRoles/62e90394-69f5-4237-9190-012177145e10/members/$ref","headers":{"Content-Type":"application/json","Authorization":"Bearer x"},"body":{"@odata.id":"/users/`+w.ids["ada"]+`"}},
			{"id":"base64","method":"POST","url":"/groups","headers":{"Content-Type":"text/plain"},"body":"`+base64.StdEncoding.EncodeToString([]byte(`{"displayName":"Packed"}`))+`"},
			{"id":"no base64","method":"POST","url":"/groups","headers":{"Content-Type":"text/plain"},"body":{}},
			{"id":"text","method":"POST","url":"/groups","headers":{"Content-Type":"application/json"},"body":"{\"displayName\":\"Text\"}"}]}`)
		for id, want := range map[string]int{"read": 200, "make": 201, "role": 403, "base64": 201, "no base64": 400, "text": 201} {
			if got[id].Status != want {
				t.Errorf("%s: %d, want %d: %s", id, got[id].Status, want, got[id].Body)
			}
		}
		if !strings.Contains(string(got["read"].Body), "Later") {
			t.Errorf("DO-56: what depends on a write does not see it: %s", got["read"].Body)
		}
		audits := w.do(200, "GET", "/v1.0/auditLogs/directoryAudits?$filter=activityDisplayName eq 'Add group'", "reader", "")["value"].([]any)
		if len(audits) != 3 {
			t.Errorf("DO-57: %d groups are in the log, want 3", len(audits))
		}

		// An answer that is no JSON stands there in base64.
		_, got = w.batch("admin", `{"requests":[{"id":"1","method":"POST","url":"`+configsPath+`/fido2/cardea.previewChange","headers":{"Content-Type":"application/json","Accept":"text/csv"},"body":{"state":"disabled"}}]}`)
		var text string
		if err := json.Unmarshal(got["1"].Body, &text); err != nil {
			t.Fatalf("%v: %s", err, got["1"].Body)
		}
		if csv, err := base64.StdEncoding.DecodeString(text); err != nil || !strings.HasPrefix(string(csv), "userId,") {
			t.Errorf("CSV in a batch: %q, %v", csv, err)
		}
	})
}

// TestBatchIsBounded: the answers of a batch never hold more than maxAnswers.
func TestBatchIsBounded(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		w.api.routes = append(w.api.routes, route{Method: "GET", Path: "/huge", Access: readOrganization, Run: func(*Call) (Answer, error) {
			return Answer{Status: http.StatusOK, Body: strings.Repeat("x", maxAnswers/4)}, nil
		}}.compiled())
		_, got := w.batch("ada", `{"requests":[{"id":"1","method":"GET","url":"/huge"},{"id":"2","method":"GET","url":"/huge"},{"id":"3","method":"GET","url":"/huge"},{"id":"4","method":"GET","url":"/huge"},{"id":"5","method":"GET","url":"/huge"}]}`)
		total, refused := 0, 0
		for _, it := range got {
			total += len(it.Body)
			if it.Status == 400 && strings.Contains(string(it.Body), "answerTooLarge") {
				refused++
			}
		}
		if total > maxAnswers || refused == 0 {
			t.Errorf("%d bytes, %d refused", total, refused)
		}
	})
}

// FuzzBatch: whatever a batch holds, the answer is valid JSON; when it is 200 it
// has one answer per request, under its id, each with a status, and a body that
// is valid JSON.
func FuzzBatch(f *testing.F) {
	for _, s := range []string{
		`{"requests":[{"id":"1","method":"GET","url":"/me"}]}`,
		`{"requests":[{"id":"1","method":"POST","url":"/groups","headers":{"Content-Type":"application/json"},"body":{"displayName":"x"}},{"id":2,"method":"GET","url":"users/$count","dependsOn":["1"]}]}`,
		`{"requests":[{"id":"1","method":"GET","url":"/users('%27')?$filter=%zz&$top=-1#x"}]}`,
		`{"requests":[{"id":"1","method":"\u0000","url":"/\u0000"}]}`,
		`{"requests":[{"id":"1","method":"OPTIONS","url":"/v1.0","headers":{"Host":"x","A\nB":"c\nd","":"e"}}]}`,
		`{"requests":[{"id":"1","method":"PATCH","url":"beta/me","headers":{"content-type":"text/plain"},"body":"e30="},{"id":"1 ","method":"x","url":"?"}]}`,
		`"{\"requests\":[]}"`, `[]`, `{"requests":[null]}`, ``,
	} {
		f.Add([]byte(s))
	}
	d, err := db.Open(f.Context(), db.Options{DSN: filepath.Join(f.TempDir(), "fuzz.db"), Volatile: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	w := newWorld(f, d)
	token := w.token("ada")
	f.Fuzz(func(t *testing.T, body []byte) {
		w.t = t
		rec := w.request("POST", "/v1.0/$batch", "none", body, http.Header{"Authorization": {token}})
		if !json.Valid(rec.Body.Bytes()) || rec.Code != 200 && (rec.Code < 400 || rec.Code > 499) {
			t.Fatalf("%q: %d %s", body, rec.Code, rec.Body)
		}
		if rec.Code != 200 {
			return
		}
		var in batchRequest
		var out struct{ Responses []item }
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		inner := body
		var text string
		if json.Unmarshal(body, &text) == nil {
			inner = []byte(text)
		}
		if err := json.Unmarshal(inner, &in); err != nil || len(in.Requests) != len(out.Responses) || len(in.Requests) > maxBatch {
			t.Fatalf("%q: %d requests, %d answers (%v)", body, len(in.Requests), len(out.Responses), err)
		}
		for i, it := range out.Responses {
			if it.ID != string(in.Requests[i].ID) || it.Status < 200 || it.Status > 599 || len(it.Body) > 0 && !json.Valid(it.Body) {
				t.Fatalf("%q: answer %d is %+v", body, i, it)
			}
		}
	})
}
