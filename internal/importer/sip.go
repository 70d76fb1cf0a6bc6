package importer

import (
	"strings"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// Why settings of sip.conf are left out, by their names.
var sipReasons = map[string]string{
	"accountcode":               "Ringmaster writes no account code into call records",
	"allowsubscribe":            "subscriptions are not offered",
	"allowtransfer":             "transfers are always allowed",
	"amaflags":                  "Ringmaster writes no AMA flags into call records",
	"bindaddr":                  "a setting of the PBX: PBX.spec.bindAddress",
	"bindport":                  "a setting of the PBX: PBX.spec.transports",
	"busylevel":                 "an agent in a call is offered no call of a queue, and ringInUse of the client settings decides about direct calls",
	"call-limit":                "an agent in a call is offered no call of a queue, and ringInUse of the client settings decides about direct calls",
	"cc_agent_policy":           "call completion is not offered",
	"cc_monitor_policy":         "call completion is not offered",
	"cid_number":                "give the number in callerid",
	"defaultip":                 "an address that is used until the phone registers is not offered: it registers first",
	"defaultuser":               "phones are dialled by their extension",
	"deny":                      "restrict by address in the firewall or in Asterisk's acl.conf",
	"description":               "it has no effect in Asterisk either",
	"disallowed_methods":        "methods are not restricted",
	"encryption":                "media encryption comes with typology WebRTC",
	"externaddr":                "a setting of the PBX: PBX.spec.advertisedAddress",
	"externhost":                "a setting of the PBX: PBX.spec.advertisedAddress",
	"externip":                  "a setting of the PBX: PBX.spec.advertisedAddress",
	"fromdomain":                "belongs to a trunk, which stays in Asterisk's own files",
	"fromuser":                  "calls are sent with the caller's number",
	"insecure":                  "authentication is never waived for a phone that signs in; one that is known by its address is sip.role Peer",
	"localnet":                  "a setting of the PBX: PBX.spec.localNetworks",
	"maxcallbitrate":            "video is not offered",
	"maxexpiry":                 "the phone may ask for up to two hours, or for sip.expires if that is longer",
	"md5secret":                 "the password itself is needed, because the digest depends on the realm: Ringmaster makes a new one, which the phone needs",
	"minexpiry":                 "60 seconds are the least",
	"outboundproxy":             "belongs to a trunk, which stays in Asterisk's own files",
	"parkinglot":                "parking is not offered",
	"permit":                    "restrict by address in the firewall or in Asterisk's acl.conf",
	"qualify":                   "a setting of the PBX: PBX.spec.qualifyInterval",
	"qualifyfreq":               "a setting of the PBX: PBX.spec.qualifyInterval",
	"realm":                     "a setting of the PBX: PBX.spec.realm",
	"register":                  "an outgoing registration at a provider stays in Asterisk's own files: a section of type=registration in pjsip.conf",
	"remotesecret":              "belongs to a trunk, which stays in Asterisk's own files",
	"rtptimeout":                "media timeouts are Asterisk's own",
	"rtpholdtimeout":            "media timeouts are Asterisk's own",
	"sendrpid":                  "caller ID headers for trunks stay in Asterisk's own files",
	"setvar":                    "channel variables are Ringmaster's: set them in the dialplan of the agent's context",
	"subscribecontext":          "subscriptions are not offered",
	"subscribemwi":              "message waiting is told without subscription",
	"t38pt_udptl":               "fax is not offered",
	"tcpbindaddr":               "a setting of the PBX: PBX.spec.transports",
	"tcpenable":                 "a setting of the PBX: PBX.spec.transports",
	"tlsbindaddr":               "a setting of the PBX: PBX.spec.transports.tls",
	"tlscertfile":               "a setting of the PBX: PBX.spec.tls.secretRef",
	"tlsenable":                 "a setting of the PBX: PBX.spec.transports.tls",
	"tlsprivatekey":             "a setting of the PBX: PBX.spec.tls.secretRef",
	"trustrpid":                 "caller ID headers of phones are not trusted",
	"udpbindaddr":               "a setting of the PBX: PBX.spec.transports",
	"useragent":                 "Asterisk's own is used",
	"videosupport":              "video is not offered",
	"vmexten":                   "*97 is the mailbox",
	"defaultexpiry":             "phones that say how long they register are not affected by it",
	"progressinband":            "Asterisk's default is used",
	"directmediapermit":         "media always flows through Asterisk",
	"directmediadeny":           "media always flows through Asterisk",
	"allowguest":                "guests are never allowed",
	"alwaysauthreject":          "this is always so",
	"mohinterpret":              "music for agents on hold is Asterisk's default class",
	"mohsuggest":                "music for agents on hold is Asterisk's default class",
	"callcounter":               "device states are always kept",
	"dtlsenable":                "media encryption comes with typology WebRTC",
	"avpf":                      "comes with typology WebRTC",
	"icesupport":                "comes with typology WebRTC",
	"force_avp":                 "comes with typology WebRTC",
	"recordonfeature":           "recording is started at the desk: manualRecording of the client settings, or always with sip.recording",
	"recordofffeature":          "recording is stopped at the desk",
	"acl":                       "restrict by address in the firewall or in Asterisk's acl.conf",
	"contactpermit":             "restrict by address in the firewall or in Asterisk's acl.conf",
	"contactdeny":               "restrict by address in the firewall or in Asterisk's acl.conf",
	"autoframing":               "phones and Asterisk agree on the packet length themselves",
	"session-timers":            "Asterisk's default is used",
	"srvlookup":                 "Asterisk's default is used",
	"callingpres":               "the caller ID is always shown",
	"usereqphone":               "belongs to a trunk, which stays in Asterisk's own files",
	"match_auth_username":       "the authentication user is always told apart from the SIP user",
	"canreinvite":               "media always flows through Asterisk",
	"limitonpeers":              "device states are always kept",
	"notifyringing":             "subscriptions are not offered",
	"notifyhold":                "subscriptions are not offered",
	"tos_sip":                   "set it in Asterisk's own files",
	"tos_audio":                 "set it in Asterisk's own files",
	"port":                      "a port without a fixed host has no meaning",
	"unsolicited_mailbox":       "mailboxes of other systems are not offered",
	"outofcall_message_context": "messages are not offered",
}

const noField = "there is no field for it"

// sip takes the phones of chan_sip's configuration.
func (im *importer) sip() {
	sections := im.read("sip.conf", func(s *section) string { return strings.ToLower(s.Name) })
	var general *section
	registered := map[string]bool{}
	for _, s := range sections {
		if strings.EqualFold(s.Name, "general") {
			general = s
			for _, setting := range s.Settings {
				if strings.EqualFold(setting.Name, "register") {
					registered[registrar(setting.Value)] = true
				}
			}
		}
	}
	for _, s := range sections {
		kind := strings.ToLower(s.text("type"))
		switch {
		case s == general:
		case kind != "friend" && kind != "user" && kind != "peer":
			s.abandon("the section is no phone: its type is not friend, user or peer")
		case im.byPeer[strings.ToLower(s.Name)] != nil:
			s.abandon("pjsip.conf has a phone of the same name, and that one counts")
		case trunk(s, registered):
			s.abandon("a trunk, not the phone of a person: it stays in Asterisk's own pjsip.conf, and PBX.spec.outbound leads calls to it")
		default:
			im.sipPhone(s, general, kind)
		}
	}
	if general != nil {
		general.rest(sipReasons, noField)
	}
}

// registrar is the host that a register line registers at.
func registrar(line string) string {
	line = line[strings.LastIndexByte(line, '@')+1:]
	if end := strings.IndexAny(line, "/:~?"); end >= 0 {
		line = line[:end]
	}
	return strings.ToLower(line)
}

// trunk tells providers from persons: they have registrations, credentials for the other side, or a name and an address.
func trunk(s *section, registered map[string]bool) bool {
	host, _ := s.Get("host")
	for _, option := range []string{"remotesecret", "fromdomain", "outboundproxy"} {
		if value, _ := s.Get(option); value != "" {
			return true
		}
	}
	fixed := host != "" && !strings.EqualFold(host, "dynamic")
	return registered[strings.ToLower(s.Name)] || fixed && registered[strings.ToLower(host)] || fixed && !isExtension(s.Name)
}

// sipPhone makes an agent of a section of sip.conf; what it does not say is taken from [general].
func (im *importer) sipPhone(s, general *section, kind string) {
	p := im.newPhone(s)
	spec := p.spec()
	either := func(names ...string) (asteriskconf.Setting, bool) {
		setting, ok := s.get(names...)
		inherited, general := general.get(names...)
		if !ok {
			return inherited, general
		}
		return setting, true
	}
	if setting, ok := s.get("regexten"); ok && spec.Extension == "" && isExtension(setting.Value) {
		spec.Extension = setting.Value
		p.from("spec.extension", setting)
	}
	p.sipRole(kind)
	if setting, ok := either("callerid", "fullname"); ok {
		p.callerID(setting)
	}
	if setting, ok := either("transport"); ok {
		p.sipTransports(setting)
	}
	if setting, ok := either("nat"); ok {
		p.nat(setting)
	}
	if lines := append(general.all("allow", "disallow"), s.all("allow", "disallow")...); len(lines) > 0 {
		p.codecs(lines)
	}
	if setting, ok := either("context"); ok {
		p.context(setting)
	}
	if setting, ok := either("language"); ok {
		p.locale(setting)
	}
	if setting, ok := general.get("defaultexpiry"); ok {
		p.expires(setting)
	}
	p.allGroups(groupOptions{"callgroup", "pickupgroup", "namedcallgroup", "namedpickupgroup"})
	if setting, ok := s.get("secret"); ok && setting.Value != "" {
		// chan_sip takes md5secret where both are given.
		if md5, _ := s.Get("md5secret"); md5 != "" {
			s.drop(setting, "md5secret counts instead")
		} else {
			p.secrets[keySIPPassword] = setting.Value
			p.secretFrom = &setting
		}
	}
	p.mailbox = s.text("mailbox")
	for _, from := range []*section{s, general} {
		if from != nil {
			from.is("telephone keys are always sent as RFC 4733 events", []string{"rfc2833", "auto"}, "dtmfmode")
			from.is("media always flows through Asterisk", []string{"no"}, "directmedia", "canreinvite")
		}
	}
	s.rest(sipReasons, noField)
	im.keep(p)
}

// sipRole maps type and host.
func (p *phone) sipRole(kind string) {
	s, sip := p.source, &p.spec().SIP
	host, hasHost := s.get("host")
	fixed := hasHost && host.Value != "" && !strings.EqualFold(host.Value, "dynamic")
	if fixed && kind != "user" {
		p.static(host, host.Value, s.text("port"))
	}
	setting, _ := s.get("type")
	switch kind {
	case "user":
		sip.Role = v1alpha1.RoleUser
		if fixed {
			s.drop(host, "a phone of type user cannot be called, so its address is not needed")
		}
	case "peer":
		if sip.Registration.Mode == v1alpha1.RegistrationStatic {
			sip.Role = v1alpha1.RolePeer
		} else {
			s.change(setting, "a peer that registers is known by its credentials: sip.role Friend")
		}
	}
	p.from("spec.sip.role", setting)
}

var sipTransportWords = map[string]v1alpha1.SIPTransport{
	"udp": v1alpha1.TransportUDP, "tcp": v1alpha1.TransportTCP, "tls": v1alpha1.TransportTLS, "ws": v1alpha1.TransportWS, "wss": v1alpha1.TransportWSS,
}

// sipTransports takes the first of a list: a phone has one transport.
func (p *phone) sipTransports(setting asteriskconf.Setting) {
	sip := &p.spec().SIP
	list := words(strings.ToLower(setting.Value), ",")
	for i, word := range list {
		transport, known := sipTransportWords[word]
		switch {
		case !known:
			p.source.drop(setting, "not a transport: "+shown("", word))
		case sip.Transport == "":
			p.transport(transport, setting)
		case i > 0:
			p.source.change(setting, "a phone has one transport, and the first one counts: "+string(sip.Transport))
		}
	}
}

// transport is set unless the typology forbids it; the default is left out.
func (p *phone) transport(transport v1alpha1.SIPTransport, setting asteriskconf.Setting) {
	spec := p.spec()
	web := transport == v1alpha1.TransportWSS || transport == v1alpha1.TransportWS
	switch {
	case spec.Typology == v1alpha1.TypologyPhonebar && web:
		p.source.drop(setting, "typology Phonebar registers over UDP, TCP or TLS: UDP it is")
		return
	case spec.Typology == v1alpha1.TypologyWebRTC && !web:
		p.source.change(setting, "typology WebRTC registers over WSS")
		transport = v1alpha1.TransportWSS
	case spec.Typology == v1alpha1.TypologyWebRTC && transport == v1alpha1.TransportWS:
		p.source.change(setting, "typology WebRTC registers over WSS, which encrypts")
		transport = v1alpha1.TransportWSS
	}
	spec.SIP.Transport = transport
	p.from("spec.sip.transport", setting)
}

// nat maps the words of chan_sip's nat, which may be a list.
func (p *phone) nat(setting asteriskconf.Setting) {
	rport, comedia := false, false
	sip := &p.spec().SIP
	p.from("spec.sip.nat", setting)
	for _, word := range words(strings.ToLower(setting.Value), ",") {
		switch {
		case truth(word):
			rport, comedia = true, true
		case falsehood(word):
			sip.NAT = "None"
			return
		case word == "never":
			sip.NAT = "Never"
			p.source.change(setting, "never is as None: that Ringmaster's own requests ask for no rport is not offered")
			return
		case word == "route":
			sip.NAT = "Route"
			p.source.change(setting, "route is as None, which is what Asterisk made of it since 1.8; sip.natCompatibility Asterisk14 gives it the older meaning")
			return
		case word == "force_rport":
			rport = true
		case word == "comedia":
			comedia = true
		case word == "auto_force_rport":
			rport = true
			p.source.change(setting, "NAT is not detected: it is always assumed for signalling")
		case word == "auto_comedia":
			comedia = true
			p.source.change(setting, "NAT is not detected: it is always assumed for media")
		default:
			p.source.drop(setting, "not a word that nat knows: "+shown("", word))
		}
	}
	switch {
	case rport && comedia:
		sip.NAT = "ForceRportComedia"
	case rport:
		sip.NAT = "ForceRport"
	case comedia:
		sip.NAT = "Comedia"
	}
}
