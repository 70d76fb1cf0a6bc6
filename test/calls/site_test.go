package calls

// site is what the owner of the machine has beside the rendered files: the
// way out of the center, which answers and says the number it was given.
const site = `
[site-outbound]
exten => _X!,1,NoOp(outbound ${EXTEN} of ${CHANNEL(endpoint)})
 same => n,UserEvent(Outbound,Number: ${EXTEN},Caller: ${CALLERID(num)},Language: ${CHANNEL(language)})
 same => n,Answer()
 same => n,SayDigits(${EXTEN})
 same => n,Wait(20)
`

// What the PBX is told of the site.
const (
	outboundContext    = "site-outbound"
	servicePrefix      = "8"
	forbiddenPrefix    = "00"
	recordingDirectory = "calls"
)
