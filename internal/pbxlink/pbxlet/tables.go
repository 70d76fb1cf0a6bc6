package pbxlet

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// interfacePrefix is what makes an extension a device of chan_pjsip.
const interfacePrefix = "PJSIP/"

// tables are what Asterisk was last seen to be, and which of it the manager
// has not been told. What is unsent is a set of names, not a queue of events:
// it is bounded by the size of the center however long the manager is away.
type tables struct {
	wake func()
	// naming is filled when a recording began whose file is not known.
	naming chan struct{}

	mu       sync.Mutex
	asterisk *pbxlinkv1.Asterisk
	contacts map[string]map[string]*pbxlinkv1.Contact
	members  map[memberKey]*pbxlinkv1.QueueMember
	figures  map[string]*pbxlinkv1.QueueFigures
	devices  map[string]string
	// voicemail are unread and read messages by mailbox.
	voicemail map[string][2]int32
	calls     calls
	failures  failures
	// nameless are contacts whose user agent has not been looked up.
	nameless map[contactKey]bool
	// moved are the extensions whose device changed state since the last call of contactsDoubtful.
	moved map[string]bool
	// stale tells that something has happened at a queue since the figures were
	// last read.
	stale bool
	dirty unsent
}

type memberKey struct{ queue, extension string }

type contactKey struct{ extension, uri string }

type unsent struct {
	asterisk, allContacts, allMembers, allVoicemail bool
	contacts, figures, devices, voicemail           map[string]bool
	members                                         map[memberKey]bool
}

func newUnsent() unsent {
	return unsent{
		contacts: map[string]bool{}, figures: map[string]bool{}, devices: map[string]bool{},
		voicemail: map[string]bool{}, members: map[memberKey]bool{},
	}
}

func newTables(wake func(), spoolDir string) *tables {
	return &tables{
		wake: wake, naming: make(chan struct{}, 1), asterisk: &pbxlinkv1.Asterisk{},
		contacts: map[string]map[string]*pbxlinkv1.Contact{}, members: map[memberKey]*pbxlinkv1.QueueMember{},
		figures: map[string]*pbxlinkv1.QueueFigures{}, devices: map[string]string{}, nameless: map[contactKey]bool{}, moved: map[string]bool{}, dirty: newUnsent(),
		voicemail: map[string][2]int32{}, calls: newCalls(monitorDirectory(spoolDir) + "/"), failures: newFailures(),
	}
}

// setAsterisk changes what is said of the process.
func (t *tables) setAsterisk(change func(*pbxlinkv1.Asterisk)) {
	t.mu.Lock()
	before := proto.CloneOf(t.asterisk)
	change(t.asterisk)
	changed := !proto.Equal(before, t.asterisk)
	t.dirty.asterisk = t.dirty.asterisk || changed
	t.mu.Unlock()
	if changed {
		t.wake()
	}
}

func (t *tables) getAsterisk() *pbxlinkv1.Asterisk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return proto.CloneOf(t.asterisk)
}

// event takes in one AMI event.
func (t *tables) event(m ami.Message) {
	t.mu.Lock()
	changed := true
	switch m.Event() {
	case "ContactStatus":
		t.contactEvent(m)
	case "DeviceStateChange":
		changed = t.deviceEvent(m)
	case "QueueMemberStatus", "QueueMemberAdded", "QueueMemberPause", "QueueMemberPenalty", "QueueMemberRemoved":
		changed = t.setMember(m, m.Event() == "QueueMemberRemoved")
	case "AgentConnect", "AgentComplete", "QueueCallerAbandon":
		t.stale, changed = true, false
	case "MessageWaiting":
		changed = t.mailboxEvent(m)
	case "QueueCallerJoin", "QueueCallerLeave":
		t.stale = true
		changed = t.callersEvent(m)
	case "ChallengeResponseFailed":
		// A name that is no endpoint's is anybody's guess.
		changed = t.calls.endpoints[m.Get("AccountID")] && t.failures.event(m, time.Now())
	default:
		changed = t.calls.event(m)
		if len(t.calls.unnamed) > 0 {
			select {
			case t.naming <- struct{}{}:
			default:
			}
		}
	}
	t.mu.Unlock()
	if changed {
		t.wake()
	}
}

func (t *tables) contactEvent(m ami.Message) {
	extension, uri, status := m.Get("AOR"), m.Get("URI"), m.Get("ContactStatus")
	if extension == "" || uri == "" {
		return
	}
	t.dirty.contacts[extension] = true
	if status == "Removed" {
		t.dropContact(extension, uri)
		return
	}
	if t.contacts[extension] == nil {
		t.contacts[extension] = map[string]*pbxlinkv1.Contact{}
	}
	c, known := t.contacts[extension][uri]
	if !known {
		c = &pbxlinkv1.Contact{Uri: uri}
		t.contacts[extension][uri] = c
		t.nameless[contactKey{extension, uri}] = true
	}
	c.Status = contactStatus(status)
}

func (t *tables) dropContact(extension, uri string) {
	delete(t.nameless, contactKey{extension, uri})
	delete(t.contacts[extension], uri)
	if len(t.contacts[extension]) == 0 {
		delete(t.contacts, extension)
	}
}

// contactStatus drops the words that are about the change, not the state.
func contactStatus(s string) string {
	switch s {
	case "Reachable", "Unreachable", "NonQualified":
		return s
	default:
		return "Unknown"
	}
}

func (t *tables) deviceEvent(m ami.Message) bool {
	extension, ok := strings.CutPrefix(m.Get("Device"), interfacePrefix)
	if !ok || t.devices[extension] == m.Get("State") {
		return false
	}
	t.devices[extension] = m.Get("State")
	t.dirty.devices[extension] = true
	t.moved[extension] = true
	return true
}

// contactsDoubtful tells whether a device that changed its state contradicts the contacts known here. Asterisk reports no
// contact that goes with an AOR, nor the same contact when AOR and phone are back; it does report the device.
func (t *tables) contactsDoubtful() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	doubtful := false
	for extension := range t.moved {
		switch t.devices[extension] {
		case "UNAVAILABLE", "INVALID", "UNKNOWN":
			doubtful = doubtful || len(t.contacts[extension]) > 0
		default:
			doubtful = doubtful || len(t.contacts[extension]) == 0
		}
	}
	clear(t.moved)
	return doubtful
}

// setMember takes in a member's event or list entry.
func (t *tables) setMember(m ami.Message, removed bool) bool {
	iface := m.Get("Interface")
	if iface == "" {
		iface = m.Get("Location")
	}
	extension, ok := strings.CutPrefix(iface, interfacePrefix)
	if !ok {
		return false
	}
	key := memberKey{m.Get("Queue"), extension}
	now := &pbxlinkv1.QueueMember{
		Queue: key.queue, Extension: extension, DeviceState: deviceState(m.Get("Status")),
		Paused: m.Get("Paused") == "1", PauseReason: m.Get("PausedReason"), InCall: m.Get("InCall") == "1", Removed: removed,
	}
	if before, ok := t.members[key]; ok && proto.Equal(before, now) {
		return false
	}
	t.members[key] = now
	t.dirty.members[key] = true
	return true
}

// deviceState is the name of the number in queue events (devicestate.h).
func deviceState(n string) string {
	names := []string{"UNKNOWN", "NOT_INUSE", "INUSE", "BUSY", "INVALID", "UNAVAILABLE", "RINGING", "RINGINUSE", "ONHOLD"}
	if i := number(n); i >= 0 && i < len(names) {
		return names[i]
	}
	return names[0]
}

// setContacts replaces all contacts.
func (t *tables) setContacts(list []ami.Message) {
	t.mu.Lock()
	t.contacts = map[string]map[string]*pbxlinkv1.Contact{}
	t.nameless = map[contactKey]bool{}
	for _, m := range list {
		extension := aorOf(m)
		if t.contacts[extension] == nil {
			t.contacts[extension] = map[string]*pbxlinkv1.Contact{}
		}
		uri := m.Get("Uri")
		t.contacts[extension][uri] = &pbxlinkv1.Contact{Uri: uri, UserAgent: m.Get("UserAgent"), Status: contactStatus(m.Get("Status"))}
	}
	t.dirty.allContacts = true
	t.mu.Unlock()
	t.wake()
}

// aorOf is the AOR of a listed contact, whose name is "<aor>;@<hash>".
func aorOf(m ami.Message) string {
	aor, _, _ := strings.Cut(m.Get("ObjectName"), ";@")
	return aor
}

// setQueues replaces all queues and their members from a QueueStatus list.
func (t *tables) setQueues(list []ami.Message) {
	t.mu.Lock()
	t.members = map[memberKey]*pbxlinkv1.QueueMember{}
	for _, m := range list {
		switch m.Event() {
		case "QueueParams":
			t.setFigures(m)
		case "QueueMember":
			t.setMember(m, false)
		}
	}
	t.dirty.allMembers = true
	t.mu.Unlock()
	t.wake()
}

// setDevices takes in a DeviceStateList.
func (t *tables) setDevices(list []ami.Message) {
	t.mu.Lock()
	for _, m := range list {
		t.deviceEvent(m)
	}
	t.mu.Unlock()
	t.wake()
}

// setUserAgent completes a contact.
func (t *tables) setUserAgent(key contactKey, name string) {
	t.mu.Lock()
	delete(t.nameless, key)
	c, ok := t.contacts[key.extension][key.uri]
	if ok && name != "" {
		c.UserAgent = name
		t.dirty.contacts[key.extension] = true
	}
	t.mu.Unlock()
	t.wake()
}

// someNameless are up to n contacts whose user agent is not known.
func (t *tables) someNameless(n int) []contactKey {
	t.mu.Lock()
	defer t.mu.Unlock()
	var keys []contactKey
	for key := range t.nameless {
		if len(keys) == n {
			break
		}
		keys = append(keys, key)
	}
	return keys
}

// memberStates are the members as last seen.
func (t *tables) memberStates() map[memberKey]*pbxlinkv1.QueueMember {
	t.mu.Lock()
	defer t.mu.Unlock()
	present := maps.Clone(t.members)
	maps.DeleteFunc(present, func(_ memberKey, m *pbxlinkv1.QueueMember) bool { return m.GetRemoved() })
	return present
}

// markAll makes everything unsent, for a manager that knows nothing yet.
func (t *tables) markAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dirty = newUnsent()
	t.dirty.asterisk = true
	// While Asterisk is away its tables are memories; saying that they are
	// complete would unregister phones that are not.
	t.dirty.allContacts, t.dirty.allMembers = t.asterisk.GetUp(), t.asterisk.GetUp()
	t.dirty.allVoicemail, t.calls.all = t.asterisk.GetUp(), t.asterisk.GetUp()
	t.dirty.figures = keysOf(t.figures)
	for extension := range t.devices {
		t.dirty.devices[extension] = true
	}
}

// take is the batch of everything unsent, nil when there is nothing.
func (t *tables) take() *pbxlinkv1.Events {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.dirty
	e := &pbxlinkv1.Events{ContactsComplete: d.allContacts, MembersComplete: d.allMembers}
	if d.asterisk {
		e.Asterisk = proto.CloneOf(t.asterisk)
	}
	contacts, members := d.contacts, d.members
	if d.allContacts {
		contacts = keysOf(t.contacts)
	}
	if d.allMembers {
		members = keysOf(t.members)
	}
	for extension := range contacts {
		e.Contacts = append(e.Contacts, t.contactsOf(extension))
	}
	for key := range members {
		m := t.members[key]
		e.Members = append(e.Members, proto.CloneOf(m))
		if m.GetRemoved() {
			delete(t.members, key)
		}
	}
	for queue := range d.figures {
		e.Queues = append(e.Queues, proto.CloneOf(t.figures[queue]))
	}
	for extension := range d.devices {
		e.Devices = append(e.Devices, &pbxlinkv1.DeviceState{Extension: extension, State: t.devices[extension]})
	}
	t.takeVoicemail(e)
	t.calls.take(e)
	t.failures.take(e)
	t.dirty = newUnsent()
	if proto.Equal(e, &pbxlinkv1.Events{}) {
		return nil
	}
	return e
}

func (t *tables) contactsOf(extension string) *pbxlinkv1.Contacts {
	c := &pbxlinkv1.Contacts{Extension: extension}
	for _, uri := range slices.Sorted(maps.Keys(t.contacts[extension])) {
		c.Contacts = append(c.Contacts, proto.CloneOf(t.contacts[extension][uri]))
	}
	return c
}

func keysOf[K comparable, V any](m map[K]V) map[K]bool {
	set := make(map[K]bool, len(m))
	for k := range m {
		set[k] = true
	}
	return set
}
