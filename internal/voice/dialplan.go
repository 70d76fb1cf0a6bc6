package voice

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

const (
	// mailboxNumber opens the caller's own mailbox.
	mailboxNumber = "*97"
	// pickupNumber answers a ringing call of the caller's pickup groups.
	pickupNumber = "*8"
	// dialplanContext holds everything; the contexts of endpoints include it.
	dialplanContext = "ringmaster"
)

// mailboxExists and agentExists ask the modules that own the answer, so the
// dialplan holds no line per agent: 5,000 of them cost seconds per reload.
// AST_SORCERY, unlike PJSIP_AOR, is silent about a number that does not exist,
// and unlike DEVICE_STATE it is not answered from a cache.
const (
	mailboxExists = `"${VM_INFO(%s@` + MailboxContext + `,exists)}" = "1"`
	agentExists   = `"${AST_SORCERY(res_pjsip,aor,%s,max_contacts)}" = ""`
)

// renderExtensions writes extensions.conf. Hangup causes become SIP answers
// (Q.850 in chan_pjsip): 1 is 404, 17 is 486, 19 is 480.
func renderExtensions(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	for _, name := range c.PBX.contexts() {
		fmt.Fprintf(&b, "\n[%s]\ninclude => %s\n", name, dialplanContext)
	}
	fmt.Fprintf(&b, "\n[%s]\n", dialplanContext)
	fmt.Fprintf(&b, "exten => %s,1,Goto(%s-mailbox,s,1)\n", mailboxNumber, dialplanContext)
	for _, q := range c.Queues {
		if q.Number == "" {
			continue
		}
		number, err := dialplanArg(q.Number)
		if err != nil {
			return File{}, &FieldError{Object: q.Key, Field: "Number", Reason: err.Error()}
		}
		name, err := dialplanArg(q.Name)
		if err != nil {
			return File{}, &FieldError{Object: q.Key, Field: "Name", Reason: err.Error()}
		}
		fmt.Fprintf(&b, "exten => %s,1,Set(RINGMASTER_QUEUE=%s)\n same => n,Goto(%s-queue,s,1)\n", number, name, dialplanContext)
	}
	for _, n := range lengths(c.Agents) {
		fmt.Fprintf(&b, "exten => _%s,1,Goto(%s-agent,${EXTEN},1)\n", strings.Repeat("X", n), dialplanContext)
	}
	b.WriteString("exten => _[0-9*#+]!,1,Hangup(1)\n")
	writeMailbox(&b)
	writeQueueContext(&b)
	writeAgent(&b, c.PBX)

	expect.DialplanRevision = digest(b.Bytes())[:16]
	head := fmt.Sprintf("%s\n[globals]\n%s=%s\n", banner, RevisionVariable, expect.DialplanRevision)
	return NewFile(ExtensionsFile, append([]byte(head), b.Bytes()...)), nil
}

// lengths are the digit counts of extensions, sorted.
func lengths(agents []Endpoint) []int {
	var ns []int
	for _, e := range agents {
		ns = append(ns, len(e.Extension))
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

// writeMailbox opens the mailbox of the endpoint that authenticated, whatever
// caller ID it shows.
func writeMailbox(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n[%s-mailbox]\n", dialplanContext)
	fmt.Fprintf(b, "exten => s,1,GotoIf($["+mailboxExists+"]?open)\n", "${CHANNEL(endpoint)}")
	b.WriteString(" same => n,Hangup(1)\n")
	fmt.Fprintf(b, " same => n(open),Answer()\n same => n,VoiceMailMain(${CHANNEL(endpoint)}@%s)\n same => n,Hangup()\n", MailboxContext)
}

func writeQueueContext(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n[%s-queue]\nexten => s,1,Answer()\n same => n,Queue(${RINGMASTER_QUEUE})\n same => n,Hangup()\n", dialplanContext)
}

// writeAgent rings the agent and falls back to voicemail where there is one.
func writeAgent(b *bytes.Buffer, p PBX) {
	fmt.Fprintf(b, "\n[%s-agent]\n", dialplanContext)
	fmt.Fprintf(b, "exten => _X!,1,GotoIf($["+agentExists+"]?unknown)\n", "${EXTEN}")
	fmt.Fprintf(b, " same => n,Dial(PJSIP/${EXTEN},%d)\n", seconds(p.RingTimeout, DefaultRingTimeout))
	fmt.Fprintf(b, " same => n,GotoIf($["+mailboxExists+"]?voicemail)\n", "${EXTEN}")
	b.WriteString(` same => n,GotoIf($["${DIALSTATUS}" = "BUSY"]?busy)` + "\n")
	b.WriteString(" same => n,Hangup(19)\n same => n(busy),Hangup(17)\n same => n(unknown),Hangup(1)\n")
	fmt.Fprintf(b, ` same => n(voicemail),VoiceMail(${EXTEN}@%s,${IF($["${DIALSTATUS}" = "BUSY"]?b:u)})`+"\n", MailboxContext)
	b.WriteString(" same => n,Hangup()\n")
}

// renderFeatures writes features.conf.
func renderFeatures(Center, *Expect) (File, error) {
	return NewFile(FeaturesFile, []byte(banner+"\n[general]\npickupexten="+pickupNumber+"\n")), nil
}
