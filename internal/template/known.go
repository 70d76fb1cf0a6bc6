package template

import "slices"

// known are the variables that have a value, by the type of a MessageTemplate.
var known = map[string][]string{
	"Invitation":    toUser,
	"PasswordReset": toUser,
	"AutoReply": {
		"account.address", "account.key", "account.name", "customer.address", "customer.name", "interaction.id", "mail.subject",
	},
	"Layout": {
		"account.address", "account.key", "account.name", "agent.alias", "agent.email", "agent.extension", "agent.name", "content",
		"customer.address", "customer.name", "interaction.id", "logo", "mail.subject",
	},
	"Notification": {
		"account.address", "account.key", "account.name", "customer.address", "customer.name", "interaction.id", "mail.subject",
	},
	Offer: {
		"account.address", "account.key", "account.name", "customer.address", "customer.name", "interaction.id", "mail.subject",
		"queue.name", "sender",
	},
}

// Offer is the type of the text with which an agent's client shows an offer; no MessageTemplate has it.
const Offer = "Offer"

var toUser = []string{
	"center.name", "link.expires", "link.url", "user.alias", "user.email", "user.extension", "user.name", "user.username",
}

// Known returns the variables that have a value in a message of a type of MessageTemplate, sorted.
func Known(messageType string) []string { return slices.Clone(known[messageType]) }

// Unknown returns those variables of the template that have no value in a message of a type, sorted.
func (t *Template) Unknown(messageType string) []string {
	return slices.DeleteFunc(t.Variables(), func(v string) bool { return slices.Contains(known[messageType], v) })
}
