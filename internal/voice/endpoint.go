package voice

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// natOptions are the three options of a PJSIP endpoint that chan_sip's nat
// covered. All three are always written, because PJSIP's own default is
// force_rport alone.
type natOptions struct {
	forceRport, symmetricRTP, rewriteContact bool
}

// endpointNAT maps each value to its PJSIP options. Never and Route are as
// None, which is what chan_sip since 1.8 made of them.
var endpointNAT = map[NAT]natOptions{
	"":                   {true, true, true},
	NATForceRportComedia: {true, true, true},
	NATNone:              {},
	NATForceRport:        {forceRport: true, rewriteContact: true},
	NATComedia:           {symmetricRTP: true},
	NATNever:             {},
	NATRoute:             {},
}

// recordingSuffixes are the file names' endings; MixMonitor writes wav49 as .WAV.
var recordingSuffixes = map[RecordingFormat]string{"": "", Wav: "wav", Wav49: "WAV", Gsm: "gsm"}

func (e Endpoint) name() string {
	if e.Name == "" {
		return e.Extension
	}
	return e.Name
}

func (e Endpoint) transport() Transport {
	if e.Transport == "" {
		return UDP
	}
	return e.Transport
}

// web tells whether the phone comes over a WebSocket.
func (e Endpoint) web() bool { return e.Transport == WS || e.Transport == WSS }

// callable tells whether others can reach the endpoint.
func (e Endpoint) callable() bool { return e.Role != User }

func (e Endpoint) context() string {
	if e.Context == "" {
		return DefaultContext
	}
	return e.Context
}

// EffectiveCodecs are the codecs in order of preference, the default ones where the endpoint names none.
func (e Endpoint) EffectiveCodecs() []string {
	switch {
	case len(e.Codecs) > 0:
		return e.Codecs
	case e.web():
		return []string{"opus", "ulaw", "alaw"}
	default:
		return []string{"ulaw", "alaw"}
	}
}

func (e Endpoint) nat() natOptions {
	if e.NAT == NATRoute && e.NATCompatibility == NATAsterisk14 {
		return endpointNAT[NATForceRportComedia]
	}
	return endpointNAT[e.NAT]
}

// callerID is "name" <number>; a telephone has no number of its own.
func (e Endpoint) callerID() (string, error) {
	name, number := e.CallerID.Name, e.CallerID.Number
	if name == "" {
		name = e.DisplayName
	}
	if number == "" {
		number = e.Extension
	}
	quoted, err := pjsipQuoted(name)
	if err != nil {
		return "", &FieldError{Object: e.Key, Field: "CallerID.Name", Reason: err.Error()}
	}
	return fmt.Sprintf("%s <%s>", quoted, number), nil
}

// add adds the objects of one phone.
func (o phones) add(p PBX, e Endpoint) (ExpectEndpoint, error) {
	name := e.name()
	o.auth.begin(name)
	o.auth.share("auth_type", "digest")
	o.auth.share("realm", p.Realm)
	o.auth.set("username", e.Username)
	o.auth.set("password_digest", "MD5:"+e.HA1)
	o.auth.end()
	if e.callable() {
		writeAOR(o.aor, p, e)
	}
	if e.Static != nil {
		o.identify.begin(name)
		o.identify.set("endpoint", name)
		o.identify.set("match", e.match())
		o.identify.end()
	}
	revision, err := writeEndpoint(o.endpoint, e)
	return ExpectEndpoint{Name: name, Revision: revision, Auth: AuthRevision("MD5:" + e.HA1)}, err
}

// writeEndpoint returns the endpoint's revision.
func writeEndpoint(s *sections, e Endpoint) (string, error) {
	callerID, err := e.callerID()
	if err != nil {
		return "", err
	}
	name := e.name()
	s.begin(name)
	s.share("context", e.startContext())
	s.set("auth", name)
	if e.callable() {
		s.set("aors", name)
	}
	s.share("identify_by", e.identifyBy())
	s.set("callerid", callerID)
	if e.Language != "" {
		s.share("language", strings.ReplaceAll(e.Language, "-", "_"))
	}
	writeMedia(s, e)
	if e.Voicemail != nil && e.callable() {
		s.set("mailboxes", e.Extension+"@"+MailboxContext)
	}
	writeGroups(s, e)
	writePolicy(s, e)
	revision := s.revision()
	s.set(RevisionOption, revision)
	s.end()
	return revision, nil
}

// startContext is where the endpoint's calls start.
func (e Endpoint) startContext() string {
	if e.Extension == "" {
		return telephoneContext
	}
	return e.context()
}

// identifyBy says how a request is known to be the endpoint's: by the From user,
// by the address, or by both. The digest user name is checked by the auth and
// never chooses another endpoint.
func (e Endpoint) identifyBy() string {
	switch {
	case e.Role == Peer:
		return "ip"
	case e.Static != nil:
		return "username,ip"
	default:
		return "username"
	}
}

// writeAOR keeps one contact per phone; a new registration replaces the old. A
// static phone has its contact here and cannot register.
func writeAOR(s *sections, p PBX, e Endpoint) {
	s.begin(e.name())
	if e.Static != nil {
		s.share("max_contacts", "0")
		s.set("contact", e.Static.contact(e.name(), e.transport()))
	} else {
		expires := seconds(e.Expires, time.Hour)
		s.share("max_contacts", "1")
		s.share("remove_existing", "yes")
		s.share("remove_unavailable", "yes")
		s.share("default_expiration", strconv.Itoa(expires))
		s.share("minimum_expiration", "60")
		s.share("maximum_expiration", strconv.Itoa(max(7200, expires)))
	}
	if p.QualifyInterval > 0 {
		s.share("qualify_frequency", strconv.Itoa(seconds(p.QualifyInterval, 0)))
	}
	s.end()
}

// match is the address that requests come from. Over TCP the port is any.
func (e Endpoint) match() string {
	if e.transport() == UDP {
		return e.Static.address(UDP)
	}
	return e.Static.Host
}

// address is host:port.
func (h Host) address(t Transport) string {
	port := h.Port
	switch {
	case port != 0:
	case t == TLS:
		port = 5061
	default:
		port = 5060
	}
	return net.JoinHostPort(h.Host, strconv.Itoa(port))
}

func (h Host) contact(user string, t Transport) string {
	uri := "sip:" + user + "@" + h.address(t)
	if t != UDP {
		uri += `\;transport=` + strings.ToLower(string(t))
	}
	return uri
}

func writeMedia(s *sections, e Endpoint) {
	s.share("allow", "!all,"+strings.Join(e.EffectiveCodecs(), ","))
	s.share("dtmf_mode", "rfc4733")
	s.share("direct_media", "no")
	nat := e.nat()
	// A browser's Contact is a host name that does not exist, so it is always
	// reached through the connection it opened.
	nat.rewriteContact = nat.rewriteContact || e.web()
	s.share("force_rport", yesNo(nat.forceRport))
	s.share("rtp_symmetric", yesNo(nat.symmetricRTP))
	s.share("rewrite_contact", yesNo(nat.rewriteContact))
	if e.web() {
		s.share("webrtc", "yes")
	} else {
		s.share("transport", transportName(e.transport()))
	}
}

func writeGroups(s *sections, e Endpoint) {
	for _, g := range []struct {
		key    string
		values []string
	}{
		{"call_group", groups(e.CallGroups)},
		{"pickup_group", groups(e.PickupGroups)},
		{"named_call_group", sorted(e.NamedCallGroups)},
		{"named_pickup_group", sorted(e.NamedPickupGroups)},
	} {
		if len(g.values) > 0 {
			s.share(g.key, strings.Join(g.values, ","))
		}
	}
}

// writePolicy is what the dialplan must know of the endpoint; what is as usual
// is left out, for a variable costs memory in every call.
func writePolicy(s *sections, e Endpoint) {
	if e.Extension == "" {
		s.share("set_var", contextVariable+"="+e.context())
		return
	}
	s.set("set_var", AgentVariable+"="+e.Extension)
	variable := func(name, value string) {
		if value != "" {
			s.share("set_var", name+"="+value)
		}
	}
	variable(RecordingVariable, recordingSuffixes[e.Recording])
	variable(ManualRecordingVariable, yes(e.ManualRecording))
	variable(ringInUseVariable, yes(e.RingInUse))
	if e.AutoAnswer != nil {
		variable(autoAnswerVariable, strconv.Itoa(seconds(*e.AutoAnswer, 0)))
	}
	variable(prefixVariable, yes(e.OutboundPrefixRequired))
	if e.Monitoring && len(e.Supervisors) > 0 {
		variable(supervisorsVariable, "-"+strings.Join(sorted(e.Supervisors), "-")+"-")
		s.set("set_var", spyVariable+"="+e.Extension)
	}
	if e.Voicemail != nil && e.Voicemail.Greeting != GreetingStandard {
		variable(greetingVariable, string(e.Voicemail.Greeting))
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// groups are the numbers in order, each once.
func groups(numbers []int) []string {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	var s []string
	for _, n := range slices.Compact(numbers) {
		s = append(s, strconv.Itoa(n))
	}
	return s
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}
