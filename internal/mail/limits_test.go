package mail

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

func TestBackoff(t *testing.T) {
	g := NewWithT(t)
	b := backoff{lo: time.Second, hi: 5 * time.Second}
	for _, want := range []time.Duration{1, 2, 4, 5, 5} {
		g.Expect(b.delay()).To(Equal(want * time.Second))
	}
	b.reset()
	g.Expect(b.delay()).To(Equal(time.Second))
	b.jitter = true
	for range 100 {
		g.Expect(b.delay()).To(And(BeNumerically(">", 0), BeNumerically("<=", 5*time.Second)))
	}
}

// One slow host cannot take the places of the others, and who gives up leaves nothing behind.
func TestDialLimits(t *testing.T) {
	g := NewWithT(t)
	d := newDialLimits(3, 2)
	var releases []func()
	for range 2 {
		release, err := d.acquire(t.Context(), "slow")
		g.Expect(err).NotTo(HaveOccurred())
		releases = append(releases, release)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := d.acquire(ctx, "slow")
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	release, err := d.acquire(t.Context(), "other")
	g.Expect(err).NotTo(HaveOccurred())
	_, err = d.acquire(ctx, "third")
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	release()
	for _, release := range releases {
		release()
	}
	g.Expect(d.hosts).To(BeEmpty())
}

func TestConfigHash(t *testing.T) {
	g := NewWithT(t)
	base := Config{Account: key("a"), Address: "a@b.test", IMAP: IMAP{
		Server: remote.Server{Host: "h"}, Auth: remote.Auth{Type: remote.AuthBasic, Username: "u", Password: "p", PasswordVersion: "1"},
		HeaderFilters: []message.HeaderFilter{{Name: "X"}},
	}}
	g.Expect(base.Hash()).To(Equal(base.WithDefaults().Hash()), "defaults are no change")
	g.Expect(base.WithDefaults().IMAP.Port).To(Equal(993))
	other := base
	other.IMAP.Auth.Password = "q"
	g.Expect(other.Hash()).To(Equal(base.Hash()), "the password is not in the hash")
	g.Expect(other.equal(base)).To(BeFalse(), "but counts as a change")
	for name, change := range map[string]func(*Config){
		"password version": func(c *Config) { c.IMAP.Auth.PasswordVersion = "2" },
		"security":         func(c *Config) { c.IMAP.Security = remote.StartTLS },
		"smtp":             func(c *Config) { c.SMTP.Host = "s" },
		"mailbox":          func(c *Config) { c.IMAP.Mailbox = "Cases" },
		"filters":          func(c *Config) { c.IMAP.HeaderFilters = []message.HeaderFilter{{Name: "X", HasValue: true}} },
		"verify":           func(c *Config) { c.Verify = "now" },
		"address":          func(c *Config) { c.Address = "c@b.test" },
	} {
		changed := base
		change(&changed)
		g.Expect(changed.Hash()).NotTo(Equal(base.Hash()), name)
	}
	changed := base
	changed.IMAP.HeaderFilters = []message.HeaderFilter{{Name: "Y"}}
	g.Expect(changed.filterKey()).NotTo(Equal(base.filterKey()))
	g.Expect(Config{}.filterKey()).To(BeEmpty())
}

// The more accounts, the longer a lease: renewing costs about as many writes for 10,000 as for 200.
func TestLeaseTTL(t *testing.T) {
	g := NewWithT(t)
	s := NewSupervisor(nil, Options{})
	g.Expect(s.leaseTTL()).To(Equal(10 * time.Second))
	for range 2000 {
		s.accounts[key(string(rune(len(s.accounts)+0x4e00)))] = &entry{}
	}
	g.Expect(s.leaseTTL()).To(Equal(100 * time.Second))
}
