package mail

import (
	"errors"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Every mail on a real server is accounted for, and the look changes none.
func TestAudit(t *testing.T) {
	r := newRig(t)
	c := r.client("support")
	defer func() { _ = c.Close() }()
	plain := func(id string) string {
		return "From: Casey <casey@example.test>\r\nMessage-ID: <" + id + "@customers.test>\r\nSubject: " + id + "\r\n\r\nHello\r\n"
	}
	r.put("support", plain("before"))
	r.cfg.IMAP.InitialSync, r.cfg.IMAP.Selection = FromNow, Unseen
	s, stop := r.run(fast(), r.cfg)
	r.Eventually(func() string { st, _ := r.store.GetAccountStatus(t.Context(), r.cfg.Account); return st.IMAP }, "20s").Should(Equal(ReasonReady))
	r.put("support", plain("first"), plain("second"))
	r.Eventually(r.interactions, "20s").Should(HaveLen(2))
	found, err := s.Audit(t.Context(), r.cfg.Account)
	r.Expect(err).NotTo(HaveOccurred())
	want := []wire.AuditedMail{
		{UID: 1, Verdict: wire.MailMissing, Why: "it was there before the account was connected, and initialSync is FromNow"},
		{UID: 2, Verdict: wire.MailIngested}, {UID: 3, Verdict: wire.MailIngested},
	}
	if diff := cmp.Diff(want, found.Mails, cmpopts.IgnoreFields(wire.AuditedMail{}, "InteractionID")); diff != "" || found.Mails[1].InteractionID == "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if unseen, all := r.unseen("support"); unseen != 1 || all != 3 {
		t.Errorf("%d of %d mails are unseen after the look", unseen, all)
	}
	_, err = s.Audit(t.Context(), key("nobody"))
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an account that nobody runs: %v", err)
	}

	// While the worker is away, somebody reads one of two new mails, and a filter rejected another.
	stop()
	r.put("support", plain("read"), plain("unread"))
	_, err = c.Select("INBOX", nil).Wait()
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(c.Store(imap.UIDSetNum(4), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}, Silent: true}, nil).Close()).To(Succeed())
	found, err = s.Audit(t.Context(), r.cfg.Account)
	r.Expect(err).NotTo(HaveOccurred())
	r.Expect(found.Mails[3:]).To(Equal([]wire.AuditedMail{
		{UID: 4, Verdict: wire.MailMissing, Why: "it was flagged as seen before it was fetched"}, {UID: 5, Verdict: wire.MailMissing, Why: "not fetched yet"},
	}))
}

func TestAuditVerdicts(t *testing.T) {
	a := audit{
		known:    &store.MailboxState{UIDValidity: 1},
		stored:   map[uint32]store.MailLocation{1: {InteractionID: "i", State: store.MessageQuarantined, Detail: "no header"}, 2: {InteractionID: "i", State: store.MessageHeadersOnly, Detail: "too big"}},
		filtered: map[uint32]store.MailLocation{3: {}}, unseen: []uint32{3, 4},
	}
	a.epoch.UIDValidity = 1
	for uid, want := range map[uint32]wire.AuditedMail{
		1: {UID: 1, Verdict: wire.MailQuarantined, Why: "no header", InteractionID: "i"},
		2: {UID: 2, Verdict: wire.MailIngested, Why: "too big", InteractionID: "i"},
		3: {UID: 3, Verdict: wire.MailFiltered, Why: "a header filter did not accept it"},
		4: {UID: 4, Verdict: wire.MailMissing, Why: "not fetched yet"},
	} {
		if got := a.verdict(uid); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := a.verdict(5); got.Why != "it was flagged as seen before it was fetched" {
		t.Errorf("seen: %+v", got)
	}
	a.known.WatermarkUID = 5
	if got := a.verdict(5); got.Why != "not fetched yet" {
		t.Errorf("seen, above the watermark: %+v", got)
	}
	a.epoch.UIDValidity = 2
	if got := a.verdict(4); got.Why != "the server renumbered the mailbox; it is looked through again at the next connection" {
		t.Errorf("renumbered: %+v", got)
	}
	a.known = nil
	if got := a.verdict(4); got.Why != "the mailbox was never opened" {
		t.Errorf("never opened: %+v", got)
	}
}
