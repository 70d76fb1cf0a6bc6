package voice

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

var strategies = map[Strategy]string{
	Ringall:     "ringall",
	LeastRecent: "leastrecent",
	FewestCalls: "fewestcalls",
	Random:      "random",
	RRMemory:    "rrmemory",
	RROrdered:   "rrordered",
	Linear:      "linear",
	WRandom:     "wrandom",
}

var autoPauses = map[AutoPause]string{
	"":             "no",
	AutoPauseNever: "no",
	AutoPauseQueue: "yes",
	AutoPauseAll:   "all",
}

var emptyReasons = map[EmptyReason]string{
	EmptyPaused: "paused", EmptyPenalty: "penalty", EmptyInUse: "inuse", EmptyRinging: "ringing",
	EmptyUnavailable: "unavailable", EmptyInvalid: "invalid", EmptyUnknown: "unknown", EmptyWrapUp: "wrapup",
}

var announcePositions = map[AnnouncePosition]string{
	"": "no", PositionNever: "no", PositionAlways: "yes", PositionLimit: "limit", PositionMore: "more",
}

var announceHoldTimes = map[AnnounceHoldTime]string{
	"": "no", HoldTimeNever: "no", HoldTimeAlways: "yes", HoldTimeOnce: "once",
}

// renderQueues writes queues.conf. Members are static lines that begin
// paused, so that nobody rings before signing in; app_queue keeps a member's
// present pause over a reload, though not its reason, which the pbxlet restores.
func renderQueues(c Center, expect *Expect) (File, error) {
	var b bytes.Buffer
	b.WriteString(banner)
	b.WriteString("\n[general]\npersistentmembers=yes\nautofill=yes\nshared_lastcall=yes\n")
	agents := make(map[string]Endpoint, len(c.Agents))
	for _, e := range c.Agents {
		agents[e.Extension] = e
	}
	for _, q := range c.Queues {
		want, err := writeQueue(&b, q, agents)
		if err != nil {
			return File{}, err
		}
		expect.Queues = append(expect.Queues, want)
	}
	return NewFile(QueuesFile, b.Bytes()), nil
}

func writeQueue(b *bytes.Buffer, q Queue, agents map[string]Endpoint) (ExpectQueue, error) {
	strategy, ok := strategies[q.Strategy]
	if !ok {
		strategy = strategies[RRMemory]
	}
	set := func(key string, value any) { fmt.Fprintf(b, "%s=%v\n", key, value) }
	fmt.Fprintf(b, "\n[%s]\n", q.Name)
	set("strategy", strategy)
	set("weight", q.Weight)
	set("timeout", seconds(q.Timeout, 15*time.Second))
	set("retry", seconds(q.Retry, 5*time.Second))
	set("wrapuptime", seconds(q.WrapUpTime, 0))
	set("maxlen", q.MaxLen)
	set("servicelevel", seconds(q.ServiceLevel, 0))
	set("memberdelay", seconds(q.MemberDelay, 0))
	set("autopause", autoPauses[q.AutoPause])
	set("autopausedelay", seconds(q.AutoPauseDelay, 0))
	set("autopausebusy", yesNo(q.AutoPauseOnBusy))
	set("autopauseunavail", yesNo(q.AutoPauseOnUnavailable))
	set("ringinuse", "no")
	set("joinempty", empty(q.JoinWhenEmpty, "yes"))
	set("leavewhenempty", empty(q.LeaveWhenEmpty, "no"))
	if q.MusicClass != "" {
		set("musicclass", q.MusicClass)
	}
	writeAnnouncements(set, q)
	want := ExpectQueue{Name: q.Name, Strategy: strategy}
	for _, m := range q.Members {
		iface, err := writeMember(b, q, m, agents[m.Extension])
		if err != nil {
			return ExpectQueue{}, err
		}
		want.Members = append(want.Members, ExpectMember{Interface: iface, Penalty: m.Penalty})
	}
	slices.SortFunc(want.Members, func(a, b ExpectMember) int { return strings.Compare(a.Interface, b.Interface) })
	return want, nil
}

// empty is the list of reasons in app_queue's words, or the word for none.
func empty(reasons []EmptyReason, none string) string {
	var words []string
	for _, r := range reasons {
		words = append(words, emptyReasons[r])
	}
	if len(words) == 0 {
		return none
	}
	return strings.Join(sorted(words), ",")
}

func writeAnnouncements(set func(key string, value any), q Queue) {
	a := q.Announcements
	set("announce-frequency", seconds(a.Interval, 0))
	set("min-announce-frequency", seconds(a.MinInterval, 15*time.Second))
	set("announce-holdtime", announceHoldTimes[a.HoldTime])
	set("announce-position", announcePositions[a.Position])
	if a.PositionLimit > 0 {
		set("announce-position-limit", a.PositionLimit)
	}
	for _, sound := range a.Sounds.named() {
		if sound.file != "" {
			set(sound.option, sound.file)
		}
	}
	if len(q.Periodic.Sounds) > 0 {
		set("periodic-announce-frequency", seconds(q.Periodic.Interval, time.Minute))
		set("periodic-announce", strings.Join(q.Periodic.Sounds, ","))
	}
}

type sound struct{ option, field, file string }

// named are the sounds with app_queue's options and this package's fields.
func (s Sounds) named() []sound {
	return []sound{
		{"queue-youarenext", "YouAreNext", s.YouAreNext},
		{"queue-thereare", "ThereAre", s.ThereAre},
		{"queue-callswaiting", "CallsWaiting", s.CallsWaiting},
		{"queue-quantity1", "QuantityOne", s.QuantityOne},
		{"queue-quantity2", "QuantityTwo", s.QuantityTwo},
		{"queue-holdtime", "HoldTime", s.HoldTime},
		{"queue-minute", "Minute", s.Minute},
		{"queue-minutes", "Minutes", s.Minutes},
		{"queue-seconds", "Seconds", s.Seconds},
		{"queue-thankyou", "ThankYou", s.ThankYou},
	}
}

// writeMember writes one member and returns its interface: the telephone where
// the agent sits, or else the agent's own phone.
func writeMember(b *bytes.Buffer, q Queue, m Member, e Endpoint) (string, error) {
	name := m.Name
	if name == "" {
		name = m.Extension
	}
	escaped, err := queueValue(name)
	if err != nil {
		return "", &FieldError{Object: q.Key, Field: "Members.Name", Reason: err.Error()}
	}
	iface := "PJSIP/" + m.Extension
	if e.Telephone != "" {
		iface = "PJSIP/" + e.Telephone
	}
	wrapUp := ""
	if m.WrapUpTime > 0 {
		wrapUp = fmt.Sprint(seconds(m.WrapUpTime, 0))
	}
	// interface, penalty, name, state interface, ringinuse, wrapuptime, paused
	fmt.Fprintf(b, "member => %s,%d,%s,%s,%s,%s,yes\n", iface, m.Penalty, escaped, iface, yesNo(e.RingInUse), wrapUp)
	return iface, nil
}
