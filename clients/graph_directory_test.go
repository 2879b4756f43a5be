package clients_test

import (
	"fmt"
	"net/http"
	"testing"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

type (
	usersPage = models.UserCollectionResponseable
	userable  = models.Userable
)

// newPerson is a person as programs make them.
func newPerson(name string, i int) models.Userable {
	u := models.NewUser()
	u.SetAccountEnabled(p(true))
	u.SetDisplayName(p(fmt.Sprintf("%s %d", name, i)))
	u.SetMailNickname(p(fmt.Sprintf("%s%d", name, i)))
	u.SetUserPrincipalName(p(fmt.Sprintf("%s%d@contoso.test", name, i)))
	profile := models.NewPasswordProfile()
	profile.SetForceChangePasswordNextSignIn(p(true))
	profile.SetPassword(p("correct horse battery staple"))
	u.SetPasswordProfile(profile)
	return u
}

func (g *graph) people(name string, n int) (ids []string) {
	g.Helper()
	for i := range n {
		ids = append(ids, *must[userable](g.site)(g.users().Post(g.Context(), newPerson(name, i), nil)).GetId())
	}
	return ids
}

func eventual() *abstractions.RequestHeaders {
	h := abstractions.NewRequestHeaders()
	h.Add("ConsistencyLevel", "eventual")
	return h
}

// TestGraphPeopleWC88: gzip bodies, patches with nulls, queries, pages, counts.
func TestGraphPeopleWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	ids := g.people("Person", 5)

	t.Run("PATCH WC-74", func(t *testing.T) {
		change := models.NewUser()
		change.SetDepartment(p("Sales"))
		change.SetBusinessPhones([]string{"+1 555 0100"})
		s.Must(change.GetBackingStore().Set("jobTitle", nil))
		if _, err := g.user(ids[0]).Patch(ctx, change, nil); err != nil {
			t.Fatal(err)
		}
		one := must[userable](s)(g.user("PERSON0@contoso.test").Get(ctx, &users.UserItemRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{Select: []string{"id", "department", "jobTitle", "businessPhones", "accountEnabled", "createdDateTime", "passwordProfile"}}}))
		if *one.GetId() != ids[0] || *one.GetDepartment() != "Sales" || one.GetJobTitle() != nil || one.GetBusinessPhones()[0] != "+1 555 0100" || !*one.GetAccountEnabled() || one.GetCreatedDateTime().IsZero() || one.GetPasswordProfile() != nil {
			t.Errorf("%v", one)
		}
	})
	t.Run("a page with filter, order and count", func(t *testing.T) {
		list := must[usersPage](s)(g.users().Get(ctx, &users.UsersRequestBuilderGetRequestConfiguration{Headers: eventual(), QueryParameters: &users.UsersRequestBuilderGetQueryParameters{
			Filter: p("startswith(displayName,'Person') and accountEnabled eq true"), Orderby: []string{"displayName desc"}, Select: []string{"id", "displayName"}, Top: p(int32(2)), Count: p(true)}}))
		if len(list.GetValue()) != 2 || *list.GetOdataCount() != 5 || *list.GetValue()[0].GetDisplayName() != "Person 4" {
			t.Fatalf("%d of %d, first %s", len(list.GetValue()), *list.GetOdataCount(), *list.GetValue()[0].GetDisplayName())
		}
		pages, err := core.NewPageIterator[models.Userable](list, g.adapter, models.CreateUserCollectionResponseFromDiscriminatorValue)
		s.Must(err)
		var seen []string
		if err := pages.Iterate(ctx, func(u models.Userable) bool { seen = append(seen, *u.GetDisplayName()); return true }); err != nil || fmt.Sprint(seen) != "[Person 4 Person 3 Person 2 Person 1 Person 0]" {
			t.Errorf("WC-69: the iterator saw %q, %v", seen, err)
		}
	})
	t.Run("$search", func(t *testing.T) {
		list := must[usersPage](s)(g.users().Get(ctx, &users.UsersRequestBuilderGetRequestConfiguration{Headers: eventual(), QueryParameters: &users.UsersRequestBuilderGetQueryParameters{
			Search: p(`"displayName:person" AND "userPrincipalName:person3"`), Select: []string{"displayName"}}}))
		if len(list.GetValue()) != 1 || *list.GetValue()[0].GetDisplayName() != "Person 3" {
			t.Errorf("found %d", len(list.GetValue()))
		}
		list = must[usersPage](s)(g.users().Get(ctx, &users.UsersRequestBuilderGetRequestConfiguration{QueryParameters: &users.UsersRequestBuilderGetQueryParameters{Search: p(`"displayName:person"`)}}))
		if len(list.GetValue()) != 5 {
			t.Errorf("DO-38: without the header found %d", len(list.GetValue()))
		}
	})
	t.Run("$count WC-11", func(t *testing.T) {
		if n := must[*int32](s)(g.users().Count().Get(ctx, &users.CountRequestBuilderGetRequestConfiguration{Headers: eventual()})); *n != 5 {
			t.Errorf("$count is %d", *n)
		}
		_, err := g.users().Count().Get(ctx, nil)
		g.refused(err, http.StatusBadRequest, "Request_BadRequest") // DO-38
	})
	t.Run("$expand", func(t *testing.T) {
		ref := models.NewReferenceUpdate()
		ref.SetOdataId(p("https://graph.microsoft.com/v1.0/users/" + ids[1]))
		s.Must(g.user(ids[0]).Manager().Ref().Put(ctx, ref, nil))
		one := must[userable](s)(g.user(ids[0]).Get(ctx, &users.UserItemRequestBuilderGetRequestConfiguration{
			QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{Select: []string{"id"}, Expand: []string{"manager($select=id,displayName)"}}}))
		if m, ok := one.GetManager().(models.Userable); !ok || *m.GetId() != ids[1] || *m.GetDisplayName() != "Person 1" {
			t.Errorf("the manager is %T %v", one.GetManager(), one.GetManager())
		}
		list := must[models.DirectoryObjectCollectionResponseable](s)(g.user(ids[1]).DirectReports().Get(ctx, nil))
		if len(list.GetValue()) != 1 || *list.GetValue()[0].GetId() != ids[0] {
			t.Errorf("%d direct reports", len(list.GetValue()))
		}
	})
	t.Run("errors WC-79 WC-80", func(t *testing.T) {
		_, err := g.user("00000000-0000-0000-0000-000000000000").Get(ctx, nil)
		g.refused(err, http.StatusNotFound, "Request_ResourceNotFound")
		_, err = g.users().Post(ctx, newPerson("Person", 0), nil)
		g.refused(err, http.StatusConflict, "Request_MultipleObjectsWithSameKeyValue")
		_, err = g.users().Get(ctx, &users.UsersRequestBuilderGetRequestConfiguration{QueryParameters: &users.UsersRequestBuilderGetQueryParameters{Filter: p("displayName eq")}})
		g.refused(err, http.StatusBadRequest, "Request_UnsupportedQuery")
	})
	t.Run("DELETE and sessions", func(t *testing.T) {
		if done := must[users.ItemRevokeSignInSessionsPostResponseable](s)(g.user(ids[4]).RevokeSignInSessions().PostAsRevokeSignInSessionsPostResponse(ctx, nil)); !*done.GetValue() {
			t.Error("revokeSignInSessions says no")
		}
		s.Must(g.user(ids[4]).Delete(ctx, nil))
		_, err := g.user(ids[4]).Get(ctx, nil)
		g.refused(err, http.StatusNotFound, "Request_ResourceNotFound")
	})
}

// TestGraphGroupsWC88: references of Microsoft's address, members by their types.
func TestGraphGroupsWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	ids := g.people("Member", 2)
	newGroup := func(name string) string {
		v := models.NewGroup()
		v.SetDisplayName(p(name))
		v.SetMailEnabled(p(false))
		v.SetMailNickname(p(name))
		v.SetSecurityEnabled(p(true))
		v.SetGroupTypes([]string{})
		return *must[models.Groupable](s)(g.groups().Post(ctx, v, nil)).GetId()
	}
	sales, inner := newGroup("sales"), newGroup("inner")
	add := func(group, member string) {
		t.Helper()
		ref := models.NewReferenceCreate()
		ref.SetOdataId(p("https://graph.microsoft.com/v1.0/directoryObjects/" + member)) // WC-76
		s.Must(g.groups().ByGroupId(group).Members().Ref().Post(ctx, ref, nil))
	}
	add(sales, ids[0])
	add(sales, inner)
	add(inner, ids[1])

	members := must[models.DirectoryObjectCollectionResponseable](s)(g.groups().ByGroupId(sales).Members().Get(ctx, nil))
	var kinds []string
	for _, m := range members.GetValue() { // WC-70
		switch m := m.(type) {
		case models.Userable:
			kinds = append(kinds, "user "+*m.GetUserPrincipalName())
		case models.Groupable:
			kinds = append(kinds, "group "+*m.GetDisplayName())
		default:
			t.Errorf("a %T", m)
		}
	}
	if len(kinds) != 2 {
		t.Errorf("members: %q", kinds)
	}
	whole := must[models.DirectoryObjectCollectionResponseable](s)(g.groups().ByGroupId(sales).TransitiveMembers().Get(ctx, &groups.ItemTransitiveMembersRequestBuilderGetRequestConfiguration{
		Headers: eventual(), QueryParameters: &groups.ItemTransitiveMembersRequestBuilderGetQueryParameters{Count: p(true), Top: p(int32(1)), Select: []string{"id"}}}))
	if *whole.GetOdataCount() != 3 || len(whole.GetValue()) != 1 || whole.GetOdataNextLink() == nil {
		t.Errorf("transitive: %d of %d", len(whole.GetValue()), *whole.GetOdataCount())
	}
	cast := must[models.UserCollectionResponseable](s)(g.groups().ByGroupId(sales).TransitiveMembers().GraphUser().Get(ctx, nil))
	if len(cast.GetValue()) != 2 {
		t.Errorf("%d people in all", len(cast.GetValue()))
	}
	one := must[models.Groupable](s)(g.groups().ByGroupId(sales).Get(ctx, &groups.GroupItemRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.GroupItemRequestBuilderGetQueryParameters{Select: []string{"id", "displayName", "groupTypes"}, Expand: []string{"members($select=id)"}}}))
	if *one.GetDisplayName() != "sales" || len(one.GetGroupTypes()) != 0 || len(one.GetMembers()) != 2 {
		t.Errorf("expanded: %v with %d members", *one.GetDisplayName(), len(one.GetMembers()))
	}
	of := must[models.DirectoryObjectCollectionResponseable](s)(g.user(ids[1]).TransitiveMemberOf().Get(ctx, nil))
	if len(of.GetValue()) != 2 {
		t.Errorf("in %d groups", len(of.GetValue()))
	}
	check := users.NewItemCheckMemberGroupsPostRequestBody()
	check.SetGroupIds([]string{sales, "00000000-0000-0000-0000-000000000000"})
	if got := must[users.ItemCheckMemberGroupsPostResponseable](s)(g.user(ids[1]).CheckMemberGroups().PostAsCheckMemberGroupsPostResponse(ctx, check, nil)); len(got.GetValue()) != 1 || got.GetValue()[0] != sales {
		t.Errorf("checkMemberGroups: %v", got.GetValue())
	}
	s.Must(g.groups().ByGroupId(sales).Members().ByDirectoryObjectId(ids[0]).Ref().Delete(ctx, nil))
	g.refused(g.groups().ByGroupId(sales).Members().ByDirectoryObjectId(ids[0]).Ref().Delete(ctx, nil), http.StatusNotFound, "Request_ResourceNotFound")
	change := models.NewGroup()
	change.SetDescription(p("Sells"))
	if _, err := g.groups().ByGroupId(sales).Patch(ctx, change, nil); err != nil {
		t.Error(err)
	}
	s.Must(g.groups().ByGroupId(sales).Delete(ctx, nil))
}
