package clients_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/uuid"
	"github.com/microsoftgraph/msgraph-sdk-go/applications"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/rolemanagement"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
)

func newKey(s *site) *rsa.PrivateKey {
	s.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	s.Must(err)
	return key
}

func certificates(c *x509.Certificate) []*x509.Certificate { return []*x509.Certificate{c} }

// TestGraphApplicationsWC88 registers an application through the SDK, gives it
// a permission, a secret and a certificate, and signs in with each.
func TestGraphApplicationsWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	g.people("Person", 1)

	a := models.NewApplication()
	a.SetDisplayName(p("Payroll"))
	a.SetSignInAudience(p("AzureADMyOrg"))
	web := models.NewWebApplication()
	web.SetRedirectUris([]string{"https://payroll.contoso.test/cb"})
	a.SetWeb(web)
	made := must[models.Applicationable](s)(g.applications().Post(ctx, a, nil))
	if made.GetAppId() == nil || made.GetWeb().GetRedirectUris()[0] != "https://payroll.contoso.test/cb" {
		t.Errorf("%v", made)
	}
	of := g.applications().ByApplicationId(*made.GetId())

	ask := applications.NewItemAddPasswordPostRequestBody()
	credential := models.NewPasswordCredential()
	credential.SetDisplayName(p("SDK"))
	credential.SetEndDateTime(p(time.Now().Add(24 * time.Hour)))
	ask.SetPasswordCredential(credential)
	secret := must[models.PasswordCredentialable](s)(of.AddPassword().Post(ctx, ask, nil))
	if secret.GetSecretText() == nil || secret.GetKeyId() == nil || *secret.GetDisplayName() != "SDK" {
		t.Fatalf("the secret: %v", secret)
	}
	key := newKey(s)
	der := s.selfSigned(key, "SDK")
	cert, err := x509.ParseCertificate(der)
	s.Must(err)
	public := models.NewKeyCredential()
	public.SetTypeEscaped(p("AsymmetricX509Cert"))
	public.SetUsage(p("Verify"))
	public.SetKey(der)
	public.SetDisplayName(p("SDK"))
	change := models.NewApplication()
	change.SetKeyCredentials([]models.KeyCredentialable{public})
	if _, err := of.Patch(ctx, change, nil); err != nil {
		t.Fatal(err)
	}
	if got := must[models.Applicationable](s)(of.Get(ctx, nil)); len(got.GetKeyCredentials()) != 1 || len(got.GetPasswordCredentials()) != 1 || got.GetPasswordCredentials()[0].GetSecretText() != nil || got.GetPasswordCredentials()[0].GetHint() == nil {
		t.Errorf("credentials: %v", got)
	}

	// Its service principal, and a permission of Graph's.
	sp := models.NewServicePrincipal()
	sp.SetAppId(made.GetAppId())
	principal := must[models.ServicePrincipalable](s)(g.principals().Post(ctx, sp, nil))
	api := must[models.ServicePrincipalCollectionResponseable](s)(g.principals().Get(ctx, &serviceprincipals.ServicePrincipalsRequestBuilderGetRequestConfiguration{
		QueryParameters: &serviceprincipals.ServicePrincipalsRequestBuilderGetQueryParameters{Filter: p("appId eq '00000003-0000-0000-c000-000000000000'")}})).GetValue()[0]
	var role *uuid.UUID
	for _, r := range api.GetAppRoles() {
		if *r.GetValue() == "User.Read.All" {
			role = r.GetId()
		}
	}
	if role == nil {
		t.Fatal("Graph has no User.Read.All")
	}
	grant := models.NewAppRoleAssignment()
	grant.SetAppRoleId(role)
	grant.SetPrincipalId(p(uuid.MustParse(*principal.GetId())))
	grant.SetResourceId(p(uuid.MustParse(*api.GetId())))
	given := must[models.AppRoleAssignmentable](s)(g.principals().ByServicePrincipalId(*api.GetId()).AppRoleAssignedTo().Post(ctx, grant, nil))
	if list := must[models.AppRoleAssignmentCollectionResponseable](s)(g.principals().ByServicePrincipalId(*principal.GetId()).AppRoleAssignments().Get(ctx, nil)); len(list.GetValue()) != 1 || *list.GetValue()[0].GetId() != *given.GetId() {
		t.Errorf("%d assignments", len(list.GetValue()))
	}

	s.forward(2 * time.Second) // the server looks for changed applications once a second
	byCertificate, err := azidentity.NewClientCertificateCredential(s.TID, *made.GetAppId(), certificates(cert), key, &azidentity.ClientCertificateCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true})
	s.Must(err)
	payroll := s.graph(s.secretCredential(*made.GetAppId(), *secret.GetSecretText()), defaultScope, s.Client.Transport)
	for _, c := range []*graph{payroll, s.graph(byCertificate, defaultScope, s.Client.Transport)} {
		if got := must[usersPage](s)(c.users().Get(ctx, nil)); len(got.GetValue()) != 1 {
			t.Errorf("%d people", len(got.GetValue()))
		}
	}
	_, err = payroll.users().Post(ctx, newPerson("No", 1), nil)
	g.refused(err, http.StatusForbidden, "Authorization_RequestDenied")

	gone := applications.NewItemRemovePasswordPostRequestBody()
	gone.SetKeyId(secret.GetKeyId())
	s.Must(of.RemovePassword().Post(ctx, gone, nil))
	s.Must(g.principals().ByServicePrincipalId(*api.GetId()).AppRoleAssignedTo().ByAppRoleAssignmentId(*given.GetId()).Delete(ctx, nil))
	s.forward(2 * time.Second)
	_, err = payroll.users().Get(ctx, nil)
	g.refused(err, http.StatusForbidden, "Authorization_RequestDenied")
	s.Must(of.Delete(ctx, nil))
	_, err = of.Get(ctx, nil)
	g.refused(err, http.StatusNotFound, "Request_ResourceNotFound")
}

// TestGraphRolesWC88 assigns a role by Entra's id of it.
func TestGraphRolesWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	id := g.people("Person", 1)[0]
	const reports = "4a5d8f65-41da-4de4-8968-e035b65339cf"

	if d := must[models.UnifiedRoleDefinitionable](s)(g.roles().RoleDefinitions().ByUnifiedRoleDefinitionId(reports).Get(ctx, nil)); *d.GetDisplayName() != "Reports Reader" || !*d.GetIsBuiltIn() {
		t.Errorf("%v", d)
	}
	ask := models.NewUnifiedRoleAssignment()
	ask.SetPrincipalId(p(id))
	ask.SetRoleDefinitionId(p(reports))
	ask.SetDirectoryScopeId(p("/"))
	made := must[models.UnifiedRoleAssignmentable](s)(g.roles().RoleAssignments().Post(ctx, ask, nil))
	list := must[models.UnifiedRoleAssignmentCollectionResponseable](s)(g.roles().RoleAssignments().Get(ctx, &rolemanagement.DirectoryRoleAssignmentsRequestBuilderGetRequestConfiguration{
		QueryParameters: &rolemanagement.DirectoryRoleAssignmentsRequestBuilderGetQueryParameters{Filter: p("principalId eq '" + id + "'"), Expand: []string{"principal"}}}))
	if len(list.GetValue()) != 1 || *list.GetValue()[0].GetId() != *made.GetId() {
		t.Fatalf("%d assignments", len(list.GetValue()))
	}
	if u, ok := list.GetValue()[0].GetPrincipal().(models.Userable); !ok || *u.GetId() != id {
		t.Errorf("the principal is a %T", list.GetValue()[0].GetPrincipal())
	}
	_, err := g.roles().RoleAssignments().Post(ctx, ask, nil)
	g.refused(err, http.StatusBadRequest, "Request_BadRequest")
	s.Must(g.roles().RoleAssignments().ByUnifiedRoleAssignmentId(*made.GetId()).Delete(ctx, nil))
}
