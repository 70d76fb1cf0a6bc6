package v1alpha1

// DownloadPermissions say what an agent may save to a file.
type DownloadPermissions struct {
	// attachments of e-mails and other messages, and whole messages as they came. Denied refuses them at the desk with 403. Default Allowed.
	// +optional
	// +kubebuilder:default=Allowed
	Attachments Permission `json:"attachments,omitempty"`
	// interactions as a file (CSV). Denied refuses the export at the desk with 403. Default Allowed.
	// +optional
	// +kubebuilder:default=Allowed
	Interactions Permission `json:"interactions,omitempty"`
	// recordings of calls, the agent's own and, for a supervisor, those of the team. Denied refuses the files at the desk with 403; they are listed all the same.
	// Default Allowed.
	// +optional
	// +kubebuilder:default=Allowed
	Recordings Permission `json:"recordings,omitempty"`
}

// ContactPermissions say what an agent may do with customers besides looking them up. They need the module Contacts and sensitiveData Visible.
type ContactPermissions struct {
	// edit Allowed: the agent may create, change and delete contacts at the desk. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	Edit Permission `json:"edit,omitempty"`
	// import Allowed: the agent may load a file (CSV) of contacts into a ContactList at the desk. Default Denied.
	// +optional
	// +kubebuilder:default=Denied
	Import Permission `json:"import,omitempty"`
}

// ModulePermissions say which parts of the desk an agent has. The names known now are Colleagues, Contacts, Email, Voice and Voicemail; others are accepted with a
// warning, so that a manifest may be older or newer than the operator. A module that an agent lacks is not in the menu and its lists are refused with 403; what a
// queue gives the agent arrives all the same, and queue membership does not change.
// +kubebuilder:validation:XValidation:rule="!has(self.list) || self.policy == 'List'",message="list is only for policy List"
type ModulePermissions struct {
	// policy AllowAll: every module but those denied, see newModules. List: those of list only. Default AllowAll.
	// +optional
	// +kubebuilder:default=AllowAll
	Policy ModulePolicy `json:"policy,omitempty"`
	// list of the modules granted by policy List. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	List []ModuleName `json:"list,omitempty"`
	// denied modules, whatever else grants them. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	Denied []ModuleName `json:"denied,omitempty"`
	// newModules Deny: policy AllowAll means the modules that were known when the agent was created (status.modulesSnapshot), so that an upgrade of Ringmaster
	// does not widen what existing agents may do. Allow: also those released since; they stay granted when it is Deny again. Default Deny.
	// +optional
	// +kubebuilder:default=Deny
	NewModules NewModulesRule `json:"newModules,omitempty"`
}

// ModuleName names a part of the desk.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=40
// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
type ModuleName string

// Modules of the desk.
const (
	// ModuleColleagues is the list of the center's agents and their presence.
	ModuleColleagues ModuleName = "Colleagues"
	// ModuleContacts is the list of customers.
	ModuleContacts ModuleName = "Contacts"
	// ModuleEmail is the list of e-mail interactions.
	ModuleEmail ModuleName = "Email"
	// ModuleVoice is the list of calls, the missed ones included.
	ModuleVoice ModuleName = "Voice"
	// ModuleVoicemail is the own voicemail.
	ModuleVoicemail ModuleName = "Voicemail"
)

// Modules are those this version knows, sorted.
func Modules() []ModuleName {
	return []ModuleName{ModuleColleagues, ModuleContacts, ModuleEmail, ModuleVoice, ModuleVoicemail}
}

// ModulePolicy says where the granted modules come from.
// +kubebuilder:validation:Enum=AllowAll;List
type ModulePolicy string

// Values of ModulePolicy.
const (
	ModulesAllowAll ModulePolicy = "AllowAll"
	ModulesList     ModulePolicy = "List"
)

// NewModulesRule says what becomes of modules released after the agent was created.
// +kubebuilder:validation:Enum=Allow;Deny
type NewModulesRule string

// Values of NewModulesRule.
const (
	NewModulesAllow NewModulesRule = "Allow"
	NewModulesDeny  NewModulesRule = "Deny"
)
