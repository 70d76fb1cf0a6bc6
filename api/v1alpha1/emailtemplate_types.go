package v1alpha1

// EmailTemplate is what an account's answers look like as HTML. A customer's program shows that, or the text as the agent wrote it: an answer has both
// (RFC 2046, multipart/alternative).
// +kubebuilder:validation:MinProperties=1
type EmailTemplate struct {
	// layoutRef is a MessageTemplate of type Layout whose body.html has the variable content, where the answer goes. Scripts, style sheets, forms, frames,
	// pictures that are neither https nor the logo, and styles that hide or move things are taken out of it. While it cannot be used (condition
	// TemplateReady) answers go out as text alone. Default: the logo, if any, and the answer below it.
	// +optional
	LayoutRef *ObjectReference `json:"layoutRef,omitempty"`
	// fontFamily is a CSS list of fonts for what the layout gives no other: letters, digits, spaces, commas, hyphens and single quotes. Default: that of the
	// customer's program.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9 ,'-]+$`
	FontFamily string `json:"fontFamily,omitempty"`
	// fontSize in CSS pixels of what the layout gives no other. Default: that of the customer's program.
	// +optional
	// +kubebuilder:validation:Minimum=8
	// +kubebuilder:validation:Maximum=48
	FontSize int32 `json:"fontSize,omitempty"`
	// logo of the company. It travels with each answer that has room for it, so that nothing is loaded from elsewhere. Default: none.
	// +optional
	Logo *EmailLogo `json:"logo,omitempty"`
}

// MaxLogo is the size of a logo at most, in bytes.
const MaxLogo = 1 << 20

// EmailLogo is a picture in an account's answers: PNG or JPEG by its first bytes, at most 1 MiB. The layout shows it with <img src="{{ logo }}">; it stands
// above a layout that does not use that variable. While it cannot be had (condition TemplateReady) answers go out without it. An SVG is refused (reason
// UnsupportedPicture): Gmail and Outlook show none, and nothing that turns one into a PNG does so both faithfully and without harm, so export it as a PNG.
// +kubebuilder:validation:XValidation:rule="has(self.configMapKeyRef) != has(self.url)",message="exactly one of configMapKeyRef and url is required"
type EmailLogo struct {
	// configMapKeyRef is where the picture is. A change is taken over at once.
	// +optional
	ConfigMapKeyRef *ConfigMapKeyReference `json:"configMapKeyRef,omitempty"`
	// url (http or https) that the picture is fetched from once, by the manager: from its network, but not from the machine it runs on nor from link-local
	// addresses. Redirects are followed on the same server only. Another picture at the same address is not noticed: change the address, for example by ?v=2.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[!-~]+$`
	URL string `json:"url,omitempty"`
}
