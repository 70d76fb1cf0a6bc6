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
// +kubebuilder:validation:XValidation:rule="self.type == 'Basic' ? has(self.basic) : !has(self.basic)",message="basic is required for type Basic and forbidden for None"
type EmailAuthentication struct {
	// type: Basic (user name and password) or None (no sign-in: IMAP must greet with PREAUTH, SMTP relays). Default Basic.
	// +optional
	// +kubebuilder:default=Basic
	// +kubebuilder:validation:Enum=Basic;None
	Type string `json:"type,omitempty"`
	// basic credentials.
	// +optional
	Basic *BasicAuthentication `json:"basic,omitempty"`
	// plaintext Allowed sends the password over an unencrypted connection (security None). Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	// +kubebuilder:validation:Enum=Allowed;Denied
	Plaintext string `json:"plaintext,omitempty"`
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
	// port 587 at SMTP, else TLS; the service's for one that is not Custom.
	// +optional
	Security TransportSecurity `json:"security,omitempty"`
	// certificateValidation Verify checks chain and host name; AcceptAny accepts every certificate and shows as the condition
	// CertificateNotVerified. Default Verify.
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
