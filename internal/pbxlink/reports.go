package pbxlink

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// takeEvents updates the tables and then tells the observer.
func (l *link) takeEvents(e *pbxlinkv1.Events) {
	l.reports.Lock()
	defer l.reports.Unlock()
	l.mu.Lock()
	if e.GetAsterisk() != nil {
		l.setAsterisk(e.GetAsterisk())
	}
	contacts := l.mergeContacts(e)
	members := l.mergeMembers(e)
	calls := l.mergeCalls(e, time.Now())
	voicemail := l.mergeVoicemail(e)
	l.mu.Unlock()

	if e.GetAsterisk() != nil || len(contacts) > 0 {
		l.observer.OnStatusChange(l.pbx)
	}
	for _, extension := range slices.Sorted(maps.Keys(contacts)) {
		l.observer.OnContacts(l.pbx, extension, contacts[extension])
	}
	for _, m := range members {
		l.observer.OnQueueMember(l.pbx, m)
	}
	for _, q := range e.GetQueues() {
		l.observer.OnQueueFigures(l.pbx, q.GetQueue(), figuresFrom(q))
	}
	for _, c := range calls {
		l.observer.OnCall(l.pbx, c)
	}
	for _, extension := range slices.Sorted(maps.Keys(voicemail)) {
		n := voicemail[extension]
		l.observer.OnVoicemail(l.pbx, extension, n.unread, n.read)
	}
	for _, d := range e.GetDevices() {
		l.observer.OnDeviceState(l.pbx, d.GetExtension(), d.GetState())
	}
	for _, f := range e.GetSignInFailures() {
		l.observer.OnSignInFailures(l.pbx, f.GetExtension(), int(f.GetCount()), f.GetAddress())
	}
}

// mergeContacts returns the extensions whose contacts changed.
func (l *link) mergeContacts(e *pbxlinkv1.Events) map[string][]Contact {
	changed := map[string][]Contact{}
	named := map[string]bool{}
	for _, c := range e.GetContacts() {
		now := contactsFrom(c)
		named[c.GetExtension()] = true
		if !slices.Equal(l.contacts[c.GetExtension()], now) {
			changed[c.GetExtension()] = now
		}
	}
	if e.GetContactsComplete() {
		for extension := range l.contacts {
			if !named[extension] {
				changed[extension] = nil
			}
		}
	}
	for extension, contacts := range changed {
		if len(contacts) == 0 {
			delete(l.contacts, extension)
		} else {
			l.contacts[extension] = contacts
		}
	}
	return changed
}

// mergeMembers returns the members whose state changed.
func (l *link) mergeMembers(e *pbxlinkv1.Events) []QueueMember {
	var changed []QueueMember
	named := map[memberKey]bool{}
	for _, m := range e.GetMembers() {
		now := memberFrom(m)
		key := memberKey{now.Queue, now.Extension}
		named[key] = true
		if before, ok := l.queueMembers[key]; ok && before == now {
			continue
		}
		l.queueMembers[key] = now
		if now.Removed {
			delete(l.queueMembers, key)
		}
		changed = append(changed, now)
	}
	if e.GetMembersComplete() {
		for key, m := range l.queueMembers {
			if !named[key] {
				delete(l.queueMembers, key)
				m.Removed = true
				changed = append(changed, m)
			}
		}
	}
	slices.SortStableFunc(changed, func(a, b QueueMember) int {
		return strings.Compare(a.Queue+"\x00"+a.Extension, b.Queue+"\x00"+b.Extension)
	})
	return changed
}

// messages are the counts of one mailbox.
type messages struct{ unread, read int }

// mergeVoicemail returns the mailboxes whose counts changed.
func (l *link) mergeVoicemail(e *pbxlinkv1.Events) map[string]messages {
	changed := map[string]messages{}
	named := map[string]bool{}
	for _, v := range e.GetVoicemail() {
		now := messages{int(v.GetUnread()), int(v.GetRead())}
		named[v.GetExtension()] = true
		if before, known := l.voicemail[v.GetExtension()]; !known || before != now {
			changed[v.GetExtension()] = now
			l.voicemail[v.GetExtension()] = now
		}
	}
	if e.GetVoicemailComplete() {
		for extension := range l.voicemail {
			if !named[extension] {
				delete(l.voicemail, extension)
				changed[extension] = messages{}
			}
		}
	}
	return changed
}
