package v1alpha1

// EmailService hosts mailboxes.
// +kubebuilder:validation:Enum=Custom;Gmail;Yahoo;Hotmail;Outlook365
type EmailService string

// Values of EmailService.
const (
	ServiceCustom     EmailService = "Custom"
	ServiceGmail      EmailService = "Gmail"
	ServiceYahoo      EmailService = "Yahoo"
	ServiceHotmail    EmailService = "Hotmail"
	ServiceOutlook365 EmailService = "Outlook365"
)

// EmailAuthentication is how Ringmaster signs in.
// +kubebuilder:validation:XValidation:rule="(self.type == 'Basic') == has(self.basic)",message="basic is required for type Basic and forbidden for others"
// +kubebuilder:validation:XValidation:rule="(self.type == 'OAuth2') == has(self.oauth2)",message="oauth2 is required for type OAuth2 and forbidden for others"
type EmailAuthentication struct {
	// type: Basic (user name and password), OAuth2 (an access token of the provider) or None (no sign-in: IMAP must greet with PREAUTH, SMTP
	// relays). Default Basic.
	// +optional
	// +kubebuilder:default=Basic
	// +kubebuilder:validation:Enum=Basic;OAuth2;None
	Type string `json:"type,omitempty"`
	// basic credentials.
	// +optional
	Basic *BasicAuthentication `json:"basic,omitempty"`
	// oauth2 says where access tokens come from.
	// +optional
	OAuth2 *OAuth2Authentication `json:"oauth2,omitempty"`
	// plaintext Allowed sends password or token over an unencrypted connection (security None). Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	// +kubebuilder:validation:Enum=Allowed;Denied
	Plaintext string `json:"plaintext,omitempty"`
}

// OAuth2Provider issues access tokens.
// +kubebuilder:validation:Enum=Microsoft365;Google;Generic
type OAuth2Provider string

// Values of OAuth2Provider.
const (
	ProviderMicrosoft365 OAuth2Provider = "Microsoft365"
	ProviderGoogle       OAuth2Provider = "Google"
	ProviderGeneric      OAuth2Provider = "Generic"
)

// OAuth2Grant is what an access token is given for.
// +kubebuilder:validation:Enum=AuthorizationCode;DeviceCode;ClientCredentials
type OAuth2Grant string

// Values of OAuth2Grant.
const (
	GrantAuthorizationCode OAuth2Grant = "AuthorizationCode"
	GrantDeviceCode        OAuth2Grant = "DeviceCode"
	GrantClientCredentials OAuth2Grant = "ClientCredentials"
)

// OAuth2Authentication is a sign-in with access tokens (RFC 6749), by OAUTHBEARER (RFC 7628) or XOAUTH2, whichever the server offers. A token
// is replaced five minutes before its end.
// +kubebuilder:validation:XValidation:rule="(self.grant == 'ClientCredentials') != has(self.refreshTokenSecretRef)",message="refreshTokenSecretRef is required, except for grant ClientCredentials, which has none"
// +kubebuilder:validation:XValidation:rule="self.grant != 'ClientCredentials' || has(self.clientSecretRef)",message="grant ClientCredentials needs clientSecretRef"
// +kubebuilder:validation:XValidation:rule="self.grant == 'AuthorizationCode' || self.provider != 'Google'",message="Google gives access to mailboxes for grant AuthorizationCode only"
// +kubebuilder:validation:XValidation:rule="self.grant != 'ClientCredentials' || self.provider != 'Microsoft365' || has(self.tenantID)",message="Microsoft365 needs tenantID for grant ClientCredentials"
// +kubebuilder:validation:XValidation:rule="!has(self.tenantID) || self.provider == 'Microsoft365'",message="tenantID is for Microsoft365 only"
// +kubebuilder:validation:XValidation:rule="(self.provider == 'Generic') == has(self.endpoints)",message="endpoints is required for provider Generic and forbidden for others"
// +kubebuilder:validation:XValidation:rule="self.grant != 'DeviceCode' || self.provider != 'Generic' || (has(self.endpoints) && has(self.endpoints.deviceAuthorizationURL))",message="grant DeviceCode needs endpoints.deviceAuthorizationURL"
type OAuth2Authentication struct {
	// provider Microsoft365 and Google bring endpoints and scopes; Generic is any other one, of which endpoints are to be named.
	// +required
	Provider OAuth2Provider `json:"provider"`
	// grant AuthorizationCode uses a refresh token that you got; DeviceCode one that `kubectl ringmaster authorize` gets and stores;
	// ClientCredentials needs none, the application itself may read the mailbox. Default AuthorizationCode.
	// +optional
	// +kubebuilder:default=AuthorizationCode
	Grant OAuth2Grant `json:"grant,omitempty"`
	// username is the mailbox that is signed in to. Default: the account's address.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Username string `json:"username,omitempty"`
	// tenantID of Microsoft365: a UUID or a domain. Default common.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`
	TenantID string `json:"tenantID,omitempty"`
	// clientID of the application that is registered at the provider.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[!-~]+$`
	ClientID string `json:"clientID"`
	// clientSecretRef is the application's secret; a public client has none.
	// +optional
	ClientSecretRef *SecretKeyReference `json:"clientSecretRef,omitempty"`
	// refreshTokenSecretRef is where the refresh token is. One that the provider replaces is written back there before anything is done with what
	// came with it.
	// +optional
	RefreshTokenSecretRef *SecretKeyReference `json:"refreshTokenSecretRef,omitempty"`
	// scopes asked for. Default: those of the provider for IMAP and SMTP; none for Generic.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +kubebuilder:validation:items:Pattern=`^[!#-\[\]-~]+$`
	Scopes []string `json:"scopes,omitempty"`
	// endpoints of provider Generic.
	// +optional
	Endpoints *OAuth2Endpoints `json:"endpoints,omitempty"`
}

// OAuth2Endpoints are where a provider is asked.
type OAuth2Endpoints struct {
	// tokenURL gives access tokens (RFC 6749 section 3.2).
	// +required
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^https://[!-~]+$`
	TokenURL string `json:"tokenURL"`
	// deviceAuthorizationURL begins the device grant (RFC 8628 section 3.1).
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^https://[!-~]+$`
	DeviceAuthorizationURL string `json:"deviceAuthorizationURL,omitempty"`
	// caSecretRef is a PEM bundle of authorities that replaces the system's for these endpoints.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
}

// BasicAuthentication is a user name and a password.
type BasicAuthentication struct {
	// username. Default: the account's address.
	// +optional
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Username string `json:"username,omitempty"`
	// passwordSecretRef is the password.
	// +required
	PasswordSecretRef SecretKeyReference `json:"passwordSecretRef"`
}

// TransportSecurity of a connection.
// +kubebuilder:validation:Enum=TLS;StartTLS;None
type TransportSecurity string

// Values of TransportSecurity.
const (
	SecurityTLS      TransportSecurity = "TLS"
	SecurityStartTLS TransportSecurity = "StartTLS"
	SecurityNone     TransportSecurity = "None"
)

// CertificateValidation of a server.
// +kubebuilder:validation:Enum=Verify;AcceptAny
type CertificateValidation string

// Values of CertificateValidation.
const (
	CertificateVerify    CertificateValidation = "Verify"
	CertificateAcceptAny CertificateValidation = "AcceptAny"
)

// ServerTLS is how a connection is protected.
type ServerTLS struct {
	// security: TLS from the first byte, StartTLS (never silently downgraded) or None. Default: StartTLS for port 143 at IMAP and
	// port 587 at SMTP, else TLS; the service's for one that is not Custom. None shows as the condition EncryptionDisabled.
	// +optional
	Security TransportSecurity `json:"security,omitempty"`
	// certificateValidation Verify checks chain and host name; AcceptAny accepts every certificate, where the ContactCenter's
	// security.acceptAnyCertificate allows that, and shows as the condition CertificateNotVerified. Default Verify.
	// +optional
	// +kubebuilder:default=Verify
	CertificateValidation CertificateValidation `json:"certificateValidation,omitempty"`
	// caSecretRef is a PEM bundle of authorities that replaces the system's for this server.
	// +optional
	CASecretRef *SecretKeyReference `json:"caSecretRef,omitempty"`
	// pinnedSHA256 is the SHA-256 of the one certificate that the server may show, as 64 hexadecimal digits in lower case. That certificate
	// is then trusted whoever signed it, whatever its names and its end are, and no other is. The message of CertificateInvalid proposes it.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	PinnedSHA256 string `json:"pinnedSHA256,omitempty"`
}

// ServerAddress is where a mail server listens.
type ServerAddress struct {
	// host name or IP address of the server; required for service Custom, forbidden for others.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`
	Host string `json:"host,omitempty"`
	// port of the server. Default: at IMAP 993 for security TLS, else 143; at SMTP 465 for TLS, else 587; the service's for one that is not
	// Custom.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`
}

// EffectiveEmailAccount is what an account comes to.
type EffectiveEmailAccount struct {
	// imap server.
	// +optional
	IMAP *EffectiveServer `json:"imap,omitempty"`
	// smtp server.
	// +optional
	SMTP *EffectiveServer `json:"smtp,omitempty"`
	// headerFilters that a mail must all satisfy, those of headerFilter and headerFilterPreset included.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	HeaderFilters []HeaderFilter `json:"headerFilters,omitempty"`
}

// EffectiveServer is a server as it is dialled.
type EffectiveServer struct {
	// host name or IP address.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`
	// port of the server.
	// +optional
	Port int32 `json:"port,omitempty"`
	// security of the connection.
	// +optional
	Security TransportSecurity `json:"security,omitempty"`
	// authentication: the type of the sign-in.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Authentication string `json:"authentication,omitempty"`
}
