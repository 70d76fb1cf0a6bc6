package voice

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Numbers that the dialplan keeps for itself. A queue cannot have them.
const (
	// mailboxNumber opens the caller's own mailbox.
	mailboxNumber = "*97"
	// pickupNumber answers a ringing call of the caller's pickup groups.
	pickupNumber = "*8"
	// monitorPrefix with 1, 2 or 3 and an extension listens to that agent's
	// call, whispers to the agent, or joins in.
	monitorPrefix = "*7"
)

// dialplanContext holds all numbers; the contexts of endpoints include it. The
// contexts that begin with it are ours too.
const dialplanContext = "ringmaster"

// telephoneContext is where calls of hot-desk telephones start.
const telephoneContext = dialplanContext + "-telephone"

// Channel variables of an agent's leg. An endpoint has them by set_var; the leg
// of a hot-desk telephone is given those of the agent who sits there.
const (
	// AgentVariable is the agent's extension.
	AgentVariable = "RINGMASTER_AGENT"
	// RecordingVariable is the file suffix of the agent's recordings, wav, WAV
	// or gsm; unset when calls are not recorded by themselves.
	RecordingVariable = "RINGMASTER_RECORDING"
	// ManualRecordingVariable is "yes" when the agent may start a recording.
	ManualRecordingVariable = "RINGMASTER_MANUAL_RECORDING"
	// RecordingsVariable counts the files of the call that were begun.
	RecordingsVariable = "RINGMASTER_RECORDINGS"
	// MixMonitorVariable is the MixMonitorID of the running recording; the
	// file is in Asterisk's own MIXMONITOR_FILENAME.
	MixMonitorVariable = "RINGMASTER_MIXMONITOR"
)

// The other policies of an agent, as variables of the endpoint.
const (
	ringInUseVariable   = "RINGMASTER_RING_IN_USE"
	autoAnswerVariable  = "RINGMASTER_AUTO_ANSWER"
	prefixVariable      = "RINGMASTER_PREFIX_REQUIRED"
	supervisorsVariable = "RINGMASTER_SUPERVISORS"
	greetingVariable    = "RINGMASTER_GREETING"
	contextVariable     = "RINGMASTER_CONTEXT"
	spyVariable         = "SPYGROUP"
)

// mailboxExists and agentExists ask the modules that own the answer, so the
// dialplan holds no line per agent: 5,000 of them cost seconds per reload.
// AST_SORCERY, unlike PJSIP_AOR, is silent about a number that does not exist,
// and unlike DEVICE_STATE it is not answered from a cache.
const (
	mailboxExists = `"${VM_INFO(%s@` + MailboxContext + `,exists)}" = "1"`
	agentExists   = `"${AST_SORCERY(res_pjsip,aor,${EXTEN},max_contacts)}" != ""`
)

// policy reads a variable of the agent's endpoint, from any channel: Asterisk
// gives the value of set_var under the variable's own name.
func policy(agent, variable string) string {
	return fmt.Sprintf("${AST_SORCERY(res_pjsip,endpoint,%s,%s)}", agent, variable)
}

const caller = "${" + AgentVariable + "}"

// script writes the lines of one context.
type script struct{ b *bytes.Buffer }

func (s script) context(name string) { fmt.Fprintf(s.b, "\n[%s]\n", name) }

// exten is a number, or a pattern with "_", and its first step.
func (s script) exten(number, step string) { fmt.Fprintf(s.b, "exten => %s,1,%s\n", number, step) }

// then is one step after another.
func (s script) then(steps ...string) {
	for _, step := range steps {
		fmt.Fprintf(s.b, " same => n,%s\n", step)
	}
}

// label is a step that others go to.
func (s script) label(name, step string) { fmt.Fprintf(s.b, " same => n(%s),%s\n", name, step) }

// renderExtensions writes extensions.conf. Hangup causes become SIP answers
// (Q.850 in chan_pjsip): 1 is 404, 17 is 486, 19 is 480, 21 is 403.
func renderExtensions(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	s := script{&b}
	for _, name := range c.PBX.contexts() {
		s.context(name)
		fmt.Fprintf(&b, "include => %s\n", dialplanContext)
	}
	if err := writeNumbers(s, c); err != nil {
		return File{}, err
	}
	writeWhose(s)
	writeSeats(s)
	writeMailbox(s)
	writePickup(s)
	writeMonitor(s)
	writeQueueContext(s)
	writeAgent(s, c.PBX)
	writeCallee(s, c.PBX)
	writePrefixes(s, "forbidden", append([]string{"*"}, c.PBX.ForbiddenPrefixes...))
	if c.PBX.OutboundContext != "" {
		writeOutbound(s, c.PBX)
		writePrefixes(s, "prefixes", c.PBX.ServicePrefixes)
		expect.Contexts = []string{c.PBX.OutboundContext}
	}
	expect.DialplanRevision = digest(b.Bytes())[:16]
	head := fmt.Sprintf("%s\n[globals]\n%s=%s\n", banner, RevisionVariable, expect.DialplanRevision)
	return NewFile(ExtensionsFile, append([]byte(head), b.Bytes()...)), nil
}

// writeNumbers is what can be dialled. Queues come by their number, agents by a
// pattern for every length of extensions.
func writeNumbers(s script, c Center) error {
	s.context(dialplanContext)
	s.exten(mailboxNumber, "Goto("+dialplanContext+"-mailbox,s,1)")
	s.exten(pickupNumber, "Goto("+dialplanContext+"-pickup,s,1)")
	for _, q := range c.Queues {
		if q.Number == "" {
			continue
		}
		number, err := dialplanArg(q.Number)
		if err != nil {
			return &FieldError{Object: q.Key, Field: "Number", Reason: err.Error()}
		}
		name, err := dialplanArg(q.Name)
		if err != nil {
			return &FieldError{Object: q.Key, Field: "Name", Reason: err.Error()}
		}
		s.exten(number, "Set(RINGMASTER_QUEUE="+name+")")
		wait := ""
		if q.MaxWaitTime > 0 {
			wait = fmt.Sprint(seconds(q.MaxWaitTime, 0))
		}
		s.then("Set(RINGMASTER_MAX_WAIT="+wait+")", "Goto("+dialplanContext+"-queue,s,1)")
	}
	for _, n := range lengths(c.Agents) {
		digits := strings.Repeat("X", n)
		s.exten("_"+digits, "Goto("+dialplanContext+"-agent,${EXTEN},1)")
		s.exten("_"+monitorPrefix+"[1-3]"+digits, "Goto("+dialplanContext+"-monitor,${EXTEN},1)")
	}
	if c.PBX.OutboundContext == "" {
		s.exten("_[0-9*#+]!", "Hangup(1)")
		return nil
	}
	cleanNumber(s)
	s.then("Goto(" + dialplanContext + "-outbound,${RINGMASTER_NUMBER},1)")
	s.label("unknown", "Hangup(1)")
	return nil
}

// cleanNumber leaves the number dialled in RINGMASTER_NUMBER. "!" matches
// anything, and a SIP user may hold commas, which would be syntax to Goto.
func cleanNumber(s script) {
	s.exten("_[0-9*#+]!", "Set(RINGMASTER_NUMBER=${FILTER(0-9*#+,${EXTEN})})")
	s.then("GotoIf($[${LEN(${RINGMASTER_NUMBER})} != ${LEN(${EXTEN})}]?unknown)")
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

// writeWhose is a subroutine that leaves in RINGMASTER_PHONE the endpoint on
// whose behalf the channel runs and in AgentVariable its agent, whatever caller
// ID it shows: of a call that was transferred, the one who did it; of a
// forwarded call, the one who set the forward.
func writeWhose(s script) {
	s.context(dialplanContext + "-whose")
	s.exten("s", "Set("+AgentVariable+"=${RINGMASTER_FORWARDER})")
	s.then(
		// A channel's name is its technology, its endpoint and nine characters.
		"Set(RINGMASTER_PHONE=${BLINDTRANSFER:6:-9})",
		`GotoIf($["${RINGMASTER_PHONE}" != ""]?phone)`,
		`GotoIf($["`+caller+`" != ""]?done)`,
		`GotoIf($["${CHANNEL(channeltype)}" != "PJSIP"]?done)`,
		"Set(RINGMASTER_PHONE=${CHANNEL(endpoint)})",
	)
	s.label("phone", "Set("+AgentVariable+"=${FILTER(0-9,${DB(ringmaster/${RINGMASTER_PHONE}/agent)})})")
	s.then(
		`ExecIf($["`+caller+`" = ""]?Set(`+AgentVariable+`=${RINGMASTER_PHONE}))`,
		"Set("+AgentVariable+"="+policy(caller, AgentVariable)+")",
	)
	s.label("done", "Return()")
}

// writeMailbox opens the caller's own mailbox.
func writeMailbox(s script) {
	s.context(dialplanContext + "-mailbox")
	s.exten("s", "Gosub("+dialplanContext+"-whose,s,1)")
	s.then(
		`GotoIf($["`+caller+`" = ""]?none)`,
		fmt.Sprintf("GotoIf($["+mailboxExists+"]?open)", caller),
	)
	s.label("none", "Hangup(1)")
	s.label("open", "Answer()")
	s.then("VoiceMailMain("+caller+"@"+MailboxContext+")", "Hangup()")
}

// writePickup answers a ringing call of the agent's pickup groups. It is not
// left to features.conf, which would take a hot-desk telephone's own.
func writePickup(s script) {
	s.context(dialplanContext + "-pickup")
	s.exten("s", "Gosub("+dialplanContext+"-whose,s,1)")
	s.then(
		`GotoIf($["`+caller+`" = ""]?none)`,
		"Set(CHANNEL(pickupgroup)="+policy(caller, "pickup_group")+")",
		"Set(CHANNEL(namedpickupgroup)="+policy(caller, "named_pickup_group")+")",
		"Pickup()",
	)
	s.label("none", "Hangup(1)")
}

// writeMonitor lets a supervisor into an agent's call. Neither a transfer nor a
// forward can put somebody else there. g() keeps the digits a supervisor may
// dial while listening from reaching the calls of others.
func writeMonitor(s script) {
	s.context(dialplanContext + "-monitor")
	s.exten("_"+monitorPrefix+"[1-3]X!", `GotoIf($["${BLINDTRANSFER}${RINGMASTER_FORWARDER}" != ""]?refused)`)
	s.then(
		"Gosub("+dialplanContext+"-whose,s,1)",
		`GotoIf($["`+caller+`" = ""]?refused)`,
		"Set(RINGMASTER_SUPERVISORS="+policy("${EXTEN:3}", supervisorsVariable)+")",
		`GotoIf($[${REGEX("-`+caller+`-" ${RINGMASTER_SUPERVISORS})} = 0]?refused)`,
	)
	setDevice(s, "${EXTEN:3}")
	s.then(
		`GotoIf($["${CHANNELS(^PJSIP/${RINGMASTER_DEVICE}-)}" = ""]?idle)`,
		`ChanSpy(PJSIP/${RINGMASTER_DEVICE}-,g(${EXTEN:3})bqES${IF($[${EXTEN:2:1} = 2]?w)}${IF($[${EXTEN:2:1} = 3]?B)})`,
		"Hangup()",
	)
	s.label("idle", "Hangup(19)")
	s.label("refused", "Hangup(21)")
}

// setDevice leaves the endpoint where the agent's calls ring in
// RINGMASTER_DEVICE.
func setDevice(s script, extension string) {
	s.then(
		`Set(RINGMASTER_DEVICE=${FILTER(-A-Za-z0-9._,${DB(ringmaster/`+extension+`/telephone)})})`,
		`ExecIf($["${RINGMASTER_DEVICE}" = ""]?Set(RINGMASTER_DEVICE=`+extension+`))`,
	)
}

func writeQueueContext(s script) {
	s.context(dialplanContext + "-queue")
	s.exten("s", "Answer()")
	s.then(
		"Queue(${RINGMASTER_QUEUE},ib("+dialplanContext+"-callee^s^1),,,${RINGMASTER_MAX_WAIT},,"+dialplanContext+"-answered)",
		"Hangup()",
	)
}

// writeOutbound passes a number on to the site's own dialplan, for agents only:
// a call that comes in by a trunk does not leave by another.
func writeOutbound(s script, p PBX) {
	s.context(dialplanContext + "-outbound")
	s.exten("_[0-9*#+]!", "Gosub("+dialplanContext+"-whose,s,1)")
	s.then(
		`GotoIf($["`+caller+`" = ""]?refused)`,
		`GotoIf($["`+policy(caller, prefixVariable)+`" != "yes"]?go)`,
		"GotoIf(${DIALPLAN_EXISTS("+dialplanContext+"-prefixes,${EXTEN},1)}?go)",
	)
	s.label("refused", "Hangup(21)")
	s.label("go", "Goto("+p.OutboundContext+",${EXTEN},1)")
}

// writePrefixes is a context that has the numbers with these beginnings, for
// DIALPLAN_EXISTS.
func writePrefixes(s script, name string, prefixes []string) {
	prefixes = slices.Clone(prefixes)
	slices.Sort(prefixes)
	s.context(dialplanContext + "-" + name)
	for _, p := range slices.Compact(prefixes) {
		s.exten("_"+p+"!", "NoOp()")
	}
}

// renderFeatures writes features.conf: pickup is the dialplan's.
func renderFeatures(Center, *Expect) (File, error) {
	return NewFile(FeaturesFile, []byte(banner+"\n[general]\npickupexten=\n")), nil
}
