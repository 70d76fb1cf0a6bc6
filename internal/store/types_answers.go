package store

import "errors"

// Errors of closing a conversation and of the pause for it.
var (
	// ErrDispositionRequired: the account wants a disposition before the interaction is closed.
	ErrDispositionRequired = errors.New("a disposition is required")
	// ErrDispositionUnknown: the interaction has no such disposition.
	ErrDispositionUnknown = errors.New("no such disposition")
	// ErrDisposing: the agent is paused until what they began to dispose is closed.
	ErrDisposing = errors.New("the agent is disposing")
)

// SetScope says which interactions a set of dispositions or canned answers is for.
type SetScope string

// Scopes.
const (
	ScopeGlobal  SetScope = "Global"
	ScopeAccount SetScope = "EmailAccount"
	ScopeQueue   SetScope = "Queue"
	// ScopeContactList is for the accounts that store their contacts in a list.
	ScopeContactList SetScope = "ContactList"
)

// ReasonDisposition is why an agent is paused who must choose a disposition.
const ReasonDisposition = "Disposition"

// AnswerSettings are what an EmailAccount says about its answers. The zero value is that of an account that says nothing.
type AnswerSettings struct {
	// DispositionMandatory refuses to close without a disposition.
	DispositionMandatory bool `json:"dispositionMandatory,omitempty"`
	// PauseWhileDisposing pauses agents who have begun to dispose.
	PauseWhileDisposing bool `json:"pauseWhileDisposing,omitempty"`
	// DispositionSets that the account names.
	DispositionSets []string `json:"dispositionSets,omitempty"`
	// CannedAnswerSets that the account names.
	CannedAnswerSets []string `json:"cannedAnswerSets,omitempty"`
}

// DispositionSet is a list of dispositions, parents before their children.
type DispositionSet struct {
	Key
	Scope SetScope
	// Ref is the account, queue or contact list of the scope; empty for ScopeGlobal, and for a set that only accounts naming it have.
	Ref   string
	Items []Disposition
}

// Disposition is one result of a conversation.
type Disposition struct {
	// Path is the whole path, such as Sales/Offer/Accepted.
	Path        string `json:"path"`
	Description string `json:"description,omitempty"`
}

// Dispositions are what an interaction can be closed with.
type Dispositions struct {
	Mandatory           bool
	PauseWhileDisposing bool
	// Items of the account first, then of the queue, of the contact list, and global ones; each path once.
	Items []Disposition
}

// Disposal is what an agent says when they close a conversation. The zero value says nothing.
type Disposal struct {
	// Path of a disposition of the interaction.
	Path string
	// Note is free text.
	Note string
}

// CannedAnswerSet is a list of texts for answers.
type CannedAnswerSet struct {
	Key
	Scope SetScope
	// Ref is as in DispositionSet.
	Ref   string
	Items []CannedAnswer
}

// CannedAnswer is one text.
type CannedAnswer struct {
	// Set it is of; the store fills it in.
	Set string `json:"-"`
	// Key that agents call it by.
	Key string `json:"key"`
	// Value is a template of plain text.
	Value       string       `json:"value"`
	Description string       `json:"description,omitempty"`
	Attachments []CannedFile `json:"attachments,omitempty"`
}

// CannedFile describes an attachment of a canned answer.
type CannedFile struct {
	Attachment
	// SHA256 of the content (hex).
	SHA256 string `json:"sha256"`
}
