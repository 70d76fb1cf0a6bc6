package message

import (
	"net/mail"
	"regexp"
	"strings"
)

// automatic says why a mail was not written by a person for this account, or "". Such mail is kept, but
// neither routed nor ever answered by itself.
func (h Header) automatic(from []mail.Address, ownAddress string) string {
	// RFC 3834 section 5: anything but "no" (parameters and comments aside) is automatic.
	if v, _, _ := strings.Cut(comment.ReplaceAllString(h.raw("Auto-Submitted"), ""), ";"); v != "" && !strings.EqualFold(strings.TrimSpace(v), "no") {
		return "Auto-Submitted"
	}
	if strings.ReplaceAll(h.raw("Return-Path"), " ", "") == "<>" {
		return "NullReturnPath"
	}
	contentType := strings.ToLower(h.raw("Content-Type"))
	if strings.HasPrefix(contentType, "multipart/report") || strings.HasPrefix(contentType, "message/delivery-status") {
		return "DeliveryReport"
	}
	if h.raw("List-Id") != "" {
		return "MailingList"
	}
	for _, name := range []string{"Precedence", "X-Precedence"} {
		switch strings.ToLower(h.raw(name)) {
		case "bulk", "junk", "list", "auto_reply", "auto-reply":
			return "Precedence"
		}
	}
	for _, name := range autoresponders {
		if h.raw(name) != "" {
			return "Autoresponder"
		}
	}
	// Exim's and sendmail's reports before RFC 3464.
	if h.raw("X-Failed-Recipients") != "" || strings.HasPrefix(strings.ToLower(h.raw("From")), "mailer-daemon") {
		return "DeliveryReport"
	}
	for _, a := range from {
		if strings.EqualFold(a.Address, ownAddress) {
			return "OwnAddress"
		}
		if local, _, _ := strings.Cut(a.Address, "@"); strings.EqualFold(local, "mailer-daemon") {
			return "DeliveryReport"
		}
	}
	return ""
}

var comment = regexp.MustCompile(`\([^()]*\)`)

// autoresponders are what programs that answer by themselves, and do not know RFC 3834, add.
var autoresponders = []string{
	"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-AutoReply-From", "X-Mail-Autoreply", "X-FC-MachineGenerated",
}
