package desk

import (
	"cmp"
	"reflect"
	"strings"
)

// sensitivity is what a property of an answer may tell about customers.
type sensitivity int

// Sensitivities. The first is what a property has that nobody has classified: too much is hidden rather than too little.
const (
	// text may repeat addresses, telephone numbers and names.
	text sensitivity = iota
	// public tells nothing about customers: names of objects, ids, constants, settings, what agents write about themselves.
	public
	// address of a customer, perhaps with a display name.
	address
	// name of a customer.
	name
	// number of a customer's telephone.
	number
	// hidden is not given to an agent with masked data at all.
	hidden
)

// sensitivities of the properties of answers that are strings or lists of strings: by the Go type's name and the property, or by the property
// alone, when it means the same everywhere. A test finds those that are missing. Times, and types with a fixed set of values, need no entry.
var sensitivities = map[string]sensitivity{
	"account":    public,
	"agent":      public,
	"id":         public,
	"nextCursor": public,
	"queue":      public,
	"telephone":  public,

	// Data of events.
	"deadline":    public,
	"direction":   public,
	"interaction": public,
	"level":       public,
	"reason":      public,
	"recording":   public,
	"scopes":      public,
	"sink":        public,
	"state":       public,
	"wrapUpUntil": public,

	"Attachment.contentType": public,
	"Attachment.name":        text,

	"CannedAnswer.description": public,
	"CannedAnswer.key":         public,
	"CannedAnswer.text":        text,

	"ClientProfile.callForwarding":         public,
	"ClientProfile.codecs":                 public,
	"ClientProfile.directCallsDuringPause": public,
	"ClientProfile.dtmfTones":              public,
	"ClientProfile.forbiddenPrefixes":      public,
	"ClientProfile.locale":                 public,
	"ClientProfile.loginState":             public,
	"ClientProfile.manualRecording":        public,
	"ClientProfile.missedCallBadge":        public,
	"ClientProfile.outboundPrefix":         public,
	"ClientProfile.passwordManagement":     public,
	"ClientProfile.phonebarControl":        public,
	"ClientProfile.previewDialDuringPause": public,
	"ClientProfile.pushGateway":            public,
	"ClientProfile.recording":              public,
	"ClientProfile.ringInUse":              public,
	"ClientProfile.screenReader":           public,
	"ClientProfile.screenRecording":        public,
	"ClientProfile.screenRecordingPath":    public,
	"ClientProfile.servicePrefixes":        public,
	"ClientProfile.settingsAccess":         public,
	"ClientProfile.transport":              public,
	"ClientProfile.typology":               public,

	"ClientLogs.level":  public,
	"ClientLogs.scopes": public,
	"ClientLogs.sink":   public,

	"Colleague.displayName": public,
	"Colleague.extension":   public,
	"Colleague.name":        public,

	"Contact.address": address,
	"Contact.list":    public,
	"Contact.name":    name,
	"Contact.version": public,

	"ContactRights.edit":   public,
	"ContactRights.import": public,

	"Customer.address": address,
	"Customer.name":    name,

	"Disposition.description": public,
	"Disposition.name":        public,
	"Disposition.parent":      public,
	"Disposition.path":        public,
	"mode":                    public,
	"pauseWhileDisposing":     public,

	"waitDetail": public, // names agents only
	// A draft may be a colleague's.
	"Draft.agent":       public,
	"Draft.version":     public,
	"DraftBody.bcc":     address,
	"DraftBody.cc":      address,
	"DraftBody.text":    text,
	"DraftBody.to":      address,
	"Drafting.autosave": public,

	"Downloads.attachments":  public,
	"Downloads.interactions": public,
	"Downloads.recordings":   public,

	"Forwarding.number": public, // the agent set it

	"HotDesk.telephoneSelector": public,

	"Identity.alias":       public,
	"Identity.center":      public,
	"Identity.displayName": public,
	"Identity.email":       public,
	"Identity.extension":   public,
	"Identity.name":        public,
	"Identity.username":    public,

	"Interaction.disposition":     public,
	"Interaction.dispositionNote": text,
	"Interaction.subject":         text,
	"Interaction.tags":            public,
	"Interaction.title":           text,

	"InteractionCapabilities.transferToAccounts": public,

	"Menu.modules": public,

	"Message.bcc":       address,
	"Message.cc":        address,
	"Message.detail":    text,
	"Message.from":      address,
	"Message.html":      hidden,
	"Message.messageId": address,
	"Message.subject":   text,
	"Message.text":      text,
	"Message.to":        address,

	"Notification.shake": public,
	"Notification.sound": public,
	"Notification.text":  text,

	"Party.name":   name,
	"Party.number": number,

	"RecordingFile.contentType": public,
	"RecordingFile.name":        public, // a time and the numbers of channel and file

	"Permissions.internalMessenger": public,
	"Permissions.modules":           public,
	"Permissions.recallMeCampaign":  public,
	"Permissions.role":              public,
	"Permissions.sensitiveData":     public,

	"Problem.detail":         text,
	"Problem.title":          public,
	"Problem.type":           public,
	"ProblemDetail.location": public,
	"ProblemDetail.message":  text,

	"Profile.queues": public,

	"SIPSecret.password": public,
	"SIPSecret.realm":    public,
	"SIPSecret.server":   public,
	"SIPSecret.username": public,
	"SIPSecret.wssURL":   public,

	"Telephone.displayName": public,
	"Telephone.name":        public,

	"Transition.detail": text,

	"Upload.contentType": public,
	"Upload.name":        text,

	"changeEvent.subject": public,

	"token": public,
}

func sensitivityOf(t reflect.Type, i int) sensitivity {
	f := t.Field(i)
	if s, ok := classified(t, f); ok {
		return s
	}
	return text
}

// classified looks a property up.
func classified(t reflect.Type, f reflect.StructField) (sensitivity, bool) {
	property, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	property = cmp.Or(property, f.Name)
	if s, ok := sensitivities[t.Name()+"."+property]; ok {
		return s, true
	}
	if s, ok := sensitivities[property]; ok {
		return s, true
	}
	// A type of its own has a fixed set of values.
	leaf := f.Type
	for leaf.Kind() == reflect.Pointer || leaf.Kind() == reflect.Slice {
		leaf = leaf.Elem()
	}
	return public, leaf.Kind() == reflect.String && leaf.PkgPath() != ""
}
