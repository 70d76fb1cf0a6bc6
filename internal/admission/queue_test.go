package admission

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestQueueRules(t *testing.T) {
	for name, test := range map[string]struct {
		others    []client.Object
		queue     *v1alpha1.Queue
		admission []string
		reconcile []string
	}{
		"alone":     {queue: queue("sales", -1, "600")},
		"no number": {others: []client.Object{queue("mail", 9, "")}, queue: queue("mail2", 5, "")},
		"older queue": {
			others:    []client.Object{queue("billing", 9, "600")},
			queue:     queue("sales", 5, "600"),
			admission: []string{"NumberTaken spec.number: Duplicate value: number 600 belongs to Queue billing"},
			reconcile: []string{"NumberTaken spec.number: Duplicate value: number 600 belongs to Queue billing"},
		},
		"younger queue": {
			others:    []client.Object{queue("billing", 3, "600")},
			queue:     queue("sales", 5, "600"),
			admission: []string{"NumberTaken spec.number: Duplicate value: number 600 belongs to Queue billing"},
		},
		"agent that has it": {
			others:    []client.Object{agent("alice", 3, has("600"))},
			queue:     queue("sales", 5, "600"),
			admission: []string{"NumberTaken spec.number: Duplicate value: number 600 belongs to Agent alice"},
			reconcile: []string{"NumberTaken spec.number: Duplicate value: number 600 belongs to Agent alice"},
		},
		"younger agent that asks for it": {
			others:    []client.Object{agent("alice", 3, asksFor("600"))},
			queue:     queue("sales", 5, "600"),
			admission: []string{"NumberTaken spec.number: Duplicate value: number 600 belongs to Agent alice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := reader(t, test.others...)
			problems, err := Checker{Reader: r}.Queue(t.Context(), test.queue)
			checkProblems(t, problems, err, test.admission)
			problems, err = Checker{Reader: r, Rivals: OlderHolder}.Queue(t.Context(), test.queue)
			checkProblems(t, problems, err, test.reconcile)
		})
	}
}

func TestQueueMembersCanBeCalled(t *testing.T) {
	named := func(channel v1alpha1.QueueChannel, names ...string) *v1alpha1.Queue {
		q := queue("sales", 5, "")
		q.Spec.Channel = channel
		for _, name := range names {
			q.Spec.Members = append(q.Spec.Members, v1alpha1.QueueMember{AgentRef: &v1alpha1.ObjectReference{Name: name}})
		}
		return q
	}
	r := reader(t, agent("alice", 9, ofRole(v1alpha1.RoleFriend)), agent("dora", 9, ofRole(v1alpha1.RoleUser)), agent("peter", 9, ofRole(v1alpha1.RolePeer)))
	for name, test := range map[string]struct {
		queue *v1alpha1.Queue
		want  []string
	}{
		"those who can": {named(v1alpha1.ChannelVoice, "alice", "peter", "not-there-yet"), nil},
		"one who cannot": {named(v1alpha1.ChannelVoice, "alice", "dora"),
			[]string{"NotCallable spec.members[1].agentRef: Invalid value: Agent dora has sip.role User and cannot be called"}},
		"mail needs no phone": {named(v1alpha1.ChannelEmail, "dora"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rivals := range []Rivals{AnyHolder, OlderHolder} {
				problems, err := Checker{Reader: r, Rivals: rivals}.Queue(t.Context(), test.queue)
				checkProblems(t, problems, err, test.want)
			}
		})
	}
}

func TestSelectors(t *testing.T) {
	selector := func(key, operator string, values ...string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: key, Operator: metav1.LabelSelectorOperator(operator), Values: values},
		}}
	}
	for name, test := range map[string]struct {
		selector *metav1.LabelSelector
		want     string
	}{
		"absent":             {nil, ""},
		"everyone":           {&metav1.LabelSelector{}, ""},
		"good":               {selector("site", "In", "rome", "oslo"), ""},
		"unknown operator":   {selector("site", "Is", "rome"), `"Is" is not a valid label selector operator`},
		"In nothing":         {selector("site", "In"), "values: Invalid value: null: for 'in', 'notin' operators, values set can't be empty"},
		"Exists with values": {selector("site", "Exists", "rome"), `values: Invalid value: ["rome"]: values set must be empty for exists and does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			var inQueue, inTeam []string
			if test.want != "" {
				inQueue = []string{"Invalid spec.members[1].agentSelector: Invalid value: " + test.want}
				inTeam = []string{"Invalid spec.members.selector: Invalid value: " + test.want}
			}
			q := queue("sales", 5, "")
			q.Spec.Members = []v1alpha1.QueueMember{{AgentRef: &v1alpha1.ObjectReference{Name: "alice"}}, {AgentSelector: test.selector}}
			problems, err := Checker{Reader: reader(t)}.Queue(t.Context(), q)
			checkProblems(t, problems, err, inQueue)
			team := &v1alpha1.Team{Spec: v1alpha1.TeamSpec{Members: v1alpha1.TeamMembers{Selector: test.selector}}}
			problems, err = Checker{Reader: reader(t)}.Team(t.Context(), team)
			checkProblems(t, problems, err, inTeam)
		})
	}
}
