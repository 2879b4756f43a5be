package clients_test

import (
	"encoding/json"
	"net/http"
	"testing"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"cardea/internal/cardeatest"
)

var yubiKey5NFC = [16]byte{0x2f, 0xc0, 0x57, 0x9f, 0x81, 0x13, 0x47, 0xea, 0xb1, 0x16, 0xbb, 0x5a, 0x8d, 0xb9, 0x20, 0x2a}

// TestGraphMethodsWC88: passes, the list of methods by their types, passwords.
func TestGraphMethodsWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	id := g.people("Person", 1)[0]
	of := g.user(id).Authentication()

	if got := must[models.AuthenticationMethodCollectionResponseable](s)(of.Methods().Get(ctx, nil)); len(got.GetValue()) != 0 {
		t.Errorf("a new person has %d methods", len(got.GetValue()))
	}
	order := models.NewTemporaryAccessPassAuthenticationMethod()
	order.SetLifetimeInMinutes(p(int32(60)))
	order.SetIsUsableOnce(p(true))
	pass := must[models.TemporaryAccessPassAuthenticationMethodable](s)(of.TemporaryAccessPassMethods().Post(ctx, order, nil))
	if pass.GetTemporaryAccessPass() == nil || *pass.GetLifetimeInMinutes() != 60 || !*pass.GetIsUsable() || pass.GetStartDateTime().IsZero() {
		t.Errorf("the pass: %v", pass)
	}
	methods := must[models.AuthenticationMethodCollectionResponseable](s)(of.Methods().Get(ctx, nil))
	if len(methods.GetValue()) != 1 {
		t.Fatalf("%d methods", len(methods.GetValue()))
	}
	if got, ok := methods.GetValue()[0].(models.TemporaryAccessPassAuthenticationMethodable); !ok || got.GetTemporaryAccessPass() != nil {
		t.Errorf("WC-70: a %T", methods.GetValue()[0])
	}
	order.SetIsUsableOnce(p(false))
	second := must[models.TemporaryAccessPassAuthenticationMethodable](s)(of.TemporaryAccessPassMethods().Post(ctx, order, nil))
	if list := must[models.TemporaryAccessPassAuthenticationMethodCollectionResponseable](s)(of.TemporaryAccessPassMethods().Get(ctx, nil)); len(list.GetValue()) != 1 || *list.GetValue()[0].GetId() != *second.GetId() {
		t.Errorf("PK-147: %d passes", len(list.GetValue()))
	}
	s.Must(of.TemporaryAccessPassMethods().ByTemporaryAccessPassAuthenticationMethodId(*second.GetId()).Delete(ctx, nil))
	_, err := of.TemporaryAccessPassMethods().ByTemporaryAccessPassAuthenticationMethodId(*second.GetId()).Get(ctx, nil)
	g.refused(err, http.StatusNotFound, "ResourceNotFound")
	order.SetLifetimeInMinutes(p(int32(5)))
	_, err = of.TemporaryAccessPassMethods().Post(ctx, order, nil)
	g.refused(err, http.StatusBadRequest, "Request_BadRequest") // PK-146
}

// registered is a passkey for somebody, made by a security key on the options
// of the server; the v1.0 SDK has neither call, so both are raw (§4.5).
func (g *graph) registered(version, user, name string) models.Fido2AuthenticationMethodable {
	g.Helper()
	list := "/" + version + "/users/" + user + "/authentication/fido2Methods"
	var o struct{ PublicKey json.RawMessage }
	g.Must(json.Unmarshal(g.rawJSON(list+"/creationOptions(challengeTimeoutInMinutes=@challengeTimeoutInMinutes)?challengeTimeoutInMinutes=5"), &o))
	made, err := cardeatest.NewAuthenticator(cardeatest.SecurityKey(yubiKey5NFC)).Create(o.PublicKey, g.URL)
	g.Must(err)
	body, err := json.Marshal(map[string]any{"@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "displayName": name, "publicKeyCredential": json.RawMessage(made)})
	g.Must(err)
	return must[any](g.site)(g.raw(abstractions.POST, list, body, models.CreateFido2AuthenticationMethodFromDiscriminatorValue)).(models.Fido2AuthenticationMethodable)
}

// TestGraphPasskeysWC88: register on behalf, list, get, delete, and the policy.
func TestGraphPasskeysWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()
	id := g.people("Person", 1)[0]
	of := g.user(id).Authentication()

	for _, version := range []string{"v1.0", "beta"} {
		if m := g.registered(version, id, "Key of "+version); *m.GetDisplayName() != "Key of "+version || *m.GetAaGuid() != "2fc0579f-8113-47ea-b116-bb5a8db9202a" || *m.GetAttestationLevel() != models.NOTATTESTED_ATTESTATIONLEVEL || m.GetCreatedDateTime().IsZero() || m.GetAttestationCertificates() == nil {
			t.Errorf("WC-65: %v", m.GetAdditionalData())
		}
	}
	list := must[models.Fido2AuthenticationMethodCollectionResponseable](s)(of.Fido2Methods().Get(ctx, nil))
	if len(list.GetValue()) != 2 {
		t.Fatalf("%d passkeys", len(list.GetValue()))
	}
	key := *list.GetValue()[0].GetId()
	if one := must[models.Fido2AuthenticationMethodable](s)(of.Fido2Methods().ByFido2AuthenticationMethodId(key).Get(ctx, nil)); *one.GetId() != key { // WC-66
		t.Errorf("%s became %s", key, *one.GetId())
	}
	all := must[models.AuthenticationMethodCollectionResponseable](s)(of.Methods().Get(ctx, nil))
	if m, ok := all.GetValue()[0].(models.Fido2AuthenticationMethodable); !ok || m.GetDisplayName() == nil {
		t.Errorf("WC-70: a %T", all.GetValue()[0])
	}
	s.Must(of.Fido2Methods().ByFido2AuthenticationMethodId(key).Delete(ctx, nil))
	_, err := of.Fido2Methods().ByFido2AuthenticationMethodId(key).Get(ctx, nil)
	g.refused(err, http.StatusNotFound, "ResourceNotFound")
	_, err = g.raw(abstractions.POST, "/beta/users/"+id+"/authentication/fido2Methods", []byte(`{"displayName": "x"}`), models.CreateFido2AuthenticationMethodFromDiscriminatorValue)
	g.refused(err, http.StatusBadRequest, "Request_BadRequest")
}

// TestGraphPolicyWC88: the policy by the SDK's types on v1.0, which know no
// profiles, and with profiles on beta (PK-34).
func TestGraphPolicyWC88(t *testing.T) {
	s := open(t)
	g, ctx := s.administrator(), t.Context()

	policy := must[models.AuthenticationMethodsPolicyable](s)(g.methodsPolicy().Get(ctx, nil))
	found := 0
	for _, c := range policy.GetAuthenticationMethodConfigurations() {
		switch c.(type) {
		case models.Fido2AuthenticationMethodConfigurationable, models.TemporaryAccessPassAuthenticationMethodConfigurationable, models.SoftwareOathAuthenticationMethodConfigurationable:
			found++
		}
	}
	if found != 3 || policy.GetRegistrationEnforcement().GetAuthenticationMethodsRegistrationCampaign().GetState() == nil {
		t.Errorf("the policy has %d of the configurations", found)
	}
	fido2 := func() models.Fido2AuthenticationMethodConfigurationable {
		t.Helper()
		c := must[models.AuthenticationMethodConfigurationable](s)(g.methodsPolicy().AuthenticationMethodConfigurations().ByAuthenticationMethodConfigurationId("Fido2").Get(ctx, nil))
		f, ok := c.(models.Fido2AuthenticationMethodConfigurationable)
		if !ok {
			t.Fatalf("a %T", c)
		}
		return f
	}
	before := fido2()
	if *before.GetState() != models.ENABLED_AUTHENTICATIONMETHODSTATE || before.GetIsAttestationEnforced() == nil || before.GetKeyRestrictions() == nil || len(before.GetIncludeTargets()) == 0 {
		t.Errorf("Fido2: %v", before)
	}
	restrictions := models.NewFido2KeyRestrictions()
	restrictions.SetIsEnforced(p(true))
	restrictions.SetEnforcementType(p(models.ALLOW_FIDO2RESTRICTIONENFORCEMENTTYPE))
	restrictions.SetAaGuids([]string{"2fc0579f-8113-47ea-b116-bb5a8db9202a"})
	change := models.NewFido2AuthenticationMethodConfiguration()
	change.SetKeyRestrictions(restrictions)
	if _, err := g.methodsPolicy().AuthenticationMethodConfigurations().ByAuthenticationMethodConfigurationId("Fido2").Patch(ctx, change, nil); err != nil {
		t.Fatal(err)
	}
	if got := fido2().GetKeyRestrictions(); !*got.GetIsEnforced() || *got.GetEnforcementType() != models.ALLOW_FIDO2RESTRICTIONENFORCEMENTTYPE || len(got.GetAaGuids()) != 1 {
		t.Errorf("after the PATCH: %v", got)
	}
	var beta struct {
		PasskeyProfiles []struct {
			ID, Name, PasskeyTypes, AttestationEnforcement string
			KeyRestrictions                                struct{ AaGuids []string }
		}
	}
	s.Must(json.Unmarshal(g.rawJSON("/beta/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/Fido2"), &beta))
	if len(beta.PasskeyProfiles) != 1 || len(beta.PasskeyProfiles[0].KeyRestrictions.AaGuids) != 1 {
		t.Errorf("the profiles on beta: %+v", beta)
	}
	id := g.people("Person", 1)[0]
	g.registered("beta", id, "allowed")
}
