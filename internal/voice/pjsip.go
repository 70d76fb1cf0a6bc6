package voice

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const banner = "; Written by Ringmaster; changes made here are lost.\n"

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

func (p PBX) transports() []Transport {
	var ts []Transport
	if p.UDPPort != 0 {
		ts = append(ts, UDP)
	}
	if p.TCPPort != 0 {
		ts = append(ts, TCP)
	}
	if p.WSSPort != 0 {
		ts = append(ts, WSS)
	}
	return ts
}

func (p PBX) contexts() []string {
	all := append([]string{DefaultContext}, p.AllowedContexts...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (p PBX) bindAddress() string {
	if p.BindAddress == "" {
		return "0.0.0.0"
	}
	return p.BindAddress
}

func (e Endpoint) transport() Transport {
	if e.Transport == "" {
		return UDP
	}
	return e.Transport
}

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
	case e.Transport == WSS:
		return []string{"opus", "ulaw", "alaw"}
	default:
		return []string{"ulaw", "alaw"}
	}
}

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

// renderPJSIP writes pjsip.conf. The transports come first and change only
// with the PBX: Asterisk does not reload a bound transport.
func renderPJSIP(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	b.WriteString(banner)
	writeGlobal(&b, c.PBX)
	writeTransports(&b, c.PBX, expect)
	for _, e := range c.Agents {
		want, err := writeEndpoint(&b, c.PBX, e)
		if err != nil {
			return File{}, err
		}
		expect.Endpoints = append(expect.Endpoints, want)
		if e.callable() {
			expect.AORs = append(expect.AORs, e.Extension)
		}
	}
	expect.PJSIPRevision = "ringmaster-" + digest(b.Bytes())[:16]
	expect.AORs = append(expect.AORs, expect.PJSIPRevision)
	fmt.Fprintf(&b, "\n[%s]\ntype=aor\nmax_contacts=0\n", expect.PJSIPRevision)
	return NewFile(PJSIPFile, b.Bytes()), nil
}

// writeGlobal pins the realm of the challenge that an unknown user gets, so
// that it does not differ from a known user's, and how soon an expired
// contact is forgotten.
func writeGlobal(b *bytes.Buffer, p PBX) {
	fmt.Fprintf(b, "\n[ringmaster-global]\ntype=global\ndefault_realm=%s\ncontact_expiration_check_interval=10\n", p.Realm)
}

func writeTransports(b *bytes.Buffer, p PBX, expect *Expect) {
	ports := map[Transport]int{UDP: p.UDPPort, TCP: p.TCPPort, WSS: p.WSSPort}
	for _, t := range p.transports() {
		proto := strings.ToLower(string(t))
		bind := net.JoinHostPort(p.bindAddress(), strconv.Itoa(ports[t]))
		fmt.Fprintf(b, "\n[%s]\ntype=transport\nprotocol=%s\nbind=%s\n", transportName(t), proto, bind)
		if p.AdvertisedAddress != "" && p.AdvertisedAddress != p.BindAddress {
			fmt.Fprintf(b, "external_media_address=%s\nexternal_signaling_address=%s\n", p.AdvertisedAddress, p.AdvertisedAddress)
			for _, n := range p.LocalNetworks {
				fmt.Fprintf(b, "local_net=%s\n", n)
			}
		}
		expect.Transports = append(expect.Transports, ExpectTransport{Name: transportName(t), Protocol: proto, Bind: bind})
	}
	slices.SortFunc(expect.Transports, func(x, y ExpectTransport) int { return strings.Compare(x.Name, y.Name) })
}

func transportName(t Transport) string { return "transport-" + strings.ToLower(string(t)) }

func writeEndpoint(b *bytes.Buffer, p PBX, e Endpoint) (ExpectEndpoint, error) {
	callerID, err := e.callerID()
	if err != nil {
		return ExpectEndpoint{}, err
	}
	want := ExpectEndpoint{Name: e.Extension, Auth: AuthRevision("MD5:" + e.HA1)}
	fmt.Fprintf(b, "\n[%s]\ntype=auth\nauth_type=digest\nrealm=%s\nusername=%s\npassword_digest=MD5:%s\n",
		e.Extension, p.Realm, e.Username, e.HA1)
	if e.callable() {
		writeAOR(b, p, e)
	}
	fmt.Fprintf(b, "\n[%s]\n", e.Extension)
	start := b.Len()
	set := func(key, value string) { fmt.Fprintf(b, "%s=%s\n", key, value) }
	set("type", "endpoint")
	set("context", e.context())
	set("auth", e.Extension)
	if e.callable() {
		set("aors", e.Extension)
	}
	// The endpoint is named by the From user alone; the digest user name is
	// checked by the auth and never chooses another endpoint.
	set("identify_by", "username")
	set("callerid", callerID)
	set("allow", "!all,"+strings.Join(e.EffectiveCodecs(), ","))
	set("direct_media", "no")
	writeNAT(set, e)
	if e.transport() == WSS {
		set("webrtc", "yes")
	} else {
		set("transport", transportName(e.transport()))
	}
	if e.Voicemail != nil {
		set("mailboxes", e.Extension+"@"+MailboxContext)
	}
	if len(e.CallGroups) > 0 {
		set("call_group", groups(e.CallGroups))
	}
	if len(e.PickupGroups) > 0 {
		set("pickup_group", groups(e.PickupGroups))
	}
	want.Revision = digest(b.Bytes()[start:])[:16]
	set(RevisionOption, want.Revision)
	return want, nil
}

// writeAOR keeps one contact per phone; a new registration replaces the old.
func writeAOR(b *bytes.Buffer, p PBX, e Endpoint) {
	expires := seconds(e.Expires, time.Hour)
	fmt.Fprintf(b, "\n[%s]\ntype=aor\nmax_contacts=1\nremove_existing=yes\nremove_unavailable=yes\n", e.Extension)
	fmt.Fprintf(b, "default_expiration=%d\nminimum_expiration=60\nmaximum_expiration=%d\n", expires, max(7200, expires))
	if p.QualifyInterval > 0 {
		fmt.Fprintf(b, "qualify_frequency=%d\n", seconds(p.QualifyInterval, 0))
	}
}

func writeNAT(set func(key, value string), e Endpoint) {
	nat := endpointNAT[e.NAT]
	// A browser's Contact is a host name that does not exist, so it is always
	// reached through the connection it opened.
	nat.rewriteContact = nat.rewriteContact || e.transport() == WSS
	set("force_rport", yesNo(nat.forceRport))
	set("rtp_symmetric", yesNo(nat.symmetricRTP))
	set("rewrite_contact", yesNo(nat.rewriteContact))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func groups(numbers []int) string {
	numbers = slices.Clone(numbers)
	slices.Sort(numbers)
	var s []string
	for _, n := range slices.Compact(numbers) {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ",")
}

// seconds rounds up to whole seconds; a zero d becomes byDefault.
func seconds(d, byDefault time.Duration) int {
	if d == 0 {
		d = byDefault
	}
	return int((d + time.Second - 1) / time.Second)
}
