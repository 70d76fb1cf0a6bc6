package pbxlink

import (
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// snapshotMessage is the snapshot with the content of those files only that
// the other side lacks.
func snapshotMessage(s voice.Snapshot, known map[string]string, allowShrink bool) *pbxlinkv1.Snapshot {
	m := &pbxlinkv1.Snapshot{Version: s.Version, Expect: expectMessage(s.Expect), AllowShrink: allowShrink}
	for _, f := range s.Files {
		file := &pbxlinkv1.File{Path: f.Path, Sha256: f.SHA256}
		if known[f.Path] != f.SHA256 {
			file.Content = f.Content
		}
		m.Files = append(m.Files, file)
	}
	return m
}

func expectMessage(e voice.Expect) *pbxlinkv1.Expect {
	m := &pbxlinkv1.Expect{
		Aors: e.AORs, PjsipRevision: e.PJSIPRevision,
		DialplanRevision: e.DialplanRevision, Contexts: e.Contexts, Certificate: e.Certificate,
	}
	for _, b := range e.Mailboxes {
		m.Mailboxes = append(m.Mailboxes, &pbxlinkv1.ExpectMailbox{Number: b.Number, Owner: b.Owner, PinDigest: b.PIN})
	}
	for _, c := range e.MusicClasses {
		m.MusicClasses = append(m.MusicClasses, &pbxlinkv1.ExpectMusicClass{Name: c.Name, Directory: c.Directory})
	}
	for _, endpoint := range e.Endpoints {
		m.Endpoints = append(m.Endpoints, &pbxlinkv1.ExpectEndpoint{Name: endpoint.Name, Revision: endpoint.Revision, Auth: endpoint.Auth})
	}
	for _, q := range e.Queues {
		queue := &pbxlinkv1.ExpectQueue{Name: q.Name, Strategy: q.Strategy}
		for _, member := range q.Members {
			queue.Members = append(queue.Members, &pbxlinkv1.ExpectMember{Interface: member.Interface, Penalty: int32(member.Penalty)})
		}
		m.Queues = append(m.Queues, queue)
	}
	for _, t := range e.Transports {
		m.Transports = append(m.Transports, &pbxlinkv1.ExpectTransport{Name: t.Name, Protocol: t.Protocol, Bind: t.Bind})
	}
	return m
}

// ExpectFrom reads the wire form of voice.Expect.
func ExpectFrom(m *pbxlinkv1.Expect) voice.Expect {
	e := voice.Expect{
		AORs: m.GetAors(), PJSIPRevision: m.GetPjsipRevision(),
		DialplanRevision: m.GetDialplanRevision(), Contexts: m.GetContexts(), Certificate: m.GetCertificate(),
	}
	for _, b := range m.GetMailboxes() {
		e.Mailboxes = append(e.Mailboxes, voice.ExpectMailbox{Number: b.GetNumber(), Owner: b.GetOwner(), PIN: b.GetPinDigest()})
	}
	for _, c := range m.GetMusicClasses() {
		e.MusicClasses = append(e.MusicClasses, voice.MusicClass{Name: c.GetName(), Directory: c.GetDirectory()})
	}
	for _, endpoint := range m.GetEndpoints() {
		e.Endpoints = append(e.Endpoints, voice.ExpectEndpoint{Name: endpoint.GetName(), Revision: endpoint.GetRevision(), Auth: endpoint.GetAuth()})
	}
	for _, q := range m.GetQueues() {
		queue := voice.ExpectQueue{Name: q.GetName(), Strategy: q.GetStrategy()}
		for _, member := range q.GetMembers() {
			queue.Members = append(queue.Members, voice.ExpectMember{Interface: member.GetInterface(), Penalty: int(member.GetPenalty())})
		}
		e.Queues = append(e.Queues, queue)
	}
	for _, t := range m.GetTransports() {
		e.Transports = append(e.Transports, voice.ExpectTransport{Name: t.GetName(), Protocol: t.GetProtocol(), Bind: t.GetBind()})
	}
	return e
}

func contactsFrom(m *pbxlinkv1.Contacts) []Contact {
	var contacts []Contact
	for _, c := range m.GetContacts() {
		contacts = append(contacts, Contact{URI: c.GetUri(), UserAgent: c.GetUserAgent(), Status: c.GetStatus()})
	}
	return contacts
}

func memberFrom(m *pbxlinkv1.QueueMember) QueueMember {
	return QueueMember{
		Queue: m.GetQueue(), Extension: m.GetExtension(), DeviceState: m.GetDeviceState(),
		Paused: m.GetPaused(), PauseReason: m.GetPauseReason(), InCall: m.GetInCall(), Removed: m.GetRemoved(),
	}
}

func memberMessage(m MemberState) *pbxlinkv1.MemberState {
	return &pbxlinkv1.MemberState{
		Extension: m.Extension, Paused: m.Paused, Reason: m.Reason,
		RejectDirect: m.RejectDirect, ForwardTo: m.ForwardTo, Telephone: m.Telephone,
	}
}

// MemberStateFrom reads the wire form of MemberState.
func MemberStateFrom(m *pbxlinkv1.MemberState) MemberState {
	return MemberState{
		Extension: m.GetExtension(), Paused: m.GetPaused(), Reason: m.GetReason(),
		RejectDirect: m.GetRejectDirect(), ForwardTo: m.GetForwardTo(), Telephone: m.GetTelephone(),
	}
}

func figuresFrom(m *pbxlinkv1.QueueFigures) QueueFigures {
	return QueueFigures{
		Waiting: int(m.GetWaiting()), Completed: int(m.GetCompleted()), Abandoned: int(m.GetAbandoned()),
		HoldTime: m.GetHoldTime().AsDuration(), TalkTime: m.GetTalkTime().AsDuration(),
		ServiceLevel: m.GetServiceLevel().AsDuration(), ServiceLevelPerformance: m.GetServiceLevelPerformance(),
	}
}
