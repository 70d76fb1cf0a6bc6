package voice

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

var strategies = map[Strategy]string{
	Ringall:     "ringall",
	LeastRecent: "leastrecent",
	FewestCalls: "fewestcalls",
	Random:      "random",
	RRMemory:    "rrmemory",
	RROrdered:   "rrordered",
	Linear:      "linear",
	WRandom:     "wrandom",
}

var autoPauses = map[AutoPause]string{
	AutoPauseNever: "no",
	AutoPauseQueue: "yes",
	AutoPauseAll:   "all",
}

// renderQueues writes queues.conf. Members are static lines that begin
// paused, so that nobody rings before signing in; app_queue keeps a member's
// present pause over a reload, though not its reason, which the pbxlet restores.
func renderQueues(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	b.WriteString(banner)
	b.WriteString("\n[general]\npersistentmembers=yes\nautofill=yes\nshared_lastcall=yes\n")
	for _, q := range c.Queues {
		want, err := writeQueue(&b, q)
		if err != nil {
			return File{}, err
		}
		expect.Queues = append(expect.Queues, want)
	}
	return NewFile(QueuesFile, b.Bytes()), nil
}

func writeQueue(b *bytes.Buffer, q Queue) (ExpectQueue, error) {
	strategy, ok := strategies[q.Strategy]
	if !ok {
		strategy = strategies[RRMemory]
	}
	autoPause, ok := autoPauses[q.AutoPause]
	if !ok {
		autoPause = autoPauses[AutoPauseNever]
	}
	fmt.Fprintf(b, "\n[%s]\nstrategy=%s\n", q.Name, strategy)
	fmt.Fprintf(b, "timeout=%d\nretry=%d\n", seconds(q.Timeout, 15*time.Second), seconds(q.Retry, 5*time.Second))
	fmt.Fprintf(b, "wrapuptime=%d\nmaxlen=%d\nservicelevel=%d\n", seconds(q.WrapUpTime, 0), q.MaxLen, seconds(q.ServiceLevel, 0))
	fmt.Fprintf(b, "autopause=%s\nringinuse=no\n", autoPause)
	want := ExpectQueue{Name: q.Name, Strategy: strategy}
	for _, m := range q.Members {
		name := m.Name
		if name == "" {
			name = m.Extension
		}
		escaped, err := queueValue(name)
		if err != nil {
			return ExpectQueue{}, &FieldError{Object: q.Key, Field: "Members.Name", Reason: err.Error()}
		}
		iface := "PJSIP/" + m.Extension
		// interface, penalty, name, state interface, ringinuse, wrapuptime, paused
		fmt.Fprintf(b, "member => %s,%d,%s,%s,,,yes\n", iface, m.Penalty, escaped, iface)
		want.Members = append(want.Members, ExpectMember{Interface: iface, Penalty: m.Penalty})
	}
	slices.SortFunc(want.Members, func(a, b ExpectMember) int { return strings.Compare(a.Interface, b.Interface) })
	return want, nil
}

// renderVoicemail writes voicemail.conf: one mailbox per agent who has one.
func renderVoicemail(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	b.WriteString(banner)
	fmt.Fprintf(&b, "\n[general]\nformat=wav\n\n[%s]\n", MailboxContext)
	for _, e := range c.Agents {
		if e.Voicemail == nil {
			continue
		}
		name := e.Voicemail.FullName
		if name == "" {
			name = e.DisplayName
		}
		escaped, err := voicemailField(name)
		if err != nil {
			return File{}, &FieldError{Object: e.Key, Field: "Voicemail.FullName", Reason: err.Error()}
		}
		// The leading dash keeps the owner from changing the PIN by telephone:
		// app_voicemail would write it into this file, and the next snapshot
		// would undo it.
		fmt.Fprintf(&b, "%s => -%s,%s\n", e.Extension, e.Voicemail.PIN, escaped)
		expect.Mailboxes = append(expect.Mailboxes, ExpectMailbox{
			Number: e.Extension, Owner: e.Voicemail.Owner, PIN: MailboxPIN(e.Voicemail.Owner, e.Voicemail.PIN),
		})
	}
	return NewFile(VoicemailFile, b.Bytes()), nil
}
