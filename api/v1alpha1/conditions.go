package v1alpha1

import "time"

// Condition types. Every kind has Ready; Reconciling and Stalled are present only while True and never
// together (the kstatus convention). The others are named in the documentation of their kind.
const (
	// ConditionReady is True when everything the spec asks for is in effect.
	ConditionReady = "Ready"
	// ConditionReconciling is True while work is under way that is expected to succeed by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when the object cannot become Ready until somebody changes something.
	ConditionStalled = "Stalled"

	// ConditionExtensionAllocated (Agent): the agent has its internal number.
	ConditionExtensionAllocated = "ExtensionAllocated"
	// ConditionNameAccepted (Agent) is present where the ContactCenter restricts names: fullName has no other characters than it permits.
	ConditionNameAccepted = "NameAccepted"
	// ConditionProfileResolved (Agent) is present with spec.profileRef: the AgentProfile exists and is in effect.
	ConditionProfileResolved = "ProfileResolved"
	// ConditionPasswordPolicySatisfied (Agent): the sign-in password is set and obeys the policy.
	ConditionPasswordPolicySatisfied = "PasswordPolicySatisfied"
	// ConditionPasswordExpired (Agent) is present from warnBefore on, and True when the password must be changed. It does not count for Ready.
	ConditionPasswordExpired = "PasswordExpired"
	// ConditionSIPProvisioned (Agent): every PBX acknowledged a configuration that contains the agent as it is now.
	ConditionSIPProvisioned = "SIPProvisioned"
	// ConditionRegistered (Agent): a phone is registered at a PBX at this moment.
	ConditionRegistered = "Registered"
	// ConditionRoutable (Agent): the agent is a member of at least one queue.
	ConditionRoutable = "Routable"

	// ConditionCodecsAvailable (Agent): every connected PBX knows every codec of the agent. Codecs that it can only pass through are named in the message.
	ConditionCodecsAvailable = "CodecsAvailable"
	// ConditionClientConsistent (Agent): the phone that is registered uses the transport that the agent's sip.transport names.
	ConditionClientConsistent = "ClientConsistent"
	// ConditionAvatarReady (Agent) is present with spec.avatar: the desk has the picture. It does not count for Ready.
	ConditionAvatarReady = "AvatarReady"
	// ConditionChannelConnector (Agent) is present and False while spec.channels names channels that nothing brings messages of. It does not count for Ready.
	ConditionChannelConnector = "ChannelConnector"

	// ConditionMembersResolved (Team, Queue): every reference exists.
	ConditionMembersResolved = "MembersResolved"
	// ConditionProvisioned (Queue): every PBX acknowledged the queue as it is now. Voice queues only.
	ConditionProvisioned = "Provisioned"

	// ConditionConnected (PBX): its pbxlet is connected and its Asterisk answers.
	ConditionConnected = "Connected"
	// ConditionInSync (PBX): the running Asterisk has the present configuration.
	ConditionInSync = "InSync"

	// ConditionCertificateTrusted (PBX): the certificate of spec.tls is no self-signed one, valid now and for the advertised address.
	ConditionCertificateTrusted = "CertificateTrusted"
	// ConditionContextsPresent (PBX): the context of spec.outbound exists in the PBX's own dialplan.
	ConditionContextsPresent = "ContextsPresent"

	// ConditionSystemMailReady (ContactCenter): the account of spec.systemMail exists and its server accepted a sign-in.
	ConditionSystemMailReady = "SystemMailReady"
	// ConditionPasswordResetReady (ContactCenter): agents can ask for a link to set a new password, and the mail's template can be used.
	ConditionPasswordResetReady = "PasswordResetReady"
	// ConditionInvitationsReady (ContactCenter): agents can be invited by a mail.
	ConditionInvitationsReady = "InvitationsReady"
	// ConditionClientLogsReady (ContactCenter): what clients log can be sent to the collector of spec.clientLogs.otlp, as far as the objects go.
	ConditionClientLogsReady = "ClientLogsReady"

	// ConditionIMAPReady (EmailAccount): the mailbox is connected, or polled successfully.
	ConditionIMAPReady = "IMAPReady"
	// ConditionSMTPReady (EmailAccount): the server accepted connection and sign-in; no mail is sent to find out.
	ConditionSMTPReady = "SMTPReady"
	// ConditionRouted (EmailAccount): the queue that new interactions go to exists and is an Email queue.
	ConditionRouted = "Routed"
	// ConditionVariablesKnown (MessageTemplate): every variable has a value in a message of the template's type.
	ConditionVariablesKnown = "VariablesKnown"
	// ConditionTemplateReady (EmailAccount) is present with spec.template: its layout and logo can be used. It does not count for Ready.
	ConditionTemplateReady = "TemplateReady"
	// ConditionContactListFound (EmailAccount) is present with a contact list: it exists. It does not count for Ready.
	ConditionContactListFound = "ContactListFound"
	// ConditionAgentsAssigned (EmailAccount): agents see all interactions of the account. It does not count for Ready.
	ConditionAgentsAssigned = "AgentsAssigned"
	// ConditionReferencesResolved (RoutingFlow): what its steps refer to exists and can be used.
	ConditionReferencesResolved = "ReferencesResolved"
	// ConditionAttachmentsReady (CannedAnswerSet): every attachment is there.
	ConditionAttachmentsReady = "AttachmentsReady"
	// ConditionValuesReady (CannedAnswerSet): every text is there.
	ConditionValuesReady = "ValuesReady"
	// ConditionCertificateNotVerified (EmailAccount) is present and True while any certificate is accepted.
	ConditionCertificateNotVerified = "CertificateNotVerified"
	// ConditionEncryptionDisabled (EmailAccount) is present and True while a server is connected to without encryption.
	ConditionEncryptionDisabled = "EncryptionDisabled"
)

// Condition reasons. They are API: clients may match them.
const (
	ReasonSucceeded   = "Succeeded"
	ReasonProgressing = "Progressing"
	ReasonPaused      = "Paused"
	ReasonDeactivated = "Deactivated"
	ReasonInactive    = "Inactive"

	// ReasonInvalid: a rule that admission would have enforced is broken.
	ReasonInvalid = "Invalid"
	// ReasonConflict: a value that must be unique belongs to another object.
	ReasonConflict = "Conflict"
	// ReasonUnavailable: a part outside Kubernetes did not answer; retried.
	ReasonUnavailable = "Unavailable"

	ReasonContactCenterMissing   = "ContactCenterMissing"
	ReasonContactCenterAmbiguous = "ContactCenterAmbiguous"

	ReasonAllocated         = "Allocated"
	ReasonRangeFull         = "RangeFull"
	ReasonOutOfRange        = "OutOfRange"
	ReasonExtensionTaken    = "ExtensionTaken"
	ReasonUsernameTaken     = "UsernameTaken"
	ReasonNameEqualsNumber  = "FullNameEqualsExtension"
	ReasonNameCharacters    = "NameCharactersRestricted"
	ReasonSecretNotFound    = "SecretNotFound"
	ReasonSecretKeyMissing  = "SecretKeyMissing"
	ReasonSecretNotLabelled = "SecretNotLabelled"
	ReasonPolicyViolated    = "PasswordPolicyViolated"
	ReasonPasswordReused    = "PasswordReused"
	ReasonPasswordExpiring  = "PasswordExpiring"
	ReasonPasswordExpired   = "PasswordExpired"
	// ReasonPasswordChanged, ReasonAccountLocked and ReasonAccountUnlocked are those of Events only.
	ReasonPasswordChanged = "PasswordChanged"
	ReasonAccountLocked   = "AccountLocked"
	ReasonAccountUnlocked = "AccountUnlocked"
	ReasonPINInvalid      = "PINInvalid"
	ReasonNoPassword      = "NoPassword"

	ReasonNoPBX            = "NoPBX"
	ReasonProvisioned      = "Provisioned"
	ReasonWaitingForPBX    = "WaitingForPBX"
	ReasonRejected         = "Rejected"
	ReasonNotRegistered    = "NotRegistered"
	ReasonRegistered       = "Registered"
	ReasonNoMembership     = "NoMembership"
	ReasonMember           = "Member"
	ReasonNoConnector      = "NoConnector"
	ReasonMembersMissing   = "MembersMissing"
	ReasonResolved         = "Resolved"
	ReasonNumberTaken      = "NumberTaken"
	ReasonConnected        = "Connected"
	ReasonDisconnected     = "Disconnected"
	ReasonAsteriskDown     = "AsteriskDown"
	ReasonRestartRequired  = "RestartRequired"
	ReasonContextForbidden = "ContextNotAllowed"
	ReasonTransportMissing = "TransportNotOffered"

	ReasonNotConfigured      = "NotConfigured"
	ReasonAccountNotFound    = "AccountNotFound"
	ReasonSystemMailNotReady = "SystemMailNotReady"
	ReasonPassThroughOnly    = "PassThroughOnly"
	ReasonCodecMissing       = "CodecMissing"
	ReasonTransportMismatch  = "TransportMismatch"
	ReasonContextMissing     = "ContextMissing"
	ReasonNoOutbound         = "NoOutbound"
	ReasonSelfSigned         = "SelfSigned"
	ReasonCertificateExpired = "CertificateExpired"
	ReasonNameMismatch       = "NameMismatch"
	ReasonInsecureWebSocket  = "InsecureWebSocket"
	ReasonNotCallable        = "NotCallable"

	ReasonQueueNotFound     = "QueueNotFound"
	ReasonQueueWrongChannel = "QueueWrongChannel"
	ReasonAddressTaken      = "AddressTaken"
	ReasonAssigned          = "Assigned"
	ReasonNoAgents          = "NoAgents"
	ReasonKeyTaken          = "KeyTaken"
	ReasonAcceptAny         = "AcceptAny"
	ReasonAcceptAnyDenied   = "AcceptAnyDenied"
	ReasonSecurityNone      = "SecurityNone"
	ReasonNoWorker          = "NoWorker"

	ReasonUnknownVariables  = "UnknownVariables"
	ReasonReferenceMissing  = "ReferenceMissing"
	ReasonReferenceInvalid  = "ReferenceInvalid"
	ReasonTemplateWrongType = "TemplateWrongType"
	ReasonFlowNotFound      = "FlowNotFound"

	ReasonContentMissing = "ContentMissing"
	ReasonContentChanged = "ContentChanged"
	ReasonContentTooLong = "ContentTooLarge"
	ReasonDownloadFailed = "DownloadFailed"
	ReasonNoPicture      = "NoPicture"
	// ReasonPictureUnsupported: it is a picture, of a kind that is not taken.
	ReasonPictureUnsupported = "UnsupportedPicture"
)

// Names that objects and clients agree on.
const (
	// Finalizer guards every object that has effects outside Kubernetes.
	Finalizer = "ringmaster.dev/finalizer"
	// CredentialLabel marks Secrets that Ringmaster may read. Admission checks what those that refer to the Secret use of
	// it; any value is legal, and CredentialAgent has a meaning of its own.
	CredentialLabel = "ringmaster.dev/credential"
	// CredentialAgent is the value of CredentialLabel for an agent's Secret: its keys password and pin are checked as
	// sign-in password and voicemail PIN even before an Agent refers to it.
	CredentialAgent = "agent"
	// ContentLabel marks ConfigMaps that Ringmaster may read: attachments, layouts, pictures. Any value is legal.
	ContentLabel = "ringmaster.dev/content"
	// AllowInsecureWSAnnotation on an Agent of typology WebRTC permits sip.transport WS while its value is "true".
	AllowInsecureWSAnnotation = "ringmaster.dev/allow-insecure-ws"
	// VerifyAnnotation of an EmailAccount makes Ringmaster connect and sign in to both servers anew, once for each of its values.
	// status.verified repeats it when that has been done.
	VerifyAnnotation = "ringmaster.dev/verify"
	// RotatedAnnotation of a Secret says which refresh tokens in it were written by Ringmaster, by their digests.
	RotatedAnnotation = "ringmaster.dev/rotated"
	// PausedAnnotation stops reconciling of an object while its value is "true".
	PausedAnnotation = "ringmaster.dev/paused"
	// AllowShrinkAnnotation on a PBX holds an RFC 3339 time: for an hour after it, a configuration may lose most of the endpoints
	// even though the manager did not see them being deleted, for example because it was down meanwhile.
	AllowShrinkAnnotation = "ringmaster.dev/allow-shrink"
	// UnlockAnnotation on an Agent holds an RFC 3339 time and releases the lock that too many wrong passwords made, once for each value; a time before the
	// lock releases nothing, so that an annotation that stays in a manifest does not undo later locks. Echoed in status.account.lastHandledUnlock.
	UnlockAnnotation = "ringmaster.dev/unlock"
	// InviteAnnotation on an Agent holds an RFC 3339 time and invites the agent, once for each value, whoever was invited before; a time before the last
	// invitation sends nothing, so that an annotation that stays in a manifest does not send another one. Echoed in status.invitation.lastHandledInvite.
	InviteAnnotation = "ringmaster.dev/invite"
	// ReconcileAtAnnotation asks for a reconcile; the value is echoed in status.lastHandledReconcileAt.
	ReconcileAtAnnotation = "ringmaster.dev/reconcile-at"
)

// AllowShrinkFor is how long AllowShrinkAnnotation holds.
const AllowShrinkFor = time.Hour
