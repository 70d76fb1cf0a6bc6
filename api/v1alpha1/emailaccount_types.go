package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EmailAccountSpec describes a mailbox that agents share.
// +kubebuilder:validation:XValidation:rule="!has(self.imap.security) || self.imap.security != 'None' || (has(self.imap.authentication) ? self.imap.authentication.type == 'None' || self.imap.authentication.plaintext == 'Allowed' : self.authentication.type == 'None' || self.authentication.plaintext == 'Allowed')",message="authentication.plaintext must be Allowed to sign in over a connection with security None"
// +kubebuilder:validation:XValidation:rule="!has(self.smtp.security) || self.smtp.security != 'None' || (has(self.smtp.authentication) ? self.smtp.authentication.type == 'None' || self.smtp.authentication.plaintext == 'Allowed' : self.authentication.type == 'None' || self.authentication.plaintext == 'Allowed')",message="authentication.plaintext must be Allowed to sign in over a connection with security None"
// +kubebuilder:validation:XValidation:rule="self.service != 'Custom' || (has(self.smtp.host) && (self.purpose == 'System' || has(self.imap.host)))",message="imap.host and smtp.host are required for service Custom"
// +kubebuilder:validation:XValidation:rule="self.service == 'Custom' || !(has(self.imap.host) || has(self.imap.port) || has(self.imap.security) || has(self.smtp.host) || has(self.smtp.port) || has(self.smtp.security))",message="host, port and security come from the service; set service Custom to choose them"
// +kubebuilder:validation:XValidation:rule="(self.purpose == 'Channel') == has(self.routing)",message="routing is required for purpose Channel and forbidden for System"
// +kubebuilder:validation:XValidation:rule="self.purpose == 'Channel' || !(has(self.imap.host) || has(self.imap.port) || has(self.imap.security) || has(self.imap.authentication) || has(self.imap.caSecretRef) || has(self.imap.pinnedSHA256) || has(self.imap.pollInterval) || has(self.imap.headerFilter) || has(self.imap.headerFilters) || self.imap.mailbox != 'INBOX')",message="an account of purpose System has no mailbox: imap must say nothing"
type EmailAccountSpec struct {
	// displayName is the sender's name customers see. Default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	DisplayName string `json:"displayName,omitempty"`

	// purpose Channel turns the mails of a mailbox into interactions. System only sends what Ringmaster itself writes, as the account that
	// ContactCenter.spec.systemMail names: it has no mailbox and no routing, nothing is fetched, and what else is said about interactions has no effect. An
	// account of either purpose can be the system mailer. Default Channel.
	// +optional
	// +kubebuilder:default=Channel
	Purpose EmailPurpose `json:"purpose,omitempty"`

	// key is the label on agents' tabs: 1 to 5 characters, letters, digits, _ and -. Unique in the namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	Key string `json:"key"`

	// address is the sender of answers (RFC 5321). Unique in the namespace. Mails from it are never customers' mails.
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:Pattern=`^[^\s@<>"(),:;\[\]\\]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`
	Address string `json:"address"`

	// description is free text for people who read the manifest; it has no effect.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// state Inactive closes the connection and refuses answers; nothing is lost. Default Active.
	// +optional
	// +kubebuilder:default=Active
	State ActiveState `json:"state,omitempty"`

	// placement of the account's mail worker.
	// +optional
	// +kubebuilder:default={}
	Placement EmailPlacement `json:"placement,omitempty"`

	// service that hosts the mailbox. Gmail, Yahoo, Hotmail and Outlook365 bring host, port and security of both servers, which
	// status.effective shows and imap and smtp then may not set. Custom: imap and smtp say where. Default Custom.
	// +optional
	// +kubebuilder:default=Custom
	Service EmailService `json:"service,omitempty"`

	// authentication at both servers, except where imap.authentication or smtp.authentication say otherwise.
	// +required
	Authentication EmailAuthentication `json:"authentication"`

	// imap is where mails come from.
	// +optional
	// +kubebuilder:default={}
	IMAP EmailIMAP `json:"imap,omitempty"`

	// smtp is where answers go.
	// +optional
	// +kubebuilder:default={}
	SMTP EmailSMTP `json:"smtp,omitempty"`

	// routing of what comes in; required for purpose Channel.
	// +optional
	Routing EmailRouting `json:"routing,omitzero"`

	// transfer of open interactions by agents.
	// +optional
	// +kubebuilder:default={}
	Transfer EmailTransfer `json:"transfer,omitempty"`

	EmailAnswers `json:",inline"`

	// agents who see all interactions of the account. Without any (AgentsAssigned is False then) an agent sees what is offered to or open with them and
	// what they were the last to accept.
	// +optional
	// +kubebuilder:default={}
	Agents EmailAgents `json:"agents,omitempty"`

	// agentActions are what agents may do with its interactions beyond answering them.
	// +optional
	// +kubebuilder:default={}
	AgentActions EmailAgentActions `json:"agentActions,omitempty"`

	// forwarding of messages by agents.
	// +optional
	// +kubebuilder:default={}
	Forwarding EmailForwarding `json:"forwarding,omitempty"`

	// drafts of agents' answers.
	// +optional
	// +kubebuilder:default={}
	Drafts EmailDrafts `json:"drafts,omitempty"`

	// contactListRef is the ContactList that those who write become contacts of; machines do not. While it does not exist (condition ContactListFound) nobody
	// does. Default: the ContactCenter's spec.email.contactListRef.
	// +optional
	ContactListRef *ObjectReference `json:"contactListRef,omitempty"`

	// deletionPolicy of the account's interactions. When it is deleted, those that are not closed are closed first, with the built-in disposition
	// AccountDeleted. Retain then keeps all with their messages, and an account of the same name takes answers to them up. Purge removes them,
	// what was transferred to another account aside. The mailbox on the server is never touched. Default Retain.
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy EmailDeletionPolicy `json:"deletionPolicy,omitempty"`

	// notification of agents about offers.
	// +optional
	// +kubebuilder:default={}
	Notification EmailNotification `json:"notification,omitempty"`
}

// EmailPlacement says which managers work on an account.
type EmailPlacement struct {
	// workerGroup: only managers started with --worker-group of this name connect to the account's servers, for example those in a network that reaches them.
	// While there is none, nothing is fetched or sent, reason NoWorker. Default: the managers without that flag.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	WorkerGroup string `json:"workerGroup,omitempty"`
}

// EmailPurpose is what an account is for.
// +kubebuilder:validation:Enum=Channel;System
type EmailPurpose string

// Values of EmailPurpose.
const (
	PurposeChannel EmailPurpose = "Channel"
	PurposeSystem  EmailPurpose = "System"
)

// EmailDeletionPolicy says what becomes of interactions.
// +kubebuilder:validation:Enum=Retain;Purge
type EmailDeletionPolicy string

// Values of EmailDeletionPolicy.
const (
	EmailRetain EmailDeletionPolicy = "Retain"
	EmailPurge  EmailDeletionPolicy = "Purge"
)

// EmailIMAP is the incoming side (RFC 9051).
// +kubebuilder:validation:XValidation:rule="!has(self.headerFilter) || size(self.headerFilter) == 0 || !has(self.headerFilters) || size(self.headerFilters) == 0",message="headerFilter and headerFilters exclude each other"
// +kubebuilder:validation:XValidation:rule="!has(self.security) || self.security != 'None' || (self.certificateValidation == 'Verify' && !has(self.pinnedSHA256))",message="certificateValidation and pinnedSHA256 have no meaning when security is None"
// +kubebuilder:validation:XValidation:rule="!has(self.pinnedSHA256) || (self.certificateValidation == 'Verify' && !has(self.caSecretRef))",message="pinnedSHA256 takes the place of certificateValidation AcceptAny and of caSecretRef"
type EmailIMAP struct {
	ServerTLS     `json:",inline"`
	ServerAddress `json:",inline"`
	// authentication at this server in place of spec.authentication. Default: spec.authentication.
	// +optional
	Authentication *EmailAuthentication `json:"authentication,omitempty"`
	// mailbox to watch. Default INBOX.
	// +optional
	// +kubebuilder:default=INBOX
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]+$`
	Mailbox string `json:"mailbox,omitempty"`
	// connectionTimeout for TCP, TLS and greeting together. Default 10s.
	// +optional
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('300s')",message="connectionTimeout must be between 1s and 300s"
	ConnectionTimeout *metav1.Duration `json:"connectionTimeout,omitempty"`
	// authenticationTimeout for sign-in. Default 5s.
	// +optional
	// +kubebuilder:default="5s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('300s')",message="authenticationTimeout must be between 1s and 300s"
	AuthenticationTimeout *metav1.Duration `json:"authenticationTimeout,omitempty"`
	// pollInterval between looks into the mailbox. Default: the ContactCenter's spec.email.pollInterval.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('1h')",message="pollInterval must be between 10s and 1h"
	PollInterval *metav1.Duration `json:"pollInterval,omitempty"`
	// delivery Auto: be notified (IDLE, RFC 2177) where the server can, else poll. Idle: a server that cannot is a fault and shows in IMAPReady.
	// Poll: only poll. Default Auto.
	// +optional
	// +kubebuilder:default=Auto
	// +kubebuilder:validation:Enum=Auto;Idle;Poll
	Delivery string `json:"delivery,omitempty"`
	// initialSync decides what happens to mails that are in the mailbox when the account is connected first. FromNow leaves them alone; All takes the unseen
	// ones, whatever selection is. Immutable in effect: it is read once per mailbox. Default FromNow.
	// +optional
	// +kubebuilder:default=FromNow
	// +kubebuilder:validation:Enum=FromNow;All
	InitialSync string `json:"initialSync,omitempty"`
	// selection of the mails that arrive from then on. UIDWatermark takes every one, also one that was opened in another program first or moved into the
	// mailbox after it was read. Unseen takes only those that nobody has opened yet. A change to UIDWatermark begins with the next mail. Default
	// UIDWatermark.
	// +optional
	// +kubebuilder:default=UIDWatermark
	// +kubebuilder:validation:Enum=UIDWatermark;Unseen
	Selection string `json:"selection,omitempty"`
	// duplicateCheck Enabled never takes a mail twice that is stored already, known by its place and by its bytes. Disabled makes a new interaction of a
	// stored mail each time it is marked unread on the server after it was seen there; marks that agents make at the desk do not count, and nothing else
	// takes a mail twice. Default Enabled.
	// +optional
	// +kubebuilder:default=Enabled
	DuplicateCheck SwitchState `json:"duplicateCheck,omitempty"`
	// syncFlags says what is written to the mailbox, which is only ever the flag \Seen. OneWay sets it on mails that were taken. TwoWay also clears it on the
	// customer's last mail when an agent marks the interaction unread, and sets it again when the interaction is read, answered or closed. None writes
	// nothing. Default OneWay.
	// +optional
	// +kubebuilder:default=OneWay
	// +kubebuilder:validation:Enum=None;OneWay;TwoWay
	SyncFlags string `json:"syncFlags,omitempty"`
	// headerFilters that a mail must all satisfy to be taken; filteredAction says what happens to others.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	HeaderFilters []HeaderFilter `json:"headerFilters,omitempty"`
	// headerFilter is headerFilters in the notation of older systems, such as "X-Scanned,X-Spam=no": names, each with the exact value that the header
	// must have or without, separated by commas. headerFilters can say more.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:Pattern=`^( *[!-+\--9;<>-~]+ *(=[^,\x00-\x1f\x7f]+)?(,|$)){0,16}$`
	HeaderFilter string `json:"headerFilter,omitempty"`
	// headerFilterPreset adds filters: Microsoft365Scanned those that show that Microsoft 365 has scanned the mail for spam (X-Microsoft-Antispam,
	// X-Forefront-Antispam-Report, X-Microsoft-Antispam-Mailbox-Delivery, X-Microsoft-Antispam-Message-Info). Default None.
	// +optional
	// +kubebuilder:default=None
	// +kubebuilder:validation:Enum=None;Microsoft365Scanned
	HeaderFilterPreset string `json:"headerFilterPreset,omitempty"`
	// filteredAction for a mail that the filters do not accept. Ignore: it stays unseen in the mailbox and is not looked at again. Quarantine: its header
	// is kept as a message in state Quarantined that is not routed, and it is marked as seen unless syncFlags is None. Default Ignore.
	// +optional
	// +kubebuilder:default=Ignore
	// +kubebuilder:validation:Enum=Ignore;Quarantine
	FilteredAction string `json:"filteredAction,omitempty"`
	// maxMessageSize: of a larger mail only the header is taken. Default 50Mi.
	// +optional
	// +kubebuilder:default="50Mi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('64Ki')) >= 0 && quantity(string(self)).compareTo(quantity('256Mi')) <= 0",message="maxMessageSize must be between 64Ki and 256Mi"
	MaxMessageSize *resource.Quantity `json:"maxMessageSize,omitempty"`
}

// HeaderFilter is a header that must be present.
type HeaderFilter struct {
	// name of the header, letter case does not matter (RFC 5322 field name).
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=76
	// +kubebuilder:validation:Pattern=`^[!-9;-~]{1,76}$`
	Name string `json:"name"`
	// value the header must have exactly, letter case included. Absent: any value.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=998
	// +kubebuilder:validation:Pattern=`^[^\r\n\x00]*$`
	Value *string `json:"value,omitempty"`
}

// EmailSMTP is the outgoing side (RFC 5321, RFC 6409).
// +kubebuilder:validation:XValidation:rule="!has(self.security) || self.security != 'None' || (self.certificateValidation == 'Verify' && !has(self.pinnedSHA256))",message="certificateValidation and pinnedSHA256 have no meaning when security is None"
// +kubebuilder:validation:XValidation:rule="!has(self.pinnedSHA256) || (self.certificateValidation == 'Verify' && !has(self.caSecretRef))",message="pinnedSHA256 takes the place of certificateValidation AcceptAny and of caSecretRef"
type EmailSMTP struct {
	ServerTLS     `json:",inline"`
	ServerAddress `json:",inline"`
	// authentication at this server in place of spec.authentication. Default: spec.authentication.
	// +optional
	Authentication *EmailAuthentication `json:"authentication,omitempty"`
}

// EmailRouting says where new interactions go, and what becomes of replies.
// +kubebuilder:validation:XValidation:rule="self.model == 'Assigned' ? !has(self.legacy) : !has(self.assignedAgentTimeout)",message="assignedAgentTimeout is only for model Assigned, legacy only for model Legacy"
// +kubebuilder:validation:XValidation:rule="has(self.queueRef) != has(self.flowRef)",message="exactly one of queueRef and flowRef is required"
type EmailRouting struct {
	EmailReplies `json:",inline"`
	// queueRef is the Email queue that new interactions wait in. Exactly one of queueRef and flowRef is required.
	// +optional
	QueueRef ObjectReference `json:"queueRef,omitzero"`
	// flowRef is the RoutingFlow that decides about new interactions, and about those that begin anew when their last queue is gone.
	// +optional
	FlowRef ObjectReference `json:"flowRef,omitzero"`
}

// EmailAccountStatus is what is known of a mailbox.
type EmailAccountStatus struct {
	CommonStatus `json:",inline"`
	// effective is what the account comes to, the service's presets and the defaults included.
	// +optional
	Effective *EffectiveEmailAccount `json:"effective,omitempty"`
	// verified is the value of the annotation ringmaster.dev/verify with which both servers were last tried; IMAPReady and SMTPReady
	// say how it went.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Verified string `json:"verified,omitempty"`
	// certificateSHA256 is the fingerprint of the IMAP server's certificate, in hex.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	CertificateSHA256 string `json:"certificateSHA256,omitempty"`
	// lastPollTime is when the mailbox was last looked through with success, at a minute's precision.
	// +optional
	LastPollTime *metav1.Time `json:"lastPollTime,omitempty"`
	// ingested mails since the account exists.
	// +optional
	// +kubebuilder:default=0
	Ingested int64 `json:"ingested"`
	// quarantined mails that were kept but could not be read.
	// +optional
	// +kubebuilder:default=0
	Quarantined int64 `json:"quarantined"`
	// stats of the interactions that are not closed, with a delay of up to 10 s.
	// +optional
	Stats *EmailStats `json:"stats,omitempty"`
}

// EmailStats are where the interactions of an account are.
type EmailStats struct {
	// waiting in a queue, for an agent or in a flow.
	// +optional
	// +kubebuilder:default=0
	Waiting int32 `json:"waiting"`
	// offered to agents.
	// +optional
	// +kubebuilder:default=0
	Offered int32 `json:"offered"`
	// open with agents.
	// +optional
	// +kubebuilder:default=0
	Open int32 `json:"open"`
	// unread by anybody: routing has ended, and an agent takes them over.
	// +optional
	// +kubebuilder:default=0
	Unread int32 `json:"unread"`
	// oldestWaitingTime is when the first of waiting began to wait.
	// +optional
	OldestWaitingTime *metav1.Time `json:"oldestWaitingTime,omitempty"`
	// oldestFollowUpTime is when the first mail came that is not read by the agent who has its conversation.
	// +optional
	OldestFollowUpTime *metav1.Time `json:"oldestFollowUpTime,omitempty"`
}

// EmailAccount is a mailbox that agents answer together.
//
// Conditions: Ready, SMTPReady; IMAPReady, Routed and AgentsAssigned for purpose Channel; TemplateReady with spec.template; ContactListFound with a contact list; CertificateNotVerified while AcceptAny, EncryptionDisabled while security None.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=emailaccounts,shortName=mail,categories=ringmaster
// +kubebuilder:selectablefield:JSONPath=`.spec.address`
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.spec.key`
// +kubebuilder:printcolumn:name="Address",type=string,JSONPath=`.spec.address`
// +kubebuilder:printcolumn:name="Queue",type=string,JSONPath=`.spec.routing.queueRef.name`
// +kubebuilder:printcolumn:name="Flow",type=string,priority=1,JSONPath=`.spec.routing.flowRef.name`
// +kubebuilder:printcolumn:name="IMAP",type=string,JSONPath=`.status.conditions[?(@.type=="IMAPReady")].reason`
// +kubebuilder:printcolumn:name="SMTP",type=string,JSONPath=`.status.conditions[?(@.type=="SMTPReady")].reason`
// +kubebuilder:printcolumn:name="Mails",type=integer,JSONPath=`.status.ingested`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.stats.waiting`
// +kubebuilder:printcolumn:name="Unread",type=integer,priority=1,JSONPath=`.status.stats.unread`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type EmailAccount struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec EmailAccountSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status EmailAccountStatus `json:"status,omitempty"`
}

// EmailAccountList is a list of EmailAccounts.
// +kubebuilder:object:root=true
type EmailAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EmailAccount `json:"items"`
}
