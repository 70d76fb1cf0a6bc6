package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// errNotReady makes the exit status 1; what is not ready has been said.
var errNotReady = errors.New("something is not ready")

// kind of objects that a center consists of.
type kind struct {
	name string
	list func() client.ObjectList
}

var kinds = []kind{
	{"ContactCenter", func() client.ObjectList { return &v1alpha1.ContactCenterList{} }},
	{"PBX", func() client.ObjectList { return &v1alpha1.PBXList{} }},
	{"AgentProfile", func() client.ObjectList { return &v1alpha1.AgentProfileList{} }},
	{"Agent", func() client.ObjectList { return &v1alpha1.AgentList{} }},
	{"Team", func() client.ObjectList { return &v1alpha1.TeamList{} }},
	{"Telephone", func() client.ObjectList { return &v1alpha1.TelephoneList{} }},
	{"Queue", func() client.ObjectList { return &v1alpha1.QueueList{} }},
	{"EmailAccount", func() client.ObjectList { return &v1alpha1.EmailAccountList{} }},
	{"RoutingFlow", func() client.ObjectList { return &v1alpha1.RoutingFlowList{} }},
	{"Schedule", func() client.ObjectList { return &v1alpha1.ScheduleList{} }},
	{"MessageTemplate", func() client.ObjectList { return &v1alpha1.MessageTemplateList{} }},
	{"DispositionSet", func() client.ObjectList { return &v1alpha1.DispositionSetList{} }},
	{"CannedAnswerSet", func() client.ObjectList { return &v1alpha1.CannedAnswerSetList{} }},
	{"ContactList", func() client.ObjectList { return &v1alpha1.ContactListList{} }},
}

func statusCommand(c *cluster) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what is not ready, the PBXes and the phones of a namespace",
		Long: `Show the center of a namespace: every object that is not Ready, with reason and message, whether each PBX is connected and has the
present configuration, and how many phones are registered. The exit status is 1 if something is not Ready.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			s, err := look(cmd.Context(), cl, namespace)
			if err != nil {
				return err
			}
			if err := s.print(cmd.OutOrStdout()); err != nil {
				return err
			}
			if len(s.faults) > 0 {
				return errNotReady
			}
			return nil
		},
	}
}

// state of a center.
type state struct {
	namespace string
	counts    map[string]count
	faults    []fault
	pbxes     []v1alpha1.PBX
	phones    count
}

// count of good ones among all.
type count struct{ good, all int }

// fault is an object that is not Ready.
type fault struct{ kind, name, reason, message string }

func look(ctx context.Context, cl client.Client, namespace string) (*state, error) {
	s := &state{namespace: namespace, counts: map[string]count{}}
	for _, k := range kinds {
		list := k.list()
		for err := range pages(ctx, cl, list, client.InNamespace(namespace)) {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.name, err)
			}
			if err := meta.EachListItem(list, func(o runtime.Object) error { return s.add(k.name, o) }); err != nil {
				return nil, err
			}
		}
	}
	if s.counts["ContactCenter"].all == 0 {
		s.faults = append([]fault{{"ContactCenter", "-", v1alpha1.ReasonContactCenterMissing, "namespace " + namespace + " has no ContactCenter"}}, s.faults...)
	}
	return s, nil
}

func (s *state) add(kind string, o runtime.Object) error {
	object, ok := o.(v1alpha1.Object)
	if !ok {
		return fmt.Errorf("%s: unexpected type %T", kind, o)
	}
	n := s.counts[kind]
	n.all++
	ready := meta.FindStatusCondition(object.CommonStatus().Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		s.faults = append(s.faults, fault{kind, object.GetName(), "NotObserved", "no manager has looked at it yet"})
	case ready.Status == metav1.ConditionTrue && object.CommonStatus().ObservedGeneration < object.GetGeneration():
		s.faults = append(s.faults, fault{kind, object.GetName(), v1alpha1.ReasonProgressing, "the latest change has not been looked at yet"})
	case ready.Status != metav1.ConditionTrue:
		s.faults = append(s.faults, fault{kind, object.GetName(), ready.Reason, ready.Message})
	default:
		n.good++
	}
	s.counts[kind] = n
	switch v := o.(type) {
	case *v1alpha1.PBX:
		s.pbxes = append(s.pbxes, *v)
	case *v1alpha1.Agent:
		s.phones.add(v.Status.SIP.State)
	case *v1alpha1.Telephone:
		s.phones.add(v.Status.SIP.State)
	}
	return nil
}

func (c *count) add(state string) {
	c.all++
	if state == "Registered" {
		c.good++
	}
}

// print writes three tables: what there is, the PBXes, and what is not ready.
func (s *state) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 3, ' ', 0)
	fmt.Fprintf(t, "Namespace %s\n\nKIND\tREADY\n", s.namespace)
	for _, k := range kinds {
		if n := s.counts[k.name]; n.all > 0 {
			fmt.Fprintf(t, "%s\t%d/%d\n", k.name, n.good, n.all)
		}
	}
	fmt.Fprintf(t, "Phones registered\t%d/%d\n", s.phones.good, s.phones.all)
	if len(s.pbxes) > 0 {
		fmt.Fprint(t, "\nPBX\tCONNECTED\tIN-SYNC\tENDPOINTS\tREGISTERED\n")
	}
	for _, p := range s.pbxes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", p.Name, condition(p.Status.Conditions, v1alpha1.ConditionConnected),
			condition(p.Status.Conditions, v1alpha1.ConditionInSync), p.Status.Endpoints, p.Status.Registered)
	}
	if len(s.faults) > 0 {
		fmt.Fprint(t, "\nNOT READY\tREASON\tMESSAGE\n")
	}
	for _, f := range s.faults {
		fmt.Fprintf(t, "%s/%s\t%s\t%s\n", strings.ToLower(f.kind), f.name, f.reason, oneLine(f.message))
	}
	return t.Flush()
}

func condition(conditions []metav1.Condition, name string) string {
	if i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == name }); i >= 0 {
		return string(conditions[i].Status)
	}
	return string(metav1.ConditionUnknown)
}

// oneLine keeps what others wrote from breaking the table or steering the terminal.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, unicode.IsControl), " ")
}
