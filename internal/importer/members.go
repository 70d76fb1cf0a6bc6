package importer

import (
	"strconv"
	"strings"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// maxPenalty of a member.
const maxPenalty = 1000

// member takes interface,penalty,name,state interface,ringinuse,wrapuptime,paused.
func (q *queue) member(setting asteriskconf.Setting) {
	arguments := splitArguments(setting.Value)
	for len(arguments) < 7 {
		arguments = append(arguments, "")
	}
	p := q.im.memberPhone(arguments[0], arguments[3])
	if p == nil {
		q.drop(setting, "no phone that was imported is "+shown("", arguments[0]))
		return
	}
	if p.spec().SIP.Role == v1alpha1.RoleUser {
		q.drop(setting, "a phone of sip.role User cannot be called, so it cannot be a member")
		return
	}
	member := v1alpha1.QueueMember{AgentRef: &v1alpha1.ObjectReference{Name: p.object.Name}}
	for _, m := range q.object.Spec.Members {
		if m.AgentRef.Name == p.object.Name {
			q.drop(setting, "the agent is a member already")
			return
		}
	}
	if penalty, err := strconv.Atoi(arguments[1]); err == nil && penalty > 0 {
		member.Penalty = int32(min(penalty, maxPenalty))
		if penalty > maxPenalty {
			q.change(setting, "the highest penalty is "+strconv.Itoa(maxPenalty))
		}
	}
	if name := fullName(arguments[2]); name != "" && name != p.spec().FullName {
		q.change(setting, "members are called by the agent's fullName, not "+shown("", name))
	}
	if truth(arguments[4]) {
		q.drop(setting, "ringinuse: "+queueReasons["ringinuse"])
	}
	if arguments[5] != "" {
		q.drop(setting, "a wrap-up time of one member: the queue's own counts")
	}
	if truth(arguments[6]) {
		q.drop(setting, "paused: presence is what the agent says at the desk")
	}
	q.object.Spec.Members = append(q.object.Spec.Members, member)
}

// memberPhone finds the phone of an interface such as PJSIP/1001, SIP/1001, Local/1001@context/n or Agent/1001; of a Local
// channel the state interface tells better.
func (im *importer) memberPhone(name, state string) *phone {
	for _, channel := range []string{state, name} {
		technology, peer, _ := strings.Cut(channel, "/")
		peer, _, _ = strings.Cut(peer, "/")
		switch strings.ToLower(technology) {
		case "sip", "pjsip":
			if p := im.byPeer[strings.ToLower(peer)]; p != nil {
				return p
			}
		case "local", "agent":
			number, _, _ := strings.Cut(peer, "@")
			if p := im.byExtension(number); p != nil && isExtension(number) {
				return p
			}
		}
	}
	return nil
}

// splitArguments splits at commas outside of quotes and parentheses and takes quotes and backslashes away, as Asterisk does with the
// arguments of applications.
func splitArguments(text string) []string {
	var out []string
	var word strings.Builder
	depth, quoted, escaped := 0, false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
			continue
		case r == '\\':
			escaped = true
			continue
		case r == '"':
			quoted = !quoted
			continue
		case r == ',' && depth == 0 && !quoted:
			out = append(out, strings.TrimSpace(word.String()))
			word.Reset()
			continue
		case r == '(' && !quoted:
			depth++
		case r == ')' && !quoted && depth > 0:
			depth--
		}
		word.WriteRune(r)
	}
	return append(out, strings.TrimSpace(word.String()))
}
