package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/flow"
	"github.com/ringmaster-dev/ringmaster/internal/schedule"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// RoutingFlow checks the conditions of a flow and that what its steps refer to exists. A reference that leads nowhere is
// no ground to refuse a flow: the object may be applied next.
func (c Checker) RoutingFlow(ctx context.Context, f *v1alpha1.RoutingFlow) ([]Problem, error) {
	_, problems, err := c.ResolveFlow(ctx, f)
	return problems, err
}

// ResolveFlow is a flow with all that it refers to, as routing has it, and what is wrong with it.
func (c Checker) ResolveFlow(ctx context.Context, f *v1alpha1.RoutingFlow) (flow.Spec, []Problem, error) {
	r := &flowResolver{Checker: c, ctx: ctx, namespace: f.Namespace}
	spec, err := r.resolve(f)
	if err != nil {
		return spec, r.problems, err
	}
	_, err = flow.Compile(spec)
	if wrong, ok := errors.AsType[*flow.SpecError](err); ok {
		// First: the others may end by themselves.
		invalid := Problem{specPath.Child(wrong.Field), field.ErrorTypeInvalid, v1alpha1.ReasonInvalid, wrong.Message}
		return spec, append([]Problem{invalid}, r.problems...), nil
	}
	return spec, r.problems, err
}

// FlowReferences are the names of the objects of one kind that a flow refers to, sorted.
type FlowReferences struct{ Queues, Agents, Schedules, Templates []string }

// ReferencesOf lists what a flow refers to.
func ReferencesOf(f *v1alpha1.RoutingFlow) FlowReferences {
	var refs FlowReferences
	for _, s := range f.Spec.Steps {
		refs.Schedules = append(refs.Schedules, flow.Schedules(s.When)...)
		switch {
		case s.Queue != nil:
			refs.Queues = append(refs.Queues, s.Queue.QueueRef.Name)
		case s.Agent != nil:
			refs.Agents = append(refs.Agents, s.Agent.AgentRef.Name)
		case s.AutoReply != nil:
			refs.Templates = append(refs.Templates, s.AutoReply.TemplateRef.Name)
		case s.Wait != nil && s.Wait.UntilOpen != nil:
			refs.Schedules = append(refs.Schedules, s.Wait.UntilOpen.Name)
		}
	}
	return FlowReferences{distinct(refs.Queues...), distinct(refs.Agents...), distinct(refs.Schedules...), distinct(refs.Templates...)}
}

type flowResolver struct {
	Checker
	ctx       context.Context //nolint:containedctx // lives for one call
	namespace string
	problems  []Problem
}

func (r *flowResolver) resolve(f *v1alpha1.RoutingFlow) (flow.Spec, error) {
	spec := flow.Spec{}
	for i, s := range f.Spec.Steps {
		path := specPath.Child("steps").Index(i)
		step, err := r.step(path, s, &spec)
		if err != nil {
			return spec, err
		}
		spec.Steps = append(spec.Steps, step)
		for _, name := range flow.Schedules(s.When) {
			if err := r.schedule(path.Child("when"), name, &spec); err != nil {
				return spec, err
			}
		}
	}
	return spec, nil
}

func (r *flowResolver) step(path *field.Path, s v1alpha1.FlowStep, spec *flow.Spec) (flow.Step, error) {
	out := flow.Step{Name: s.Name, When: s.When}
	var err error
	switch {
	case s.Queue != nil:
		out.Queue = &flow.Place{Name: s.Queue.QueueRef.Name}
		if t := s.Queue.Timeout; t != nil {
			out.Queue.Timeout = t.Duration
		}
		err = r.queue(path.Child("queue", "queueRef"), s.Queue.QueueRef.Name)
	case s.Agent != nil:
		out.Agent = &flow.Place{Name: s.Agent.AgentRef.Name, Timeout: s.Agent.Timeout.Duration}
		_, err = r.find(path.Child("agent", "agentRef"), kindAgent, s.Agent.AgentRef.Name, &v1alpha1.Agent{})
	case s.AutoReply != nil:
		out.AutoReply = s.AutoReply.TemplateRef.Name
		err = r.template(path.Child("autoReply", "templateRef"), out.AutoReply, spec)
	case s.Tag != nil:
		out.Tags = slices.Clone(s.Tag.Add)
	case s.Close != nil:
		out.Close = &flow.Close{Disposition: s.Close.Disposition}
	case s.Wait != nil && s.Wait.UntilOpen != nil:
		out.Wait = &flow.Wait{UntilOpen: s.Wait.UntilOpen.Name}
		err = r.schedule(path.Child("wait", "untilOpen"), s.Wait.UntilOpen.Name, spec)
	case s.Wait != nil && s.Wait.For != nil:
		out.Wait = &flow.Wait{For: s.Wait.For.Duration}
	}
	return out, err
}

func (r *flowResolver) add(path *field.Path, reason, message string) {
	r.problems = append(r.problems, Problem{path, field.ErrorTypeInvalid, reason, message})
}

// find reads an object that must exist.
func (r *flowResolver) find(path *field.Path, kind, name string, into client.Object) (bool, error) {
	err := r.Reader.Get(r.ctx, client.ObjectKey{Namespace: r.namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err) || (err == nil && !into.GetDeletionTimestamp().IsZero()):
		r.problems = append(r.problems, Problem{path, field.ErrorTypeNotFound, v1alpha1.ReasonReferenceMissing, kind + " " + name + " does not exist"})
		return false, nil
	case err != nil:
		return false, fmt.Errorf("get %s %s: %w", kind, name, err)
	}
	return true, nil
}

func (r *flowResolver) queue(path *field.Path, name string) error {
	var q v1alpha1.Queue
	found, err := r.find(path, kindQueue, name, &q)
	if found && q.Spec.Channel != v1alpha1.ChannelEmail {
		r.add(path, v1alpha1.ReasonQueueWrongChannel, "Queue "+name+" is not a queue of channel Email")
	}
	return err
}

// template brings a template along; one that cannot be used is empty, so that the conditions can be checked all the same.
func (r *flowResolver) template(path *field.Path, name string, spec *flow.Spec) error {
	var m v1alpha1.MessageTemplate
	found, err := r.find(path, kindTemplate, name, &m)
	if err != nil {
		return err
	}
	var out flow.Template
	switch fault := TemplateFault(&m); {
	case !found:
	case m.Spec.Type != v1alpha1.MessageAutoReply:
		r.add(path, v1alpha1.ReasonTemplateWrongType, "MessageTemplate "+name+" is not of type AutoReply")
	case fault != "":
		r.add(path, v1alpha1.ReasonReferenceInvalid, "MessageTemplate "+name+": "+fault)
	default:
		out = flow.Template{Subject: m.Spec.Subject, Text: m.Spec.Body.Text, HTML: m.Spec.Body.HTML}
	}
	if spec.Templates == nil {
		spec.Templates = map[string]flow.Template{}
	}
	spec.Templates[name] = out
	return nil
}

// TemplateFault says which text of a template is none, and why; empty when all are.
func TemplateFault(m *v1alpha1.MessageTemplate) string {
	for _, text := range templateTexts(m) {
		if _, err := template.Parse(text.text); err != nil {
			return text.path.String() + ": " + err.Error()
		}
	}
	return ""
}

// schedule brings a schedule along; one that cannot be used is never open.
func (r *flowResolver) schedule(path *field.Path, name string, spec *flow.Spec) error {
	var s v1alpha1.Schedule
	if _, known := spec.Schedules[name]; known || name == "" { // the compiler says what is wrong with a call without a name
		return nil
	}
	found, err := r.find(path, kindSchedule, name, &s)
	if err != nil {
		return err
	}
	out := schedule.Spec{TimeZone: "UTC"}
	if found {
		problems, err := r.Schedule(r.ctx, &s)
		switch {
		case err != nil:
			return err
		case len(problems) > 0:
			r.add(path, v1alpha1.ReasonReferenceInvalid, "Schedule "+name+": "+problems[0].Field.String()+": "+problems[0].Message)
		default:
			out = ScheduleSpec(&s)
		}
	}
	if spec.Schedules == nil {
		spec.Schedules = map[string]schedule.Spec{}
	}
	spec.Schedules[name] = out
	return nil
}
