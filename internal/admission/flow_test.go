package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func routingFlow(steps ...v1alpha1.FlowStep) *v1alpha1.RoutingFlow {
	return &v1alpha1.RoutingFlow{ObjectMeta: meta("incoming", -1), Spec: v1alpha1.RoutingFlowSpec{Steps: steps}}
}

func TestRoutingFlowRules(t *testing.T) {
	emailQueue := queue("mail", 5, "")
	emailQueue.Spec.Channel = v1alpha1.ChannelEmail
	hours := &v1alpha1.Schedule{ObjectMeta: meta("office", 5), Spec: v1alpha1.ScheduleSpec{TimeZone: "UTC"}}
	lost := &v1alpha1.Schedule{ObjectMeta: meta("lost", 5), Spec: v1alpha1.ScheduleSpec{TimeZone: "Nowhere"}}
	reply := messageTemplate("closed", 5, v1alpha1.MessageTemplateSpec{Type: v1alpha1.MessageAutoReply, Subject: "Closed", Body: v1alpha1.MessageBody{Text: "x"}})
	broken := messageTemplate("broken", 5, v1alpha1.MessageTemplateSpec{Type: v1alpha1.MessageAutoReply, Subject: "Closed", Body: v1alpha1.MessageBody{Text: "{{"}})
	invitation := messageTemplate("welcome", 5, v1alpha1.MessageTemplateSpec{Type: v1alpha1.MessageInvitation, Subject: "x", Body: v1alpha1.MessageBody{Text: "x"}})
	objects := []client.Object{emailQueue, queue("sales", 5, "600"), hours, lost, reply, broken, invitation, agent("alice", 5)}
	to := func(name string) v1alpha1.ObjectReference { return v1alpha1.ObjectReference{Name: name} }
	answer := func(name string) v1alpha1.FlowStep {
		return v1alpha1.FlowStep{Name: name, AutoReply: &v1alpha1.FlowAutoReply{TemplateRef: to(name)}}
	}
	for name, test := range map[string]struct {
		flow *v1alpha1.RoutingFlow
		want []string
	}{
		"good": {flow: routingFlow(answer("closed"),
			v1alpha1.FlowStep{Name: "w", When: `!open("office")`, Wait: &v1alpha1.FlowWait{UntilOpen: new(to("office"))}},
			v1alpha1.FlowStep{Name: "q", Queue: &v1alpha1.FlowQueue{QueueRef: to("mail"), Timeout: &metav1.Duration{Duration: 1}}},
			v1alpha1.FlowStep{Name: "a", Agent: &v1alpha1.FlowAgent{AgentRef: to("alice")}})},
		"nothing is there yet, and the conditions are checked all the same": {
			flow: routingFlow(
				v1alpha1.FlowStep{Name: "q", Queue: &v1alpha1.FlowQueue{QueueRef: to("later")}},
				v1alpha1.FlowStep{Name: "a", Agent: &v1alpha1.FlowAgent{AgentRef: to("later")}},
				answer("later"),
				v1alpha1.FlowStep{Name: "w", Wait: &v1alpha1.FlowWait{UntilOpen: new(to("later"))}},
				v1alpha1.FlowStep{Name: "c", When: `mail.size > "1"`, Close: &v1alpha1.FlowClose{}}),
			want: []string{
				"Invalid spec.steps[4].when: Invalid value: line 1, column 11: found no matching overload for '_>_' applied to '(int, string)'",
				"ReferenceMissing spec.steps[0].queue.queueRef: Not found: Queue later does not exist",
				"ReferenceMissing spec.steps[1].agent.agentRef: Not found: Agent later does not exist",
				"ReferenceMissing spec.steps[2].autoReply.templateRef: Not found: MessageTemplate later does not exist",
				"ReferenceMissing spec.steps[3].wait.untilOpen: Not found: Schedule later does not exist",
			}},
		"of a wrong kind, or not right": {
			flow: routingFlow(v1alpha1.FlowStep{Name: "q", Queue: &v1alpha1.FlowQueue{QueueRef: to("sales")}}, answer("welcome"), answer("broken"),
				v1alpha1.FlowStep{Name: "w", When: `open("lost")`, Close: &v1alpha1.FlowClose{}}),
			want: []string{
				"QueueWrongChannel spec.steps[0].queue.queueRef: Invalid value: Queue sales is not a queue of channel Email",
				"TemplateWrongType spec.steps[1].autoReply.templateRef: Invalid value: MessageTemplate welcome is not of type AutoReply",
				"ReferenceInvalid spec.steps[2].autoReply.templateRef: Invalid value: MessageTemplate broken: spec.body.text: line 1, column 1: {{ without }}",
				"ReferenceInvalid spec.steps[3].when: Invalid value: Schedule lost: spec.timeZone: no time zone of the IANA database has this name",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := Checker{Reader: reader(t, objects...)}.RoutingFlow(t.Context(), test.flow)
			checkProblems(t, problems, err, test.want)
		})
	}
	refs := ReferencesOf(routingFlow(answer("t"), v1alpha1.FlowStep{When: `open("s") || open("r")`, Queue: &v1alpha1.FlowQueue{QueueRef: to("q")}}))
	if diff := cmp.Diff(FlowReferences{Queues: []string{"q"}, Schedules: []string{"r", "s"}, Templates: []string{"t"}}, refs, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}
