package voice

import "fmt"

// maxForwards is how often one call may be forwarded.
const maxForwards = 5

// writeAgent is a direct call to an agent: forward, do not disturb, ring in
// use, the phone, voicemail. What was put into AstDB passes a filter before an
// application sees it.
func writeAgent(s script, p PBX) {
	s.context(dialplanContext + "-agent")
	s.exten("_X!", "GotoIf($["+agentExists+"]?exists)")
	s.then("Hangup(1)")
	s.label("exists", "Set(RINGMASTER_FORWARD=${DB(ringmaster/${EXTEN}/forward)})")
	writeForward(s)
	s.label("here", `GotoIf($["${FILTER(0-9,${DB(ringmaster/${EXTEN}/dnd)})}" = "1"]?unavailable)`)
	setDevice(s, "${EXTEN}")
	s.then(
		`GotoIf($["`+policy("${EXTEN}", ringInUseVariable)+`" = "yes"]?ring)`,
		`GotoIf($[${REGEX("^(INUSE|RINGING|RINGINUSE|BUSY|ONHOLD)$" ${DEVICE_STATE(PJSIP/${RINGMASTER_DEVICE})})} = 1]?busy)`,
	)
	// i: a phone that redirects would get around the forward and its guard.
	s.label("ring", fmt.Sprintf("Dial(PJSIP/${RINGMASTER_DEVICE},%d,ib(%s-callee^s^1)U(%s-answered))",
		seconds(p.RingTimeout, DefaultRingTimeout), dialplanContext, dialplanContext))
	s.then(`GotoIf($["${DIALSTATUS}" = "BUSY"]?busy)`)
	s.label("unavailable", "Set(RINGMASTER_STATE=u)")
	s.then("Goto(voicemail)")
	s.label("busy", "Set(RINGMASTER_STATE=b)")
	s.label("voicemail", fmt.Sprintf("GotoIf($["+mailboxExists+"]?leave)", "${EXTEN}"))
	s.then(`Hangup(${IF($["${RINGMASTER_STATE}" = "b"]?17:19)})`)
	s.label("leave", "Set(RINGMASTER_GREETING="+policy("${EXTEN}", greetingVariable)+")")
	s.then(
		`ExecIf($["${RINGMASTER_GREETING}" = "`+string(GreetingInstructions)+`"]?Set(RINGMASTER_STATE=))`,
		`ExecIf($["${RINGMASTER_GREETING}" = "`+string(GreetingSilent)+`"]?Set(RINGMASTER_STATE=s))`,
		"VoiceMail(${EXTEN}@"+MailboxContext+",${RINGMASTER_STATE})",
		"Hangup()",
	)
}

// writeForward sends the call on in the agent's own context, with the agent's
// rights; feature codes and forbidden prefixes are no targets.
func writeForward(s script) {
	s.then(
		"Set(RINGMASTER_NUMBER=${FILTER(0-9*#+,${RINGMASTER_FORWARD})})",
		`GotoIf($["${RINGMASTER_NUMBER}" = ""]?here)`,
		"GotoIf($[${LEN(${RINGMASTER_NUMBER})} != ${LEN(${RINGMASTER_FORWARD})}]?here)",
		"GotoIf(${DIALPLAN_EXISTS("+dialplanContext+"-forbidden,${RINGMASTER_NUMBER},1)}?here)",
		fmt.Sprintf("GotoIf($[0${RINGMASTER_FORWARDS} >= %d]?loop)", maxForwards),
		// Inherited, so that a way through the site's dialplan counts as well.
		"Set(__RINGMASTER_FORWARDS=$[0${RINGMASTER_FORWARDS} + 1])",
		"Set(RINGMASTER_FORWARDER=${EXTEN})",
		"Set(BLINDTRANSFER=)",
		"Set(REDIRECTING(from-num,i)=${EXTEN})",
		"Set(REDIRECTING(reason)=cfu)",
		"Goto("+policy("${EXTEN}", "context")+",${RINGMASTER_NUMBER},1)",
	)
	s.label("loop", "Hangup(19)")
}

// writeCallee are the two subroutines that Dial and Queue run on the channel of
// the called phone: before it rings, and when it was answered.
func writeCallee(s script, p PBX) {
	s.context(dialplanContext + "-callee")
	s.exten("s", "Gosub("+dialplanContext+"-whose,s,1)")
	s.then(
		`GotoIf($["`+caller+`" = ""]?done)`,
		`GosubIf($["${RINGMASTER_PHONE}" != "`+caller+`"]?`+dialplanContext+`-seat,s,1)`,
		"Set(RINGMASTER_DELAY="+policy(caller, autoAnswerVariable)+")",
		`GotoIf($["${RINGMASTER_DELAY}" = ""]?done)`,
		`Set(PJSIP_HEADER(add,Call-Info)=<sip:localhost>\;answer-after=${RINGMASTER_DELAY})`,
		`Set(PJSIP_HEADER(add,Alert-Info)=<http://localhost>\;info=alert-autoanswer\;delay=${RINGMASTER_DELAY})`,
	)
	s.label("done", "Return()")

	directory := p.RecordingDirectory
	if directory == "" {
		directory = DefaultRecordingDirectory
	}
	s.context(dialplanContext + "-answered")
	s.exten("s", "Gosub("+dialplanContext+"-whose,s,1)")
	s.then(
		`GotoIf($["`+caller+`" = ""]?done)`,
		"Set(RINGMASTER_SUFFIX="+policy(caller, RecordingVariable)+")",
		`GotoIf($["${RINGMASTER_SUFFIX}" = ""]?done)`,
		"Set("+RecordingsVariable+"=1)",
		"MixMonitor("+directory+"/"+caller+`/${STRFTIME(${EPOCH},UTC,%Y%m%d-%H%M%S)}-${FILTER(-A-Za-z0-9._,${UNIQUEID})}-1.${RINGMASTER_SUFFIX},bi(`+MixMonitorVariable+"))",
	)
	s.label("done", "Return()")
}

// writeSeats makes a telephone the phone of the agent who sits there, for calls
// from it and to it. Without one it is nobody's, in its own context.
func writeSeats(s script) {
	s.context(telephoneContext)
	cleanNumber(s)
	s.then(
		"Gosub("+dialplanContext+"-whose,s,1)",
		`GotoIf($["`+caller+`" = ""]?nobody)`,
		`GotoIf($["${BLINDTRANSFER}" != ""]?go)`,
		"Set(CALLERID(all)="+policy(caller, "callerid")+")",
		`ExecIf($["`+policy(caller, "language")+`" != ""]?Set(CHANNEL(language)=`+policy(caller, "language")+"))",
		"Gosub("+dialplanContext+"-seat,s,1)",
	)
	s.label("go", "Goto("+policy(caller, "context")+",${RINGMASTER_NUMBER},1)")
	s.label("nobody", "Goto("+policy("${RINGMASTER_PHONE}", contextVariable)+",${RINGMASTER_NUMBER},1)")
	s.label("unknown", "Hangup(1)")

	s.context(dialplanContext + "-seat")
	s.exten("s", "NoOp()")
	for _, v := range []string{RecordingVariable, ManualRecordingVariable, spyVariable} {
		s.then("Set(" + v + "=" + policy(caller, v) + ")")
	}
	s.then(
		"Set(CHANNEL(callgroup)="+policy(caller, "call_group")+")",
		"Set(CHANNEL(namedcallgroup)="+policy(caller, "named_call_group")+")",
		"Return()",
	)
}
