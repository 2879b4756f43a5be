package clients_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	azauth "github.com/microsoft/kiota-authentication-azure-go"
	khttp "github.com/microsoft/kiota-http-go"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	textserialization "github.com/microsoft/kiota-serialization-text-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/applications"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/policies"
	"github.com/microsoftgraph/msgraph-sdk-go/rolemanagement"
	"github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"cardea/internal/application"
)

// graph is msgraph-sdk-go against a site: the parts of GraphServiceClient that
// these tests use. The real one has the same builders on the same adapter, but
// pulls the whole SDK in, twice as much to compile.
type graph struct {
	*site
	adapter abstractions.RequestAdapter
	at      map[string]string // path parameters of the root
}

// graph points the SDK at the site, as docs/clients.md says; transport is what
// sends in the end.
func (s *site) graph(credential azcore.TokenCredential, scope string, transport http.RoundTripper) *graph {
	s.Helper()
	auth, err := azauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(credential, []string{scope}, []string{"localhost"})
	s.Must(err)
	options := core.GraphClientOptions{GraphServiceLibraryVersion: "1.89.0"}
	client := &http.Client{Transport: khttp.NewCustomTransportWithParentTransport(transport, core.GetDefaultMiddlewaresWithOptions(&options)...)}
	adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(auth, options, nil, nil, client)
	s.Must(err)
	abstractions.RegisterDefaultSerializer(func() serialization.SerializationWriterFactory {
		return jsonserialization.NewJsonSerializationWriterFactory()
	})
	abstractions.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory { return jsonserialization.NewJsonParseNodeFactory() })
	abstractions.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory { return textserialization.NewTextParseNodeFactory() })
	adapter.SetBaseUrl(s.URL + "/v1.0")
	return &graph{site: s, adapter: adapter, at: map[string]string{"baseurl": s.URL + "/v1.0"}}
}

func (g *graph) users() *users.UsersRequestBuilder {
	return users.NewUsersRequestBuilderInternal(g.at, g.adapter)
}

func (g *graph) user(id string) *users.UserItemRequestBuilder { return g.users().ByUserId(id) }

func (g *graph) groups() *groups.GroupsRequestBuilder {
	return groups.NewGroupsRequestBuilderInternal(g.at, g.adapter)
}

func (g *graph) applications() *applications.ApplicationsRequestBuilder {
	return applications.NewApplicationsRequestBuilderInternal(g.at, g.adapter)
}

func (g *graph) principals() *serviceprincipals.ServicePrincipalsRequestBuilder {
	return serviceprincipals.NewServicePrincipalsRequestBuilderInternal(g.at, g.adapter)
}

func (g *graph) roles() *rolemanagement.DirectoryRequestBuilder {
	return rolemanagement.NewRoleManagementRequestBuilderInternal(g.at, g.adapter).Directory()
}

func (g *graph) methodsPolicy() *policies.AuthenticationMethodsPolicyRequestBuilder {
	return policies.NewPoliciesRequestBuilderInternal(g.at, g.adapter).AuthenticationMethodsPolicy()
}

// raw sends a request of our own through the SDK: for what v1.0 of the SDK does
// not know. body may be nil. It reads the answer with constructor.
func (g *graph) raw(method abstractions.HttpMethod, path string, body []byte, constructor serialization.ParsableFactory) (serialization.Parsable, error) {
	g.Helper()
	u, err := url.Parse(g.URL + path)
	g.Must(err)
	r := abstractions.NewRequestInformation()
	r.Method = method
	r.SetUri(*u)
	r.Headers.Add("Accept", "application/json")
	if body != nil {
		r.SetStreamContentAndContentType(body, "application/json")
	}
	failures := abstractions.ErrorMappings{"XXX": odataerrors.CreateODataErrorFromDiscriminatorValue}
	if constructor == nil {
		return nil, g.adapter.SendNoContent(g.Context(), r, failures)
	}
	return g.adapter.Send(g.Context(), r, constructor, failures)
}

// rawJSON is raw for an answer that is read as JSON.
func (g *graph) rawJSON(path string) []byte {
	g.Helper()
	u, err := url.Parse(g.URL + path)
	g.Must(err)
	r := abstractions.NewRequestInformation()
	r.SetUri(*u)
	got, err := g.adapter.SendPrimitive(g.Context(), r, "[]byte", abstractions.ErrorMappings{"XXX": odataerrors.CreateODataErrorFromDiscriminatorValue})
	return must[any](g.site)(got, err).([]byte)
}

// administrator is the SDK with a client secret and every permission.
func (s *site) administrator() *graph {
	s.Helper()
	job := s.app(application.Application{DisplayName: "SDK", Cardea: application.Extra{Permissions: []string{application.All}}})
	return s.graph(s.secretCredential(job.AppID, s.secret(job)), defaultScope, s.Client.Transport)
}

const defaultScope = "https://graph.microsoft.com/.default"

func (s *site) secretCredential(client, secret string) azcore.TokenCredential {
	s.Helper()
	c, err := azidentity.NewClientSecretCredential(s.TID, client, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true})
	s.Must(err)
	return c
}

// must ends the test on an error, with Graph's words for it.
func must[T any](s *site) func(T, error) T {
	return func(v T, err error) T {
		s.Helper()
		if o, ok := errors.AsType[*odataerrors.ODataError](err); ok && o.GetErrorEscaped() != nil {
			s.Fatalf("%d %s: %s", o.GetStatusCode(), *o.GetErrorEscaped().GetCode(), *o.GetErrorEscaped().GetMessage())
		}
		s.Must(err)
		return v
	}
}

// refused is the error that Graph's description of errors wants.
func (g *graph) refused(err error, status int, code string) odataerrors.MainErrorable {
	g.Helper()
	o, ok := errors.AsType[*odataerrors.ODataError](err)
	if !ok || o.GetErrorEscaped() == nil {
		g.Fatalf("no ODataError: %v", err)
	}
	e := o.GetErrorEscaped()
	if o.GetStatusCode() != status || *e.GetCode() != code || *e.GetMessage() == "" {
		g.Errorf("%d %s: %s; want %d %s", o.GetStatusCode(), *e.GetCode(), *e.GetMessage(), status, code)
	}
	if in := e.GetInnerError(); in == nil || in.GetRequestId() == nil || in.GetClientRequestId() == nil || in.GetDate() == nil {
		g.Errorf("WC-71, WC-79: innerError is not whole: %v", err)
	}
	return e
}

func p[T any](v T) *T { return &v }

// TestGraphCredentialsWC88 drives the SDK with each credential of the issue.
func TestGraphCredentialsWC88(t *testing.T) {
	s := open(t)
	job := s.app(application.Application{DisplayName: "Job", Cardea: application.Extra{Permissions: []string{"User.Read.All"}}})
	tool := s.app(application.Application{DisplayName: "Tool", IsFallbackPublicClient: true, Cardea: application.Extra{Scopes: []string{"User.Read"}}})
	key := newKey(s)
	secret, cert := s.secret(job), s.certificate(job, key)
	ada := s.person("ada@contoso.test")

	t.Run("secret", func(t *testing.T) {
		g := s.graph(s.secretCredential(job.AppID, secret), defaultScope, s.Client.Transport)
		if got := must[usersPage](s)(g.users().Get(t.Context(), nil)); len(got.GetValue()) != 1 || *got.GetValue()[0].GetId() != ada.ID {
			t.Errorf("%d people", len(got.GetValue()))
		}
	})
	t.Run("a wrong secret says why", func(t *testing.T) {
		_, err := s.graph(s.secretCredential(job.AppID, "wrong"), defaultScope, s.Client.Transport).users().Get(t.Context(), nil)
		if failed, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); !ok || failed.RawResponse.StatusCode != http.StatusUnauthorized {
			t.Errorf("got %v", err)
		}
	})
	t.Run("certificate WC-37 WC-38", func(t *testing.T) {
		c, err := azidentity.NewClientCertificateCredential(s.TID, job.AppID, certificates(cert), key, &azidentity.ClientCertificateCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true})
		s.Must(err)
		if got := must[usersPage](s)(s.graph(c, s.URL+"/.default", s.Client.Transport).users().Get(t.Context(), nil)); len(got.GetValue()) != 1 {
			t.Errorf("%d people", len(got.GetValue()))
		}
	})
	t.Run("device code WC-40", func(t *testing.T) {
		c, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{ClientOptions: s.azure(), DisableInstanceDiscovery: true, TenantID: s.TID, ClientID: tool.AppID,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error { return ada.letIn(m.UserCode) }})
		s.Must(err)
		g := s.graph(c, "https://graph.microsoft.com/User.Read", s.Client.Transport)
		// The SDK spells "me" as a person of this name and rewrites the address.
		me := must[userable](s)(g.user("me-token-to-replace").Get(t.Context(), nil))
		if *me.GetId() != ada.ID {
			t.Errorf("me is %s", *me.GetId())
		}
		_, err = g.users().Post(t.Context(), newPerson("x", 0), nil)
		g.refused(err, http.StatusForbidden, "Authorization_RequestDenied")
	})
	t.Run("WC-18 a host that the SDK does not know gets no token", func(t *testing.T) {
		auth, err := azauth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(s.secretCredential(job.AppID, secret), []string{defaultScope}, []string{"graph.microsoft.com"})
		s.Must(err)
		adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(auth, core.GraphClientOptions{}, nil, nil, s.Client)
		s.Must(err)
		adapter.SetBaseUrl(s.URL + "/v1.0")
		g := &graph{s, adapter, map[string]string{"baseurl": s.URL + "/v1.0"}}
		_, err = g.users().Get(t.Context(), nil)
		if e := g.refused(err, http.StatusUnauthorized, "InvalidAuthenticationToken"); e.GetMessage() == nil {
			t.Error(fmt.Sprint(err))
		}
	})
}
