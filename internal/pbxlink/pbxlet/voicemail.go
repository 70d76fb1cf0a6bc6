package pbxlet

import (
	"context"
	"errors"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// errMailboxInUse keeps a purge waiting until the snapshot without the mailbox
// is in force.
var errMailboxInUse = errors.New("pbxlet: the mailbox is still in use")

// mailboxEvent takes in a MessageWaiting event.
func (t *tables) mailboxEvent(m ami.Message) bool {
	number, context, _ := strings.Cut(m.Get("Mailbox"), "@")
	if context != voice.MailboxContext || m.Get("New") == "" {
		return false
	}
	return t.setMailbox(number, m.Get("New"), m.Get("Old"))
}

func (t *tables) setMailbox(mailbox, unread, read string) bool {
	now := [2]int32{int32(max(0, number(unread))), int32(max(0, number(read)))}
	if before, ok := t.voicemail[mailbox]; ok && before == now {
		return false
	}
	t.voicemail[mailbox] = now
	t.dirty.voicemail[mailbox] = true
	return true
}

// setVoicemail replaces all mailboxes by a VoicemailUsersList.
func (t *tables) setVoicemail(list []ami.Message) {
	t.mu.Lock()
	t.voicemail = map[string][2]int32{}
	for _, m := range list {
		if m.Get("VMContext") == voice.MailboxContext {
			t.setMailbox(m.Get("VoiceMailbox"), m.Get("NewMessageCount"), m.Get("OldMessageCount"))
		}
	}
	t.dirty.allVoicemail = true
	t.mu.Unlock()
	t.wake()
}

// takeVoicemail moves what is unsent into a batch.
func (t *tables) takeVoicemail(e *pbxlinkv1.Events) {
	e.VoicemailComplete = t.dirty.allVoicemail
	dirty := t.dirty.voicemail
	if t.dirty.allVoicemail {
		dirty = keysOf(t.voicemail)
	}
	for mailbox := range dirty {
		n := t.voicemail[mailbox]
		e.Voicemail = append(e.Voicemail, &pbxlinkv1.Voicemail{Extension: mailbox, Unread: n[0], Read: n[1]})
	}
}

func (e *engine) syncVoicemail(ctx context.Context, a *asterisk) error {
	list, err := a.list(ctx, "VoicemailUsersList")
	if err := ignoreEmpty(err); err != nil {
		return err
	}
	e.tables.setVoicemail(list)
	return nil
}

// purgeMailbox deletes what an owner who has no mailbox any more has left.
func (e *engine) purgeMailbox(p *pbxlinkv1.PurgeMailbox) error {
	m, err := e.state.manifest(goodLink)
	if err != nil {
		return err
	}
	if m != nil {
		for _, b := range m.Expect.Mailboxes {
			if b.Number == p.GetExtension() && b.Owner == p.GetOwner() {
				return errMailboxInUse
			}
		}
	}
	return e.spool.purge(p.GetExtension(), p.GetOwner())
}
