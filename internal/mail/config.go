// Package mail connects the shared mailboxes of EmailAccounts: it ingests what customers write exactly
// once, sends what agents answer and what Ringmaster itself has to say, and says for each account whether that works.
//
// Any number of replicas run a Supervisor over the same store; a lease per account decides which of them
// holds its connections.
package mail

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/mail/smtp"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// InitialSync says what the first connection does with mails that are already there. Of these only unseen ones are ever fetched.
type InitialSync string

// FromNow leaves earlier mails alone; All ingests the unseen ones.
const (
	FromNow InitialSync = "FromNow"
	All     InitialSync = "All"
)

// Delivery says how new mail is noticed.
type Delivery string

// Auto uses IDLE where the server offers it; Idle takes no server that does not; Poll looks every PollInterval.
const (
	Auto Delivery = "Auto"
	Idle Delivery = "Idle"
	Poll Delivery = "Poll"
)

// Selection says which mails that arrive are new.
type Selection string

// UIDWatermark takes every mail that arrives, whether or not another mail program opens it first; Unseen only what nobody has opened.
const (
	UIDWatermark Selection = "UIDWatermark"
	Unseen       Selection = "Unseen"
)

// SyncFlags says which flags are written to the server.
type SyncFlags string

// SyncNone writes none; SyncOneWay \Seen on what was taken; SyncTwoWay takes it off, too, when an agent marks an interaction unread.
const (
	SyncNone   SyncFlags = "None"
	SyncOneWay SyncFlags = "OneWay"
	SyncTwoWay SyncFlags = "TwoWay"
)

// FilteredAction says what happens to a mail that the header filters do not accept.
type FilteredAction string

// Ignore leaves it unseen on the server; Quarantine keeps its header and marks it as seen.
const (
	Ignore     FilteredAction = "Ignore"
	Quarantine FilteredAction = "Quarantine"
)

// Defaults.
const (
	DefaultMailbox        = "INBOX"
	DefaultPollInterval   = 60 * time.Second
	DefaultMaxMessageSize = 50 << 20
)

// Config is one account, everything resolved: references, Secrets, presets.
type Config struct {
	Account store.Key
	// Address is the sender of replies, and a loop guard: mail from it is not a customer's.
	Address string
	// Verify changes when both servers are to be tried anew.
	Verify string
	IMAP   IMAP
	SMTP   SMTP
}

// IMAP is the receiving half; without a Host nothing is received.
type IMAP struct {
	remote.Server
	Auth remote.Auth
	// OAuth is where the access token comes from when Auth is of type OAuth2.
	OAuth *oauth.Config
	// Mailbox; default INBOX.
	Mailbox string
	// PollInterval between looks, give or take a tenth, where IDLE is not used; default 60 s.
	PollInterval time.Duration
	// InitialSync; default FromNow.
	InitialSync InitialSync
	// HeaderFilters must all accept a mail.
	HeaderFilters []message.HeaderFilter
	// FilteredAction for one that they do not accept; default Ignore.
	FilteredAction FilteredAction
	// MaxMessageSize in bytes; of a bigger mail only the header is kept. Default 50 MiB.
	MaxMessageSize int64
	// Delivery; default Auto.
	Delivery Delivery
	// Selection; default UIDWatermark.
	Selection Selection
	// SyncFlags; default SyncOneWay.
	SyncFlags SyncFlags
	// TakeAgain makes a stored mail that was seen on the server and is unseen again a new interaction.
	TakeAgain bool
}

// SMTP is the sending half; without a Host nothing can be sent.
type SMTP struct {
	remote.Server
	Auth remote.Auth
	// OAuth is where the access token comes from when Auth is of type OAuth2.
	OAuth *oauth.Config
}

// WithDefaults fills what is zero.
func (c Config) WithDefaults() Config {
	c.IMAP.Server = c.IMAP.WithDefaults(session.PortTLS, session.PortPlain)
	c.SMTP.Server = c.SMTP.WithDefaults(smtp.PortTLS, smtp.PortSubmission)
	if c.IMAP.Mailbox == "" {
		c.IMAP.Mailbox = DefaultMailbox
	}
	if c.IMAP.PollInterval <= 0 {
		c.IMAP.PollInterval = DefaultPollInterval
	}
	if c.IMAP.InitialSync == "" {
		c.IMAP.InitialSync = FromNow
	}
	if c.IMAP.MaxMessageSize <= 0 {
		c.IMAP.MaxMessageSize = DefaultMaxMessageSize
	}
	if c.IMAP.Delivery == "" {
		c.IMAP.Delivery = Auto
	}
	if c.IMAP.FilteredAction == "" {
		c.IMAP.FilteredAction = Ignore
	}
	if c.IMAP.Selection == "" {
		c.IMAP.Selection = UIDWatermark
	}
	if c.IMAP.SyncFlags == "" {
		c.IMAP.SyncFlags = SyncOneWay
	}
	return c
}

// Hash identifies the configuration in AccountStatus.ConfigHash. Passwords are not part of it, their
// PasswordVersion is, so it may be shown.
func (c Config) Hash() string {
	// Secrets marshal as a constant; nothing else here can fail to marshal.
	b, err := json.Marshal(c.WithDefaults())
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func (c Config) equal(other Config) bool { return reflect.DeepEqual(c, other) }

// filterKey names the place where mails that these filters reject are remembered: apart from ingested
// mails, which are flagged as seen, and per set of filters, so that changing them looks at every unseen mail again.
// It is "" when nothing needs to be remembered.
func (c Config) filterKey() string {
	if len(c.IMAP.HeaderFilters) == 0 || c.IMAP.FilteredAction == Quarantine {
		return ""
	}
	b, err := json.Marshal(c.IMAP.HeaderFilters)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b)
	return c.IMAP.Mailbox + " filtered by " + hex.EncodeToString(sum[:8])
}

// searchNames are headers without which a mail is of no interest. To take mails again every unseen one has to be known.
func (c Config) searchNames() []string {
	if c.IMAP.FilteredAction == Quarantine || c.IMAP.TakeAgain {
		return nil
	}
	return c.filterNames()
}

func (c Config) filterNames() []string {
	var names []string
	for _, f := range c.IMAP.HeaderFilters {
		names = append(names, f.Name)
	}
	return names
}
