package message

import (
	"net/mail"
	"strings"
)

// automatic says why a mail was not written by a person for this account, or "". Such mail is kept, but
// neither routed nor ever answered by itself.
func (h Header) automatic(from []mail.Address, ownAddress string) string {
	// RFC 3834 section 5: anything but "no" (parameters aside) is automatic.
	if v, _, _ := strings.Cut(h.raw("Auto-Submitted"), ";"); v != "" && !strings.EqualFold(strings.TrimSpace(v), "no") {
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
	switch strings.ToLower(h.raw("Precedence")) {
	case "bulk", "junk", "list":
		return "Precedence"
	}
	if h.raw("X-Autoreply") != "" || h.raw("X-Autorespond") != "" {
		return "Autoresponder"
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
