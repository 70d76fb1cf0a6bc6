package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// Why settings of queues.conf are left out, by their names.
var queueReasons = map[string]string{
	"announce-position-only-up":    "Asterisk's default is used",
	"announce-round-seconds":       "Asterisk's default is used",
	"announce-to-first-user":       "Asterisk's default is used",
	"announce":                     "an announcement to the member is not offered: the desk shows the queue",
	"queue-reporthold":             "the desk shows how long the caller waited",
	"context":                      "leaving the queue by a key is not offered",
	"defaultrule":                  "penalty rules are not offered",
	"eventmemberstatus":            "Ringmaster asks for the events it needs",
	"eventwhencalled":              "Ringmaster asks for the events it needs",
	"log_membername_as_agent":      "the queue log is Asterisk's own",
	"membergosub":                  "Ringmaster uses it for itself",
	"membermacro":                  "Ringmaster uses its successor membergosub for itself",
	"monitor-format":               "calls are recorded by agent: sip.recording",
	"monitor-type":                 "calls are recorded by agent: sip.recording",
	"negative_penalty_invalid":     "penalties begin at 0",
	"penaltymemberslimit":          "penalties always count",
	"periodic-announce-startdelay": "the first periodic announcement comes after one interval",
	"queue-callerannounce":         "an announcement to the caller before the conversation is not offered",
	"random-periodic-announce":     "periodic announcements are played in turn",
	"relative-periodic-announce":   "Asterisk's default is used",
	"reportholdtime":               "the desk shows how long the caller waited",
	"ringinuse":                    "an agent in a call is offered no call of a queue; ringInUse of the client settings changes it",
	"setinterfacevar":              "channel variables are Ringmaster's",
	"setqueueentryvar":             "channel variables are Ringmaster's",
	"setqueuevar":                  "channel variables are Ringmaster's",
	"timeoutpriority":              "ringTimeout always counts",
	"timeoutrestart":               "Asterisk's default is used",
	"updatecdr":                    "Asterisk's default is used",
	"keepstats":                    "figures live as long as Asterisk runs",
	"force_longest_waiting_caller": "weight decides between queues",
	"periodic-announce-frequency":  "it has no effect without periodic-announce",
	"announce-frequency":           "announcements are off with 0",
	"min-announce-frequency":       "it has no effect without announce-frequency",
	"announce-position":            "it has no effect without announce-frequency",
	"announce-holdtime":            "it has no effect without announce-frequency",
	"announce-position-limit":      "it has no effect without announce-position limit or more",
	"autopausedelay":               "it has no effect without autopause",
	"autopausebusy":                "it has no effect without autopause",
	"autopauseunavail":             "it has no effect without autopause",
}

// queue is a queue on its way.
type queue struct {
	draft[v1alpha1.Queue]
	*section
	im *importer
}

// queues takes the queues with their members, and gives numbers to those that the dialplan does not name.
func (im *importer) queues() []draft[v1alpha1.Queue] {
	sections := im.read("queues.conf", func(s *section) string { return strings.ToLower(s.Name) })
	taken := map[string]bool{}
	for _, p := range im.phones {
		taken[p.spec().Extension] = true
	}
	objects := names{}
	var made []*queue
	for _, s := range sections {
		if strings.EqualFold(s.Name, "general") {
			s.is("it is always on", []string{"yes", "true", "1"}, "persistentmembers", "autofill", "shared_lastcall")
			s.rest(queueReasons, noField)
			continue
		}
		q := &queue{draft: newDraft[v1alpha1.Queue](s), section: s, im: im}
		name := slug(s.Name)
		if name == "" {
			name = "queue"
		}
		q.object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Queue"}
		q.object.Namespace = im.options.Namespace
		q.object.Name = objects.unique(name)
		if q.object.Name != s.Name {
			q.object.Spec.DisplayName = fullName(s.Name)
		}
		q.number(taken)
		q.settings()
		s.rest(queueReasons, noField)
		made = append(made, q)
	}
	next := im.options.FirstQueueNumber
	out := make([]draft[v1alpha1.Queue], 0, len(made))
	for _, q := range made {
		if q.object.Spec.Number == "" {
			for taken[strconv.Itoa(next)] {
				next++
			}
			q.object.Spec.Number = strconv.Itoa(next)
			taken[q.object.Spec.Number] = true
			q.note(Changed, fmt.Sprintf("no extension of the dialplan leads to the queue: it is given number %s", q.object.Spec.Number))
		}
		out = append(out, q.draft)
	}
	return out
}

// number that callers dial: as the dialplan has it, or else the queue's own name.
func (q *queue) number(taken map[string]bool) {
	d := q.im.dialplan[strings.ToLower(q.Name)]
	number, where := d.number, "the dialplan"
	if number == "" && isExtension(q.Name) {
		number, where = q.Name, "its name"
	}
	switch {
	case number == "":
		return
	case taken[number]:
		q.note(Changed, fmt.Sprintf("number %s, which is from %s, belongs to a phone or another queue", number, where))
		return
	}
	q.object.Spec.Number = number
	taken[number] = true
	if d.wait > 0 {
		q.voice().MaxWaitTime = &metav1.Duration{Duration: d.wait}
		q.fields["spec.voice.maxWaitTime"] = d.from
	}
}

func (q *queue) voice() *v1alpha1.QueueVoice {
	if q.object.Spec.Voice == nil {
		q.object.Spec.Voice = &v1alpha1.QueueVoice{}
	}
	return q.object.Spec.Voice
}

var strategies = map[string]v1alpha1.QueueStrategy{
	"ringall": v1alpha1.StrategyRingall, "leastrecent": v1alpha1.StrategyLeastRecent, "fewestcalls": v1alpha1.StrategyFewestCalls,
	"random": v1alpha1.StrategyRandom, "rrmemory": v1alpha1.StrategyRRMemory, "roundrobin": v1alpha1.StrategyRRMemory,
	"rrordered": v1alpha1.StrategyRROrdered, "linear": v1alpha1.StrategyLinear, "wrandom": v1alpha1.StrategyWRandom,
}

// settings of one queue.
func (q *queue) settings() {
	// app_queue rings all where nothing is said.
	q.object.Spec.Strategy = v1alpha1.StrategyRingall
	if setting, ok := q.get("strategy"); ok {
		if strategy, known := strategies[strings.ToLower(setting.Value)]; known {
			q.object.Spec.Strategy = strategy
		} else {
			q.change(setting, "not a strategy: Ringall, Asterisk's default")
		}
	}
	for _, member := range q.all("member") {
		q.member(member)
	}
	for _, d := range []struct {
		option, path string
		into         func(*v1alpha1.QueueVoice) **metav1.Duration
	}{
		{"timeout", "ringTimeout", func(v *v1alpha1.QueueVoice) **metav1.Duration { return &v.RingTimeout }},
		{"retry", "retryInterval", func(v *v1alpha1.QueueVoice) **metav1.Duration { return &v.RetryInterval }},
		{"wrapuptime", "wrapUpTime", func(v *v1alpha1.QueueVoice) **metav1.Duration { return &v.WrapUpTime }},
		{"memberdelay", "memberDelay", func(v *v1alpha1.QueueVoice) **metav1.Duration { return &v.MemberDelay }},
	} {
		if setting, ok := q.get(d.option); ok {
			q.duration("spec.voice."+d.path, setting, d.into(q.voice()))
		}
	}
	if setting, ok := q.get("servicelevel"); ok && strings.Trim(setting.Value, "0") != "" {
		q.object.Spec.ServiceLevel = &v1alpha1.ServiceLevel{}
		q.duration("spec.serviceLevel.threshold", setting, &q.object.Spec.ServiceLevel.Threshold)
		q.fields["spec.serviceLevel"] = setting
	}
	q.whole("weight", "spec.weight", &q.object.Spec.Weight)
	if _, ok := q.Get("maxlen"); ok {
		q.whole("maxlen", "spec.voice.maxWaiting", &q.voice().MaxWaiting)
	}
	q.empty("joinempty", true, "refuseWhen", func(c []v1alpha1.MemberCondition) { q.voice().RefuseWhen = c })
	q.empty("leavewhenempty", false, "leaveWhen", func(c []v1alpha1.MemberCondition) { q.voice().LeaveWhen = c })
	if setting, ok := q.get("musicclass", "music", "musiconhold"); ok && setting.Value != "" && setting.Value != "default" {
		q.voice().MusicClass = setting.Value
		q.fields["spec.voice.musicClass"] = setting
		q.change(setting, fmt.Sprintf("every PBX must have the music class: its own musiconhold.conf or PBX.spec.musicClasses with %q", shown("", setting.Value)))
	}
	q.is(queueReasons["ringinuse"], []string{"no", "false", "0"}, "ringinuse")
	q.autoPause()
	q.announcements()
}

// duration takes a number of seconds.
func (q *queue) duration(path string, setting asteriskconf.Setting, into **metav1.Duration) {
	d, ok := seconds(setting.Value)
	if !ok {
		q.drop(setting, "not a number of seconds")
		return
	}
	*into = &metav1.Duration{Duration: d}
	q.fields[path] = setting
}

// whole takes a whole number.
func (q *queue) whole(option, path string, into *int32) {
	setting, ok := q.get(option)
	if !ok {
		return
	}
	n, err := strconv.ParseInt(setting.Value, 10, 32)
	if err != nil {
		q.drop(setting, "not a number")
		return
	}
	*into = int32(n)
	q.fields[path] = setting
}

var memberConditions = map[string]v1alpha1.MemberCondition{
	"paused": "Paused", "penalty": "Penalty", "inuse": "InUse", "ringing": "Ringing", "unavailable": "Unavailable", "invalid": "Invalid",
	"unknown": "Unknown", "wrapup": "WrapUp",
}

// empty takes joinempty and leavewhenempty, with the meaning of their older words.
func (q *queue) empty(option string, join bool, path string, into func([]v1alpha1.MemberCondition)) {
	setting, ok := q.get(option)
	if !ok {
		return
	}
	q.fields["spec.voice."+path] = setting
	var out []v1alpha1.MemberCondition
	for _, word := range words(strings.ToLower(setting.Value), ",") {
		condition, known := memberConditions[word]
		older, isOlder := olderConditions(word, join)
		switch {
		case known && !slices.Contains(out, condition):
			out = append(out, condition)
		case isOlder:
			out = older
		case !known:
			q.drop(setting, "not a word that "+option+" knows: "+shown("", word))
		}
	}
	if len(out) > 0 {
		into(out)
	}
}

// olderConditions are the meanings of the words that joinempty and leavewhenempty had before the list.
func olderConditions(word string, join bool) ([]v1alpha1.MemberCondition, bool) {
	switch {
	case word == "loose":
		return []v1alpha1.MemberCondition{"Penalty", "Invalid"}, true
	case word == "strict":
		return []v1alpha1.MemberCondition{"Penalty", "Invalid", "Paused", "Unavailable"}, true
	case truth(word) && join || falsehood(word) && !join:
		return nil, true
	case truth(word) || falsehood(word):
		return []v1alpha1.MemberCondition{"Penalty", "Invalid", "Paused"}, true
	}
	return nil, false
}

func (q *queue) autoPause() {
	setting, ok := q.get("autopause")
	if !ok {
		return
	}
	pause := &v1alpha1.QueueAutoPause{}
	switch word := strings.ToLower(setting.Value); {
	case word == "all":
		pause.Mode = v1alpha1.AutoPauseAll
	case truth(word):
		pause.Mode = v1alpha1.AutoPauseQueue
	default:
		return
	}
	if setting, ok := q.get("autopausedelay"); ok && strings.Trim(setting.Value, "0") != "" {
		q.duration("spec.voice.autoPause.delay", setting, &pause.Delay)
	}
	if truth(q.text("autopausebusy")) {
		pause.OnBusy = v1alpha1.AutoPauseDo
	}
	if truth(q.text("autopauseunavail")) {
		pause.OnUnavailable = v1alpha1.AutoPauseDo
	}
	q.voice().AutoPause = *pause
	q.fields["spec.voice.autoPause"] = setting
}
