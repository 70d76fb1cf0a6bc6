package importer

import (
	"fmt"
	"strings"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// Why settings of pjsip.conf are left out, by their names.
var pjsipReasons = map[string]string{
	"100rel":                            "Asterisk's default is used",
	"accountcode":                       "Ringmaster writes no account code into call records",
	"acl":                               "restrict by address in the firewall or in Asterisk's acl.conf",
	"aggregate_mwi":                     "an agent has one mailbox",
	"allow_subscribe":                   "subscriptions are not offered",
	"allow_transfer":                    "transfers are always allowed",
	"authenticate_qualify":              "Asterisk's default is used",
	"bind":                              "a setting of the PBX: PBX.spec.bindAddress and PBX.spec.transports",
	"cert_file":                         "a setting of the PBX: PBX.spec.tls.secretRef",
	"contact_acl":                       "restrict by address in the firewall or in Asterisk's acl.conf",
	"contact_expiration_check_interval": "Ringmaster sets it",
	"default_realm":                     "a setting of the PBX: PBX.spec.realm",
	"deny":                              "restrict by address in the firewall or in Asterisk's acl.conf",
	"device_state_busy_at":              "an agent in a call is offered no call of a queue, and ringInUse of the client settings decides about direct calls",
	"dtls_auto_generate_cert":           "comes with typology WebRTC",
	"dtls_ca_file":                      "comes with typology WebRTC",
	"dtls_cert_file":                    "comes with typology WebRTC",
	"dtls_private_key":                  "comes with typology WebRTC",
	"dtls_setup":                        "comes with typology WebRTC",
	"dtls_verify":                       "comes with typology WebRTC",
	"external_media_address":            "a setting of the PBX: PBX.spec.advertisedAddress",
	"external_signaling_address":        "a setting of the PBX: PBX.spec.advertisedAddress",
	"external_signaling_port":           "a setting of the PBX: PBX.spec.advertisedAddress",
	"from_domain":                       "belongs to a trunk, which stays in Asterisk's own files",
	"from_user":                         "calls are sent with the caller's number",
	"ice_support":                       "comes with typology WebRTC",
	"local_net":                         "a setting of the PBX: PBX.spec.localNetworks",
	"max_video_streams":                 "video is not offered",
	"md5_cred":                          "the password itself is needed, because the digest depends on the realm: Ringmaster makes a new one, which the phone needs",
	"media_encryption":                  "media encryption comes with typology WebRTC",
	"media_use_received_transport":      "comes with typology WebRTC",
	"moh_suggest":                       "music for agents on hold is Asterisk's default class",
	"one_touch_recording":               "recording is started at the desk: manualRecording of the client settings, or always with sip.recording",
	"outbound_auth":                     "belongs to a trunk, which stays in Asterisk's own files",
	"outbound_proxy":                    "belongs to a trunk, which stays in Asterisk's own files",
	"parkinglot":                        "parking is not offered",
	"password_digest":                   "the password itself is needed, because the digest depends on the realm: Ringmaster makes a new one, which the phone needs",
	"permit":                            "restrict by address in the firewall or in Asterisk's acl.conf",
	"priv_key_file":                     "a setting of the PBX: PBX.spec.tls.secretRef",
	"qualify_frequency":                 "a setting of the PBX: PBX.spec.qualifyInterval",
	"qualify_timeout":                   "a setting of the PBX: PBX.spec.qualifyInterval",
	"realm":                             "a setting of the PBX: PBX.spec.realm, which phones learn from the challenge",
	"rtp_timeout":                       "media timeouts are Asterisk's own",
	"rtp_timeout_hold":                  "media timeouts are Asterisk's own",
	"rtcp_mux":                          "comes with typology WebRTC",
	"send_pai":                          "caller ID headers for trunks stay in Asterisk's own files",
	"send_rpid":                         "caller ID headers for trunks stay in Asterisk's own files",
	"set_var":                           "channel variables are Ringmaster's: set them in the dialplan of the agent's context",
	"support_path":                      "SIP proxies between phone and PBX are not offered",
	"tenantid":                          "Ringmaster uses it for itself",
	"timers":                            "Asterisk's default is used",
	"trust_id_inbound":                  "caller ID headers of phones are not trusted",
	"trust_id_outbound":                 "the caller ID is always shown",
	"use_avpf":                          "comes with typology WebRTC",
	"user_agent":                        "Asterisk's own is used",
	"minimum_expiration":                "60 seconds are the least",
	"maximum_expiration":                "the phone may ask for up to two hours, or for sip.expires if that is longer",
	"auth_type":                         "Ringmaster always stores a digest",
	"max_contacts":                      "a phone at a time is registered: a new registration replaces the one before",
	"identify_by":                       "phones that sign in are known by their SIP user, those with a fixed address by that",
	"supported_algorithms_uas":          "MD5 digests are used",
}

// pjsipSections are the sections of pjsip.conf by type and name.
type pjsipSections map[string]map[string]*section

// find is a section of a type, whatever its letter case: sorcery compares as it is written, and so do people not.
func (p pjsipSections) find(kind, name string) *section { return p[kind][strings.ToLower(name)] }

// pjsip takes the phones of PJSIP's configuration.
func (im *importer) pjsip() {
	kindOf := func(s *section) string {
		kind, _ := s.Get("type")
		return strings.ToLower(kind)
	}
	sections := im.read("pjsip.conf", func(s *section) string { return kindOf(s) + "/" + strings.ToLower(s.Name) })
	index := pjsipSections{}
	for _, s := range sections {
		s.all("type")
		kind := kindOf(s)
		if index[kind] == nil {
			index[kind] = map[string]*section{}
		}
		index[kind][strings.ToLower(s.Name)] = s
	}
	trunks := map[string]bool{}
	for _, s := range index["registration"] {
		endpoint, _ := s.Get("endpoint")
		trunks[strings.ToLower(endpoint)] = true
		trunks[strings.ToLower(s.Name)] = true
	}
	for _, s := range sections {
		if kindOf(s) == "endpoint" {
			im.pjsipEndpoint(s, index, trunks[strings.ToLower(s.Name)])
		}
	}
	for _, s := range sections {
		switch kind := kindOf(s); kind {
		case "endpoint":
		case "auth", "aor", "identify":
			s.abandon("no phone that was imported uses this section")
		case "transport", "global", "system":
			s.rest(pjsipReasons, "a setting of the whole PBX: see PBX.spec, or keep it in Asterisk's own files")
		case "registration":
			s.abandon("an outgoing registration at a provider stays in Asterisk's own pjsip.conf")
		case "":
			s.abandon("the section has no type")
		default:
			s.abandon("sections of type " + shown("", kind) + " are not imported")
		}
	}
}

// pjsipEndpoint makes an agent of an endpoint with its auth, AOR and identify sections.
func (im *importer) pjsipEndpoint(s *section, index pjsipSections, registered bool) {
	get := func(option string) string { value, _ := s.Get(option); return value }
	identify := identified(index, s.Name)
	switch {
	case registered || get("outbound_auth") != "" && get("auth") == "" || get("auth") == "" && !isExtension(s.Name):
		const why = "a trunk, not the phone of a person: it stays in Asterisk's own pjsip.conf, and PBX.spec.outbound leads calls to it"
		s.abandon(why)
		for _, part := range []*section{index.find("auth", get("outbound_auth")), index.find("auth", get("auth")), index.find("aor", get("aors")), identify} {
			if part != nil {
				part.abandon(why)
			}
		}
		return
	}
	p := im.newPhone(s)
	if truth(s.text("webrtc")) {
		p.spec().Typology = v1alpha1.TypologyWebRTC
		p.spec().SIP.Transport = v1alpha1.TransportWSS
	}
	p.pjsipAuth(index)
	p.pjsipAOR(index, identify)
	if setting, ok := s.get("transport"); ok {
		p.pjsipTransport(setting, index)
	}
	if setting, ok := s.get("callerid"); ok {
		p.callerID(setting)
	}
	p.pjsipNAT()
	if lines := s.all("allow", "disallow"); len(lines) > 0 {
		p.codecs(lines)
	}
	if setting, ok := s.get("context"); ok {
		p.context(setting)
	}
	if setting, ok := s.get("language"); ok {
		p.locale(setting)
	}
	p.allGroups(groupOptions{"call_group", "pickup_group", "named_call_group", "named_pickup_group"})
	if p.mailbox == "" {
		p.mailbox = s.text("mailboxes")
	}
	s.is("telephone keys are always sent as RFC 4733 events", []string{"rfc4733", "auto"}, "dtmf_mode")
	s.is("media always flows through Asterisk", []string{"no"}, "direct_media")
	s.is(pjsipReasons["identify_by"], []string{"username", "username,ip", "ip", "auth_username", "username,auth_username"}, "identify_by")
	if p.spec().Typology == v1alpha1.TypologyWebRTC {
		s.all("ice_support", "use_avpf", "media_encryption", "media_use_received_transport", "rtcp_mux", "dtls_auto_generate_cert", "dtls_setup", "dtls_verify")
	}
	s.rest(pjsipReasons, noField)
	im.keep(p)
}

// identified is the identify section of an endpoint.
func identified(index pjsipSections, endpoint string) *section {
	for _, s := range index["identify"] {
		if value, _ := s.Get("endpoint"); strings.EqualFold(value, endpoint) {
			return s
		}
	}
	return nil
}

// firstOf takes the first word of a list of sections and complains of the others.
func (p *phone) firstOf(option string) string {
	setting, ok := p.source.get(option)
	if !ok {
		return ""
	}
	list := words(setting.Value, ",")
	if len(list) > 1 {
		p.source.change(setting, "only the first one is used")
	}
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func (p *phone) pjsipAuth(index pjsipSections) {
	name := p.firstOf("auth")
	auth := index.find("auth", name)
	if auth == nil {
		if name != "" {
			p.source.note(Dropped, fmt.Sprintf("there is no section [%s] of type auth: Ringmaster makes a new password, which the phone needs", shown("", name)))
		}
		return
	}
	p.user = auth.text("username")
	if setting, ok := auth.get("password"); ok && setting.Value != "" {
		p.secrets[keySIPPassword] = setting.Value
		p.secretFrom = &setting
	}
	auth.is(pjsipReasons["auth_type"], []string{"userpass", "digest", "md5"}, "auth_type")
	auth.rest(pjsipReasons, noField)
}

// pjsipAOR maps contacts: a fixed one is a phone that does not register, none at all one that cannot be called.
func (p *phone) pjsipAOR(index pjsipSections, identify *section) {
	sip := &p.spec().SIP
	aor := index.find("aor", p.firstOf("aors"))
	if aor == nil {
		sip.Role = v1alpha1.RoleUser
		p.source.note(Changed, "no AOR, so it cannot be called: sip.role User")
		return
	}
	if setting, ok := aor.get("contact"); ok {
		host, port := contactHost(setting.Value)
		p.static(setting, host, port)
		_, auth := p.source.Get("auth")
		if by, _ := p.source.Get("identify_by"); sip.Registration.Host != "" && (strings.EqualFold(by, "ip") || !auth) {
			sip.Role = v1alpha1.RolePeer
		}
	}
	if identify != nil {
		identify.all("endpoint")
		for _, match := range identify.all("match") {
			if match.Value != sip.Registration.Host {
				identify.drop(match, "a phone is known by one address, that of its contact")
			}
		}
		identify.rest(pjsipReasons, noField)
	}
	if setting, ok := aor.get("default_expiration"); ok {
		p.expires(setting)
	}
	if setting, ok := aor.get("mailboxes"); ok {
		p.mailbox = setting.Value
		p.source.change(setting, "message waiting is told without subscription")
	}
	aor.is(pjsipReasons["max_contacts"], []string{"1"}, "max_contacts")
	aor.is(pjsipReasons["max_contacts"], []string{"yes", "true", "1"}, "remove_existing", "remove_unavailable")
	aor.rest(pjsipReasons, noField)
}

// contactHost is host and port of a SIP URI such as sip:1001@192.0.2.7:5062;transport=tcp.
func contactHost(uri string) (host, port string) {
	uri = uri[strings.IndexByte(uri, ':')+1:]
	uri = uri[strings.LastIndexByte(uri, '@')+1:]
	if end := strings.IndexAny(uri, ";?>"); end >= 0 {
		uri = uri[:end]
	}
	if rest, ok := strings.CutPrefix(uri, "["); ok {
		host, rest, _ = strings.Cut(rest, "]")
		return host, strings.TrimPrefix(rest, ":")
	}
	host, port, _ = strings.Cut(uri, ":")
	return host, port
}

// pjsipTransport maps the name of a transport section by its protocol.
func (p *phone) pjsipTransport(setting asteriskconf.Setting, index pjsipSections) {
	section := index.find("transport", setting.Value)
	protocol := ""
	if section != nil {
		protocol, _ = section.Get("protocol")
	}
	transport, known := sipTransportWords[strings.ToLower(protocol)]
	if !known {
		p.source.drop(setting, "there is no transport of this name with a protocol that is known")
		return
	}
	p.transport(transport, setting)
}

// pjsipNAT maps PJSIP's three options, whose defaults are yes, no and no, to one word.
func (p *phone) pjsipNAT() {
	rport, symmetric, rewrite := true, false, false
	var last asteriskconf.Setting
	for _, option := range []struct {
		name string
		into *bool
	}{{"force_rport", &rport}, {"rtp_symmetric", &symmetric}, {"rewrite_contact", &rewrite}} {
		if setting, ok := p.source.get(option.name); ok {
			*option.into = truth(setting.Value)
			last = setting
		}
	}
	if last.Name == "" {
		return
	}
	p.from("spec.sip.nat", last)
	sip := &p.spec().SIP
	exact := rport == rewrite
	switch {
	case (rport || rewrite) && symmetric:
		sip.NAT = "ForceRportComedia"
	case rport || rewrite:
		sip.NAT = "ForceRport"
	case symmetric:
		sip.NAT = "Comedia"
	default:
		sip.NAT = "None"
	}
	if !exact {
		p.source.change(last, fmt.Sprintf("force_rport and rewrite_contact go together: sip.nat %s turns both on", sip.NAT))
	}
}
