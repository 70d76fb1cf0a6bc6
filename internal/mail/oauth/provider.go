package oauth

import (
	"golang.org/x/oauth2/endpoints"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Endpoints are where a provider is asked, and for what.
type Endpoints struct {
	TokenURL, DeviceAuthorizationURL string
	Scopes                           []string
	// BasicAuthentication: see Config.
	BasicAuthentication bool
}

// Scopes that let an application use IMAP and SMTP for a mailbox.
var (
	microsoftScopes = []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send", "offline_access"}
	// microsoftOwn are for ClientCredentials: what the application was granted by an administrator.
	microsoftOwn = []string{"https://outlook.office365.com/.default"}
	googleScopes = []string{"https://mail.google.com/"}
)

// EndpointsOf a sign-in: its own, or those of its provider.
func EndpointsOf(o *v1alpha1.OAuth2Authentication) Endpoints {
	var at Endpoints
	switch o.Provider {
	case v1alpha1.ProviderMicrosoft365:
		known := endpoints.AzureAD(o.TenantID) // "" is common
		at = Endpoints{TokenURL: known.TokenURL, DeviceAuthorizationURL: known.DeviceAuthURL, Scopes: microsoftScopes}
		if o.Grant == v1alpha1.GrantClientCredentials {
			at.Scopes = microsoftOwn
		}
	case v1alpha1.ProviderGoogle:
		at = Endpoints{TokenURL: endpoints.Google.TokenURL, DeviceAuthorizationURL: endpoints.Google.DeviceAuthURL, Scopes: googleScopes}
	case v1alpha1.ProviderGeneric:
		// Every server must take a client's secret in the header; in the body only some do (RFC 6749 section 2.3.1).
		at.BasicAuthentication = o.ClientSecretRef != nil
		if o.Endpoints != nil {
			at.TokenURL, at.DeviceAuthorizationURL = o.Endpoints.TokenURL, o.Endpoints.DeviceAuthorizationURL
		}
	}
	if len(o.Scopes) > 0 {
		at.Scopes = o.Scopes
	}
	return at
}
