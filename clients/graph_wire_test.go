package clients_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"cardea/internal/application"
	"cardea/internal/server"
)

// TestGraphBatchWC88 sends several requests in one, as the SDK's core does.
func TestGraphBatchWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	ids := g.people("Person", 2)
	core.RegisterError(core.BatchRequestErrorRegistryKey, abstractions.ErrorMappings{"4XX": odataerrors.CreateODataErrorFromDiscriminatorValue, "5XX": odataerrors.CreateODataErrorFromDiscriminatorValue})

	batch := core.NewBatchRequest(g.adapter)
	step := func(r *abstractions.RequestInformation, err error) core.BatchItem {
		t.Helper()
		s.Must(err)
		item, err := batch.AddBatchRequestStep(*r)
		s.Must(err)
		return item
	}
	one := step(g.user(ids[0]).ToGetRequestInformation(ctx, nil))
	list := step(g.users().ToGetRequestInformation(ctx, &users.UsersRequestBuilderGetRequestConfiguration{Headers: eventual(), QueryParameters: &users.UsersRequestBuilderGetQueryParameters{
		Filter: p("displayName eq 'Person 1'"), Select: []string{"id", "displayName"}}}))
	change := models.NewUser()
	change.SetDepartment(p("Sales"))
	patch := step(g.user(ids[0]).ToPatchRequestInformation(ctx, change, nil))
	after := step(g.user(ids[0]).ToGetRequestInformation(ctx, &users.UserItemRequestBuilderGetRequestConfiguration{QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{Select: []string{"department"}}}))
	after.DependsOnItem(patch)
	none := step(g.user("00000000-0000-0000-0000-000000000000").ToGetRequestInformation(ctx, nil))
	made := step(g.users().ToPostRequestInformation(ctx, newPerson("Batched", 1), nil))

	answer := must[core.BatchResponse](s)(batch.Send(ctx, g.adapter))
	want := map[string]int32{*one.GetId(): 200, *list.GetId(): 200, *patch.GetId(): 204, *after.GetId(): 200, *none.GetId(): 404, *made.GetId(): 201}
	got := answer.GetStatusCodes()
	for id, status := range want {
		if got[id] != status {
			t.Errorf("status %d, want %d", got[id], status)
		}
	}
	if u := must[userable](s)(core.GetBatchResponseById[models.Userable](answer, *one.GetId(), models.CreateUserFromDiscriminatorValue)); *u.GetDisplayName() != "Person 0" {
		t.Errorf("got %s", *u.GetDisplayName())
	}
	if l := must[usersPage](s)(core.GetBatchResponseById[models.UserCollectionResponseable](answer, *list.GetId(), models.CreateUserCollectionResponseFromDiscriminatorValue)); len(l.GetValue()) != 1 || *l.GetValue()[0].GetId() != ids[1] {
		t.Errorf("got %d", len(l.GetValue()))
	}
	if u := must[userable](s)(core.GetBatchResponseById[models.Userable](answer, *after.GetId(), models.CreateUserFromDiscriminatorValue)); *u.GetDepartment() != "Sales" {
		t.Errorf("DO-55: after the PATCH %v", u)
	}
	_, err := core.GetBatchResponseById[models.Userable](answer, *none.GetId(), models.CreateUserFromDiscriminatorValue)
	g.refused(err, 0, "Request_ResourceNotFound") // the core gives errors inside a batch no status
}

// TestGraphDeltaWC88 follows the links of delta (DO-59 … DO-63).
func TestGraphDeltaWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	ids := g.people("Person", 3)
	// all follows nextLinks and returns what came, and the deltaLink.
	all := func(b *users.DeltaRequestBuilder, q *users.DeltaRequestBuilderGetRequestConfiguration) (found map[string]models.Userable, next *users.DeltaRequestBuilder) {
		t.Helper()
		found = map[string]models.Userable{}
		for range 10 {
			page := must[users.DeltaGetResponseable](s)(b.GetAsDeltaGetResponse(ctx, q))
			for _, u := range page.GetValue() {
				found[*u.GetId()] = u
			}
			if link := page.GetOdataDeltaLink(); link != nil {
				return found, b.WithUrl(*link)
			}
			if page.GetOdataNextLink() == nil {
				t.Fatal("neither nextLink nor deltaLink")
			}
			b, q = b.WithUrl(*page.GetOdataNextLink()), nil
		}
		t.Fatal("no end")
		return nil, nil
	}
	found, next := all(g.users().Delta(), &users.DeltaRequestBuilderGetRequestConfiguration{QueryParameters: &users.DeltaRequestBuilderGetQueryParameters{Select: []string{"displayName", "department"}}})
	if len(found) != 3 || found[ids[0]].GetDisplayName() == nil {
		t.Fatalf("at first %d", len(found))
	}
	if found, next = all(next, nil); len(found) != 0 {
		t.Errorf("nothing happened, and %d came", len(found))
	}
	change := models.NewUser()
	change.SetDepartment(p("Sales"))
	if _, err := g.user(ids[0]).Patch(ctx, change, nil); err != nil {
		t.Fatal(err)
	}
	s.Must(g.user(ids[1]).Delete(ctx, nil))
	found, _ = all(next, nil)
	if len(found) != 2 || found[ids[0]] == nil || found[ids[1]] == nil {
		t.Fatalf("%d changes", len(found))
	}
	if *found[ids[0]].GetDepartment() != "Sales" {
		t.Errorf("the change: %v", found[ids[0]].GetAdditionalData())
	}
	if _, ok := found[ids[1]].GetAdditionalData()["@removed"]; !ok {
		t.Errorf("DO-62: the removal: %v", found[ids[1]].GetAdditionalData())
	}
}

// watched counts what the SDK sends compressed, and the answers of each status,
// of which its own retries hide some.
type watched struct {
	http.RoundTripper
	seen  map[int]int
	plain []string // bodies that were not compressed
	on    func(*http.Response)
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Header.Get("Content-Encoding") != "gzip" {
		w.plain = append(w.plain, r.Method+" "+r.URL.Path)
	}
	res, err := w.RoundTripper.RoundTrip(r)
	if err == nil {
		w.seen[res.StatusCode]++
		if w.on != nil {
			w.on(res)
		}
	}
	return res, err
}

// TestGraphGzipWC12: compressed bodies are read at once; 415 would make the SDK
// send them again as they are.
func TestGraphGzipWC12(t *testing.T) {
	s := open(t)
	job := s.app(application.Application{DisplayName: "SDK", Cardea: application.Extra{Permissions: []string{application.All}}})
	w := &watched{RoundTripper: s.Client.Transport, seen: map[int]int{}}
	g := s.graph(s.secretCredential(job.AppID, s.secret(job)), defaultScope, w)
	id := g.people("Person", 1)[0]
	change := models.NewUser()
	change.SetDepartment(p("Sales"))
	if _, err := g.user(id).Patch(t.Context(), change, nil); err != nil {
		t.Fatal(err)
	}
	if len(w.plain) > 0 || w.seen[http.StatusCreated] != 1 || w.seen[http.StatusUnsupportedMediaType] != 0 {
		t.Errorf("plain: %q, answers: %v", w.plain, w.seen)
	}
}

// TestGraphRetriesWC81: who asks too fast gets 429 with Retry-After, and the SDK
// waits as long and asks again. The server's clock moves only by what it said.
func TestGraphRetriesWC81(t *testing.T) {
	s := open(t, func(c *server.Config) { c.APIRate = "1" })
	job := s.app(application.Application{DisplayName: "SDK", Cardea: application.Extra{Permissions: []string{application.All}}})
	w := &watched{RoundTripper: s.Client.Transport, seen: map[int]int{}, on: func(res *http.Response) {
		if after, err := strconv.Atoi(res.Header.Get("Retry-After")); res.StatusCode == http.StatusTooManyRequests && err == nil && after > 0 {
			s.forward(time.Duration(after) * time.Second)
		}
	}}
	g := s.graph(s.secretCredential(job.AppID, s.secret(job)), defaultScope, w)
	s.stop()
	for range 3 { // two at once, then one a second
		must[usersPage](s)(g.users().Get(t.Context(), nil))
	}
	if w.seen[http.StatusTooManyRequests] != 1 || w.seen[http.StatusOK] != 3 {
		t.Errorf("answers: %v", w.seen)
	}
}
