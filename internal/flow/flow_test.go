package flow

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ringmaster-dev/ringmaster/internal/schedule"
)

// A Saturday, when the office is closed until Monday.
var saturday = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func support() Spec {
	return Spec{
		Steps: []Step{
			{Name: "bounces", When: `mail.automatic && mail.headers["auto-submitted"] == "auto-replied"`, Close: &Close{Disposition: "Machine"}},
			{Name: "urgent", When: `mail.subject.lowerAscii().contains("urgent")`, Tags: []string{"urgent"}},
			{Name: "vip", When: `customer.address.endsWith("@vip.example")`, Agent: &Place{Name: "alice", Timeout: time.Hour}},
			{Name: "closed", When: `!open("office")`, AutoReply: "closed"},
			{Name: "monday", When: `!("urgent" in mail.to) && mail.size < 1000000`, Wait: &Wait{UntilOpen: "office"}},
			{Name: "queue", Queue: &Place{Name: "support", Timeout: 10 * time.Minute}},
			{Name: "overflow", Queue: &Place{Name: "overflow"}},
		},
		Schedules: map[string]schedule.Spec{"office": {TimeZone: "UTC", Weekly: []schedule.Weekly{
			{Days: []string{"Monday"}, Range: schedule.Range{From: "09:00", To: "17:00"}}}}},
		Templates: map[string]Template{"closed": {Subject: "We are closed", Text: "Dear {{ customer.name }}"}},
	}
}

func compiled(t *testing.T, spec Spec) *Flow {
	t.Helper()
	f, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func everything(Action, string) (bool, string) { return true, "" }

func TestRun(t *testing.T) {
	monday := saturday.Add(48 * time.Hour)
	skipped := func(step string) Entry {
		return Entry{Step: step, Reason: ReasonSkipped, Detail: "the condition is false"}
	}
	unasked := func(step string) Entry {
		return Entry{Step: step, Reason: ReasonSkipped, Detail: "an automatic mail, which the step's condition does not ask about"}
	}
	for name, test := range map[string]struct {
		in    Input
		now   time.Time
		after string
		can   Can
		want  Outcome
	}{
		"in the week": {now: monday, want: Outcome{Action: Queue, Step: "queue", Target: "support", Due: monday.Add(10 * time.Minute), Entries: []Entry{
			skipped("bounces"), skipped("urgent"), skipped("vip"), skipped("closed"), {Step: "monday", Reason: ReasonSkipped, Detail: "Schedule office is open"}}}},
		"on a Saturday": {now: saturday, in: Input{Subject: "URGENT!"}, want: Outcome{Action: WaitAction, Step: "monday", Due: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Entries: []Entry{
			skipped("bounces"), {Step: "urgent", Reason: ReasonTagged, Tags: []string{"urgent"}}, skipped("vip"), {Step: "closed", Reason: ReasonReplied, Reply: "closed"}}}},
		"then on Monday": {now: monday, after: "monday", want: Outcome{Action: Queue, Step: "queue", Target: "support", Due: monday.Add(10 * time.Minute)}},
		"nobody took it": {now: monday, after: "queue", want: Outcome{Action: Queue, Step: "overflow", Target: "overflow"}},
		"after the last": {now: monday, after: "overflow", want: Outcome{Action: End}},
		"an agent": {now: saturday, in: Input{CustomerAddress: "jo@vip.example"}, want: Outcome{Action: Agent, Step: "vip", Target: "alice", Due: saturday.Add(time.Hour),
			Entries: []Entry{skipped("bounces"), skipped("urgent")}}},
		"an agent who left": {now: monday, in: Input{CustomerAddress: "jo@vip.example"}, after: "urgent",
			can:  func(a Action, name string) (bool, string) { return a == Queue, "Agent " + name + " is gone" },
			want: Outcome{Action: Queue, Step: "queue", Target: "support", Due: monday.Add(10 * time.Minute), Entries: []Entry{{Step: "vip", Reason: ReasonSkipped, Detail: "Agent alice is gone"}, skipped("closed"), {Step: "monday", Reason: ReasonSkipped, Detail: "Schedule office is open"}}}},
		"a machine": {now: saturday, in: Input{Automatic: true, Headers: map[string]string{"auto-submitted": "auto-replied"}}, want: Outcome{Action: CloseAction, Step: "bounces", Disposition: "Machine"}},
		"another machine is in no queue": {now: monday, in: Input{Automatic: true}, want: Outcome{Action: End, Entries: []Entry{
			{Step: "bounces", Reason: ReasonConditionFailed, Detail: "the condition has no result for this mail"}, skipped("urgent"), unasked("vip"), skipped("closed"), unasked("monday"), unasked("queue"), unasked("overflow")}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := compiled(t, support())
			var got Outcome
			if test.can == nil {
				test.can = everything
			}
			if test.after == "" {
				got = f.Start(test.in, test.now, test.can)
			} else {
				got, _ = f.Continue(test.after, test.in, test.now, test.can)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, ok := compiled(t, support()).Continue("gone", Input{}, monday, everything); ok {
		t.Error("continued after a step that does not exist")
	}
}

func TestDue(t *testing.T) {
	f := compiled(t, Spec{Schedules: support().Schedules, Steps: []Step{
		{Name: "w", Wait: &Wait{For: time.Minute}}, {Name: "s", Wait: &Wait{UntilOpen: "office"}}, {Name: "q", Queue: &Place{Name: "a", Timeout: time.Hour}},
		{Name: "for ever", Queue: &Place{Name: "a"}}, {Name: "t", Tags: []string{"x"}},
	}})
	for step, want := range map[string]time.Time{
		"w": saturday.Add(time.Minute), "s": time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), "q": saturday.Add(time.Hour), "for ever": {},
	} {
		if due, ok := f.Due(step, saturday, saturday.Add(time.Second)); !ok || !due.Equal(want) {
			t.Errorf("%s: %s, %t", step, due, ok)
		}
	}
	for _, step := range []string{"t", "gone"} {
		if _, ok := f.Due(step, saturday, saturday); ok {
			t.Errorf("%s waits", step)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	when := func(expression string) Spec {
		return Spec{Schedules: support().Schedules, Steps: []Step{{Name: "a", Tags: []string{"x"}}, {Name: "b", When: expression, Tags: []string{"x"}}}}
	}
	for want, spec := range map[string]Spec{
		"steps[1].when: line 1, column 1: undeclared reference to 'mail' (in container ''); known are open(\"schedule\"), account.address, account.name, customer.address, customer.name, mail.automatic, mail.from, mail.hasAttachments, mail.headers, mail.size, mail.subject, mail.to": when("mail.subjekt == ''"),
		"steps[1].when: line 1, column 14: found no matching overload for '_==_' applied to '(string, int)'": when("mail.subject == 1"),
		"steps[1].when: the result is string, not bool":                                                      when("mail.subject"),
		"steps[1].when: there is no Schedule night":                                                          when(`open("night")`),
		`steps[1].when: open() takes the name of a Schedule in quotes, as in open("office")`:                 when("open(mail.subject)"),
		"steps[1].when: longer than 1024 bytes":                                                              when("true" + strings.Repeat(" ", 1024)),
		"steps[0]: there is no Schedule night":                                                               {Steps: []Step{{Name: "a", Wait: &Wait{UntilOpen: "night"}}}},
		"steps[0]: there is no MessageTemplate t":                                                            {Steps: []Step{{Name: "a", AutoReply: "t"}}},
		"schedules: s: timeZone: no time zone of the IANA database has this name":                            {Schedules: map[string]schedule.Spec{"s": {}}},
		"templates: t: line 1, column 1: {{ without }}":                                                      {Templates: map[string]Template{"t": {Text: "{{"}}},
	} {
		_, err := Compile(spec)
		if e := (*SpecError)(nil); !errors.As(err, &e) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if diff := cmp.Diff([]string{"a", "b"}, Schedules(`open("a") || !open("b")`)); diff != "" {
		t.Errorf("schedules (-want +got):\n%s", diff)
	}
}

// A condition that would take long is stopped, and the step is left out.
func TestConditionsAreBounded(t *testing.T) {
	f := compiled(t, Spec{Steps: []Step{{Name: "slow", When: `mail.to.all(a, mail.to.all(b, mail.to.all(c, a + b + c != mail.subject)))`, Queue: &Place{Name: "q"}}}})
	in := Input{To: make([]string, 1000)}
	for i := range in.To {
		in.To[i] = strings.Repeat("x", 100)
	}
	began := time.Now()
	out := f.Start(in, saturday, everything)
	if took := time.Since(began); took > 2*time.Second || out.Action != End || out.Entries[0].Reason != ReasonConditionFailed {
		t.Errorf("%+v after %s", out, took)
	}
}

// Whatever the mail is, a flow ends after at most as many entries as it has steps.
func TestFlowsEnd(t *testing.T) {
	f := compiled(t, support())
	rapid.Check(t, func(t *rapid.T) {
		in := Input{
			Subject: rapid.String().Draw(t, "subject"), CustomerAddress: rapid.String().Draw(t, "from"), Automatic: rapid.Bool().Draw(t, "automatic"),
			Headers: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "headers"), To: rapid.SliceOf(rapid.String()).Draw(t, "to"),
			Size: rapid.Int64().Draw(t, "size"),
		}
		now, after := saturday, ""
		for steps := 0; ; steps++ {
			out := f.Start(in, now, everything)
			if after != "" {
				out, _ = f.Continue(after, in, now, everything)
			}
			if out.Action == End || out.Action == CloseAction {
				return
			}
			if steps > len(f.steps) || len(out.Entries) > len(f.steps) {
				t.Fatal("it goes round")
			}
			after = out.Step
			if out.Due.After(now) {
				now = out.Due
			}
		}
	})
}

func FuzzCondition(f *testing.F) {
	f.Add(`mail.subject.matches("(a*)*b") || open("office")`)
	f.Add(`open("x`)
	f.Fuzz(func(t *testing.T, when string) {
		spec := support()
		spec.Steps = []Step{{Name: "a", When: when, Queue: &Place{Name: "q"}}}
		flow, err := Compile(spec)
		if err != nil {
			if e := (*SpecError)(nil); !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		flow.Start(Input{Subject: "aaaaaaaaaaaaaaaa", To: []string{"a", "b"}}, saturday, everything)
	})
}
