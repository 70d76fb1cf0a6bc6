package controllers

import (
	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/mail/smtp"
)

// emailService is where a provider of mailboxes takes connections.
type emailService struct{ imap, smtp remote.Server }

// emailServices are the providers' published servers. Where a provider offers both, TLS from the first byte comes before STARTTLS.
var emailServices = map[v1alpha1.EmailService]emailService{
	v1alpha1.ServiceGmail: {
		imap: remote.Server{Host: "imap.gmail.com", Port: session.PortTLS, Security: remote.TLS},
		smtp: remote.Server{Host: "smtp.gmail.com", Port: smtp.PortTLS, Security: remote.TLS},
	},
	v1alpha1.ServiceYahoo: {
		imap: remote.Server{Host: "imap.mail.yahoo.com", Port: session.PortTLS, Security: remote.TLS},
		smtp: remote.Server{Host: "smtp.mail.yahoo.com", Port: smtp.PortTLS, Security: remote.TLS},
	},
	v1alpha1.ServiceHotmail: {
		imap: remote.Server{Host: "outlook.office365.com", Port: session.PortTLS, Security: remote.TLS},
		smtp: remote.Server{Host: "smtp-mail.outlook.com", Port: smtp.PortSubmission, Security: remote.StartTLS},
	},
	v1alpha1.ServiceOutlook365: {
		imap: remote.Server{Host: "outlook.office365.com", Port: session.PortTLS, Security: remote.TLS},
		smtp: remote.Server{Host: "smtp.office365.com", Port: smtp.PortSubmission, Security: remote.StartTLS},
	},
}

// imapAddress is where the mails of an account are fetched: the service's server, or the one that is named.
func imapAddress(e *v1alpha1.EmailAccount) remote.Server {
	if known, ok := emailServices[e.Spec.Service]; ok {
		return known.imap
	}
	return customAddress(e.Spec.IMAP.ServerAddress, e.Spec.IMAP.Security, session.PortPlain).WithDefaults(session.PortTLS, session.PortPlain)
}

// smtpAddress is where an account's answers are handed over.
func smtpAddress(e *v1alpha1.EmailAccount) remote.Server {
	if known, ok := emailServices[e.Spec.Service]; ok {
		return known.smtp
	}
	return customAddress(e.Spec.SMTP.ServerAddress, e.Spec.SMTP.Security, smtp.PortSubmission).WithDefaults(smtp.PortTLS, smtp.PortSubmission)
}

// customAddress takes a port that is known for STARTTLS as the wish for it, unless security says otherwise.
func customAddress(at v1alpha1.ServerAddress, security v1alpha1.TransportSecurity, startTLSPort int32) remote.Server {
	if security == "" && at.Port == startTLSPort {
		security = v1alpha1.SecurityStartTLS
	}
	return remote.Server{Host: at.Host, Port: int(at.Port), Security: remote.Security(security)}
}

// effectiveAccount shows what presets and defaults made of an account.
func effectiveAccount(e *v1alpha1.EmailAccount) *v1alpha1.EffectiveEmailAccount {
	if e.Spec.Purpose == v1alpha1.PurposeSystem {
		return &v1alpha1.EffectiveEmailAccount{SMTP: effectiveServer(smtpAddress(e), smtpAuthentication(e))}
	}
	return &v1alpha1.EffectiveEmailAccount{
		IMAP: effectiveServer(imapAddress(e), imapAuthentication(e)),
		SMTP: effectiveServer(smtpAddress(e), smtpAuthentication(e)),

		HeaderFilters: headerFilters(&e.Spec.IMAP),
	}
}

func effectiveServer(s remote.Server, auth *v1alpha1.EmailAuthentication) *v1alpha1.EffectiveServer {
	return &v1alpha1.EffectiveServer{
		Host: s.Host, Port: int32(s.Port), //nolint:gosec // came from an int32
		Security: v1alpha1.TransportSecurity(s.Security), Authentication: auth.Type,
	}
}

// imapAuthentication is the sign-in at the IMAP server.
func imapAuthentication(e *v1alpha1.EmailAccount) *v1alpha1.EmailAuthentication {
	if e.Spec.IMAP.Authentication != nil {
		return e.Spec.IMAP.Authentication
	}
	return &e.Spec.Authentication
}

// smtpAuthentication is the sign-in at the SMTP server.
func smtpAuthentication(e *v1alpha1.EmailAccount) *v1alpha1.EmailAuthentication {
	if e.Spec.SMTP.Authentication != nil {
		return e.Spec.SMTP.Authentication
	}
	return &e.Spec.Authentication
}
