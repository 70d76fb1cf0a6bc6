package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestEffectiveServers(t *testing.T) {
	server := func(host string, port int32, security v1alpha1.TransportSecurity) *v1alpha1.EffectiveServer {
		return &v1alpha1.EffectiveServer{Host: host, Port: port, Security: security, Authentication: "Basic"}
	}
	custom := func(imap, smtp int32, s v1alpha1.TransportSecurity) func(*v1alpha1.EmailAccountSpec) {
		return func(e *v1alpha1.EmailAccountSpec) {
			e.IMAP.Host, e.IMAP.Port, e.IMAP.Security = "in.example.com", imap, s
			e.SMTP.Host, e.SMTP.Port, e.SMTP.Security = "out.example.com", smtp, s
		}
	}
	service := func(s v1alpha1.EmailService) func(*v1alpha1.EmailAccountSpec) {
		return func(e *v1alpha1.EmailAccountSpec) { e.Service = s }
	}
	for name, test := range map[string]struct {
		change     func(*v1alpha1.EmailAccountSpec)
		imap, smtp *v1alpha1.EffectiveServer
	}{
		"gmail":          {service("Gmail"), server("imap.gmail.com", 993, "TLS"), server("smtp.gmail.com", 465, "TLS")},
		"yahoo":          {service("Yahoo"), server("imap.mail.yahoo.com", 993, "TLS"), server("smtp.mail.yahoo.com", 465, "TLS")},
		"hotmail":        {service("Hotmail"), server("outlook.office365.com", 993, "TLS"), server("smtp-mail.outlook.com", 587, "StartTLS")},
		"outlook365":     {service("Outlook365"), server("outlook.office365.com", 993, "TLS"), server("smtp.office365.com", 587, "StartTLS")},
		"neither given":  {custom(0, 0, ""), server("in.example.com", 993, "TLS"), server("out.example.com", 465, "TLS")},
		"ports given":    {custom(143, 587, ""), server("in.example.com", 143, "StartTLS"), server("out.example.com", 587, "StartTLS")},
		"other ports":    {custom(1993, 25, ""), server("in.example.com", 1993, "TLS"), server("out.example.com", 25, "TLS")},
		"security given": {custom(0, 0, "StartTLS"), server("in.example.com", 143, "StartTLS"), server("out.example.com", 587, "StartTLS")},
		"both given":     {custom(143, 587, "None"), server("in.example.com", 143, "None"), server("out.example.com", 587, "None")},
		"relay has no sign-in": {func(e *v1alpha1.EmailAccountSpec) {
			service("Gmail")(e)
			e.SMTP.Authentication = &v1alpha1.EmailAuthentication{Type: "None"}
		}, server("imap.gmail.com", 993, "TLS"), &v1alpha1.EffectiveServer{Host: "smtp.gmail.com", Port: 465, Security: "TLS", Authentication: "None"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &v1alpha1.EmailAccount{}
			e.Spec.Authentication.Type = "Basic"
			test.change(&e.Spec)
			if diff := cmp.Diff(&v1alpha1.EffectiveEmailAccount{IMAP: test.imap, SMTP: test.smtp}, effectiveAccount(e)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeaderFilterNotations(t *testing.T) {
	type filter = v1alpha1.HeaderFilter
	for text, want := range map[string][]filter{
		"":                               nil,
		"X-Scanned":                      {{Name: "X-Scanned"}},
		"X-Scanned,X-Spam=no":            {{Name: "X-Scanned"}, {Name: "X-Spam", Value: new("no")}},
		" X-Spam = a=b ; Yes , X-Other,": {{Name: "X-Spam", Value: new("a=b ; Yes")}, {Name: "X-Other"}},
	} {
		if diff := cmp.Diff(want, headerFilters(&v1alpha1.EmailIMAP{HeaderFilter: text})); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	preset := headerFilters(&v1alpha1.EmailIMAP{HeaderFilters: []filter{{Name: "X-Own"}}, HeaderFilterPreset: "Microsoft365Scanned"})
	want := []filter{
		{Name: "X-Own"}, {Name: "X-Microsoft-Antispam"}, {Name: "X-Forefront-Antispam-Report"}, {Name: "X-Microsoft-Antispam-Mailbox-Delivery"},
		{Name: "X-Microsoft-Antispam-Message-Info"},
	}
	if diff := cmp.Diff(want, preset); diff != "" {
		t.Error(diff)
	}
}
