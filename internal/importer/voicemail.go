package importer

import (
	"fmt"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// boxOption is how a mailbox line is called in a report: the PIN in it is not repeated.
const boxOption = "mailbox line"

// maxMessages in a mailbox, app_voicemail's own limit.
const maxMessages = 9999

// Why settings of voicemail.conf are left out, by their names.
var voicemailReasons = map[string]string{
	"attach":           "messages stay on the PBX: the mail about one says who called",
	"attachfmt":        "messages stay on the PBX: the mail about one says who called",
	"callback":         "calling back out of the mailbox is not offered",
	"delete":           "messages stay on the PBX until they are heard and deleted",
	"dialout":          "dialling out of the mailbox is not offered",
	"emailbody":        "the mail is written by Ringmaster",
	"emailsubject":     "the mail is written by Ringmaster",
	"emaildateformat":  "the mail is written by Ringmaster",
	"format":           "messages are kept as wav",
	"fromstring":       "mail is sent by the system mailer of the ContactCenter",
	"mailcmd":          "mail is sent by the system mailer of the ContactCenter",
	"serveremail":      "mail is sent by the system mailer of the ContactCenter",
	"operator":         "leaving the mailbox for an operator is not offered",
	"passwordlocation": "a PIN that is changed by phone is always kept in the spool",
	"pollmailboxes":    "changes from outside of Asterisk are not watched",
	"tz":               "times are said in the PBX's own time zone",
	"externnotify":     "programs are not run",
	"externpass":       "programs are not run",
	"externpassnotify": "programs are not run",
	"forcename":        "Asterisk's default is used",
	"forcegreetings":   "Asterisk's default is used",
	"hidefromdir":      "there is no directory of names",
	"review":           "Asterisk's default is used",
}

// voicemail gives mailboxes to the phones that have them.
func (im *importer) voicemail() {
	sections := im.read("voicemail.conf", func(s *section) string { return strings.ToLower(s.Name) })
	var general *section
	owners := map[string]*phone{}
	for _, p := range im.phones {
		for i, box := range words(p.mailbox, ",&") {
			if i > 0 {
				p.source.note(Dropped, "an agent has one mailbox, so "+shown("", box)+" is left out")
				break
			}
			owners[boxKey(box, "default")] = p
		}
	}
	for _, s := range sections {
		if strings.EqualFold(s.Name, "general") {
			general = s
		}
	}
	for _, s := range sections {
		switch {
		case s == general:
		case strings.EqualFold(s.Name, "zonemessages"):
			s.rest(nil, voicemailReasons["tz"])
		default:
			im.boxes(s, general, owners)
		}
	}
	for _, p := range im.phones {
		if p.mailbox != "" && p.pinFrom == nil && len(im.files) > 0 && im.files["voicemail.conf"] != nil {
			p.source.note(Dropped, "its mailbox "+shown("", p.mailbox)+" is not in voicemail.conf: the agent has no voicemail")
		}
	}
	if general != nil {
		general.all("maxmsg", "maxmessage", "maxsecs")
		general.rest(voicemailReasons, noField)
	}
}

func boxKey(box, context string) string {
	number, in, ok := strings.Cut(box, "@")
	if !ok {
		in = context
	}
	return strings.ToLower(number + "@" + in)
}

// boxes takes the mailboxes of a context.
func (im *importer) boxes(s, general *section, owners map[string]*phone) {
	for i, setting := range s.Settings {
		s.used[i] = true
		line := setting
		line.Name = boxOption
		p := owners[boxKey(setting.Name, s.Name)]
		if p == nil && strings.EqualFold(s.Name, "default") {
			p = im.byExtension(setting.Name)
		}
		switch {
		case p == nil:
			s.drop(line, "no phone that was imported has mailbox "+shown("", setting.Name)+"@"+s.Name)
		case p.pinFrom != nil:
			s.drop(line, "an agent has one mailbox, and "+shown("", setting.Name)+"@"+s.Name+" is a second one")
		default:
			im.box(p, s, general, line, setting.Name)
		}
	}
}

func (im *importer) byExtension(number string) *phone {
	for _, p := range im.phones {
		if p.spec().Extension == number {
			return p
		}
	}
	return nil
}

// box takes one line: number => PIN,name,email,pager,options.
func (im *importer) box(p *phone, s, general *section, line asteriskconf.Setting, number string) {
	parts := append(strings.SplitN(line.Value, ",", 5), "", "", "", "")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	spec := p.spec()
	pin, fixed := strings.CutPrefix(parts[0], "-")
	if fixed {
		s.change(line, "the minus in front of the PIN: the owner may change it by phone")
	}
	spec.Voicemail.State = v1alpha1.Enabled
	p.secrets[keyPIN] = pin
	p.pinFrom = &line
	p.person = parts[1]
	if spec.Extension != "" && spec.Extension != number || !strings.EqualFold(s.Name, "default") {
		s.change(line, "the mailbox has the agent's extension as its number and is in the context default: move the messages in the spool")
	}
	if mails := words(parts[2], "|"); len(mails) > 0 {
		if spec.Email == "" && isAddress(mails[0]) {
			spec.Email = mails[0]
			spec.Voicemail.Notification = v1alpha1.VoicemailNotifyEmail
			p.from("spec.email", line)
		} else {
			s.drop(line, "not an e-mail address: "+shown("", mails[0]))
		}
		if len(mails) > 1 {
			s.drop(line, "only the first e-mail address is told of messages")
		}
	}
	if parts[3] != "" {
		s.drop(line, "the pager address: mail goes to the e-mail address only")
	}
	p.boxLimits(s, line, general, parts[4])
}

// boxLimits takes the options of a mailbox, and those of [general] that it does not override.
func (p *phone) boxLimits(s *section, line asteriskconf.Setting, general *section, options string) {
	values := map[string]asteriskconf.Setting{}
	for _, setting := range general.all("maxmsg", "maxmessage", "maxsecs") {
		values[boxLimit(setting.Name)] = setting
	}
	for _, option := range words(options, "|") {
		name, value, _ := strings.Cut(option, "=")
		setting := asteriskconf.Setting{Name: strings.ToLower(strings.TrimSpace(name)), Value: strings.TrimSpace(value), Position: line.Position}
		if boxLimit(setting.Name) != "" {
			values[boxLimit(setting.Name)] = setting
			continue
		}
		why, known := voicemailReasons[setting.Name]
		if !known {
			why = noField
		}
		s.drop(setting, why)
	}
	if setting, ok := values["messages"]; ok {
		if n, err := strconv.Atoi(setting.Value); err == nil && n >= 1 && n <= maxMessages {
			p.spec().Voicemail.MaxMessages = int32(n)
		} else {
			s.drop(setting, fmt.Sprintf("not a number from 1 to %d", maxMessages))
		}
	}
	if setting, ok := values["length"]; ok {
		if d, ok := seconds(setting.Value); ok && d > 0 {
			p.spec().Voicemail.MaxMessageLength = &metav1.Duration{Duration: d}
			p.from("spec.voicemail.maxMessageLength", setting)
		} else {
			s.drop(setting, "a message without limit is not offered: three minutes are the default")
		}
	}
}

// boxLimit says what an option limits.
func boxLimit(option string) string {
	switch strings.ToLower(option) {
	case "maxmsg":
		return "messages"
	case "maxsecs", "maxmessage":
		return "length"
	}
	return ""
}
