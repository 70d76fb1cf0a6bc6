package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// phone is a telephone of Asterisk that becomes an agent.
type phone struct {
	draft[v1alpha1.Agent]
	source *section
	// peer is its name in Asterisk, as in PJSIP/peer.
	peer string
	// callerName is the name in its caller ID.
	callerName string
	// mailbox is its voicemail box, number@context.
	mailbox string
	// secretFrom and pinFrom are the lines of the SIP password and the PIN.
	secretFrom, pinFrom *asteriskconf.Setting
	// user of digest authentication; empty means peer.
	user string
	// person is the name of the mailbox.
	person string
}

// spec of the agent.
func (p *phone) spec() *v1alpha1.AgentSpec { return &p.object.Spec }

// from remembers which setting a field comes from, so that the setting is named if the field turns out not to be valid.
func (p *phone) from(path string, setting asteriskconf.Setting) { p.fields[path] = setting }

// newPhone starts an agent.
func (im *importer) newPhone(s *section) *phone {
	p := &phone{source: s, peer: s.Name, draft: newDraft[v1alpha1.Agent](s)}
	p.object.Spec.Typology = im.options.Typology
	if isExtension(s.Name) {
		p.object.Spec.Extension = s.Name
	}
	return p
}

// keep adds a phone that is complete.
func (im *importer) keep(p *phone) {
	im.phones = append(im.phones, p)
	im.byPeer[strings.ToLower(p.peer)] = p
}

// callerID takes a setting such as "Alice Rossi" <1001>.
func (p *phone) callerID(setting asteriskconf.Setting) {
	name, number := splitCallerID(setting.Value)
	p.callerName = name
	spec := p.spec()
	switch {
	case number == "" || number == spec.Extension:
	case !isNumber(number):
		p.source.drop(setting, "the number of the caller ID must be digits, *, # and a + in front: the extension is shown instead")
	case spec.Extension == "" && isExtension(number):
		spec.Extension = number
		p.from("spec.extension", setting)
		p.source.change(setting, fmt.Sprintf("the number of the caller ID becomes the extension: the phone's SIP user is %s from now on, its authentication user stays",
			number))
	default:
		spec.SIP.CallerID.Number = number
		p.from("spec.sip.callerID.number", setting)
	}
}

// splitCallerID is Asterisk's ast_callerid_parse: a name, quoted or not, and a number in angle brackets, or only one of them.
func splitCallerID(value string) (name, number string) {
	value = strings.TrimSpace(value)
	open := strings.LastIndexByte(value, '<')
	if open < 0 || !strings.HasSuffix(value, ">") {
		if bare := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(value); isNumber(bare) {
			return "", bare
		}
		return unquote(value), ""
	}
	number = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(value[open+1 : len(value)-1])
	return unquote(strings.TrimSpace(value[:open])), number
}

// unquote removes quotes around a text and the backslashes in it.
func unquote(text string) string {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return text
	}
	var b strings.Builder
	escaped := false
	for _, r := range text[1 : len(text)-1] {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		b.WriteRune(r)
		escaped = false
	}
	return b.String()
}

// codecNames are those that Ringmaster offers.
var codecNames = []string{"ulaw", "alaw", "gsm", "g722", "g729", "opus"}

// codecs carries allow and disallow lines over, in order, as Asterisk reads them: each allow adds, disallow=all begins anew.
func (p *phone) codecs(settings []asteriskconf.Setting) {
	var chosen []v1alpha1.SIPCodec
	for _, setting := range settings {
		allow := strings.EqualFold(setting.Name, "allow")
		for _, word := range words(setting.Value, ",|&") {
			remove := !allow
			if bare, negated := strings.CutPrefix(word, "!"); negated {
				word, remove = bare, allow
			}
			name, framing, framed := strings.Cut(strings.ToLower(word), ":")
			if framed {
				p.source.drop(setting, fmt.Sprintf("the packet length %s of %s: phones and Asterisk agree on it themselves", framing, name))
			}
			switch {
			case name == "all" && remove:
				chosen = nil
			case name == "all":
				chosen = nil
				for _, c := range codecNames {
					chosen = append(chosen, v1alpha1.SIPCodec(c))
				}
				p.source.change(setting, "all are the six codecs that Ringmaster offers: "+strings.Join(codecNames, ", "))
			case remove:
				chosen = slices.DeleteFunc(chosen, func(c v1alpha1.SIPCodec) bool { return string(c) == name })
			case !slices.Contains(codecNames, name):
				p.source.drop(setting, fmt.Sprintf("codec %s is not offered; those are %s", name, strings.Join(codecNames, ", ")))
			case name == "g729" && (p.spec().Typology == v1alpha1.TypologyPhonebar || p.spec().Typology == v1alpha1.TypologyWebRTC):
				p.source.drop(setting, "g729 does not work with typology "+string(p.spec().Typology))
			case !slices.Contains(chosen, v1alpha1.SIPCodec(name)):
				chosen = append(chosen, v1alpha1.SIPCodec(name))
			}
		}
		p.from("spec.sip.codecs", setting)
	}
	p.spec().SIP.Codecs = chosen
}

// groups carries call or pickup groups over: numbers from 0 to 63 and ranges of them.
func (p *phone) groups(into *[]int32, setting asteriskconf.Setting) {
	for _, word := range words(setting.Value, ",") {
		from, to, isRange := strings.Cut(word, "-")
		first, err := strconv.Atoi(strings.TrimSpace(from))
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(strings.TrimSpace(to))
		}
		if err != nil || first < 0 || last > 63 || first > last {
			p.source.drop(setting, "groups are numbers from 0 to 63, and this is not: "+shown("", word))
			continue
		}
		for n := first; n <= last; n++ {
			if !slices.Contains(*into, int32(n)) {
				*into = append(*into, int32(n))
			}
		}
	}
	slices.Sort(*into)
}

// named carries named groups over.
func (p *phone) named(into *[]string, setting asteriskconf.Setting) {
	for _, word := range words(setting.Value, ",") {
		if !slices.Contains(*into, word) {
			*into = append(*into, word)
		}
	}
}

// groupOptions are the names of the four group options, which chan_sip and PJSIP spell differently.
type groupOptions struct{ call, pickup, namedCall, namedPickup string }

func (p *phone) allGroups(names groupOptions) {
	sip := &p.spec().SIP
	for _, numbers := range []struct {
		option, path string
		into         *[]int32
	}{{names.call, "spec.sip.callGroups", &sip.CallGroups}, {names.pickup, "spec.sip.pickupGroups", &sip.PickupGroups}} {
		if setting, ok := p.source.get(numbers.option); ok {
			p.from(numbers.path, setting)
			p.groups(numbers.into, setting)
		}
	}
	for _, texts := range []struct {
		option, path string
		into         *[]string
	}{{names.namedCall, "spec.sip.namedCallGroups", &sip.NamedCallGroups}, {names.namedPickup, "spec.sip.namedPickupGroups", &sip.NamedPickupGroups}} {
		if setting, ok := p.source.get(texts.option); ok {
			p.from(texts.path, setting)
			p.named(texts.into, setting)
		}
	}
}

// context carries the dialplan context over. The names that Asterisk's samples use for the context of every phone are what
// from-sip is here.
func (p *phone) context(setting asteriskconf.Setting) {
	if !isContext(setting.Value) {
		p.source.drop(setting, "not a legal name of a context: the agent is in from-sip")
		return
	}
	if setting.Value == "from-sip" {
		return
	}
	p.spec().SIP.Context = setting.Value
	p.from("spec.sip.context", setting)
	p.source.change(setting, fmt.Sprintf("every PBX must allow the context: add %q to PBX.spec.contexts, and its own extensions to Asterisk's files", setting.Value))
}

// locale carries a language such as it or en_GB over.
func (p *phone) locale(setting asteriskconf.Setting) {
	language, country, _ := strings.Cut(strings.ReplaceAll(setting.Value, "-", "_"), "_")
	tag := strings.ToLower(language)
	if country != "" {
		tag += "-" + strings.ToUpper(country)
	}
	p.spec().Locale = tag
	p.from("spec.locale", setting)
}

// expires carries the lifetime of a registration over, in seconds.
func (p *phone) expires(setting asteriskconf.Setting) {
	if d, ok := seconds(setting.Value); ok {
		p.spec().SIP.Expires = &metav1.Duration{Duration: d}
		p.from("spec.sip.expires", setting)
		return
	}
	p.source.drop(setting, "not a number of seconds")
}

// seconds is a number of seconds, as Asterisk writes durations.
func seconds(value string) (time.Duration, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < 0 || n > 1e9 {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// static makes the phone one that is found at a fixed address, host or host:port.
func (p *phone) static(setting asteriskconf.Setting, host, port string) {
	if h, found, ok := strings.Cut(host, ":"); ok && !strings.Contains(found, ":") {
		host, port = h, found
	}
	host = strings.Trim(host, "[]")
	if !isHost(host) {
		p.source.drop(setting, "not a host: the phone registers instead")
		return
	}
	registration := &p.spec().SIP.Registration
	registration.Mode = v1alpha1.RegistrationStatic
	registration.Host = host
	p.from("spec.sip.registration", setting)
	if n, err := strconv.Atoi(port); err == nil {
		registration.Port = int32(n)
	}
}
