package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func testRoster() *roster {
	agent := func(name, team string, state v1alpha1.AccountState) *v1alpha1.Agent {
		a := &v1alpha1.Agent{}
		a.Name, a.Labels = name, map[string]string{"team": team}
		a.Spec.AccountState = state
		return a
	}
	r := &roster{agents: map[string]*v1alpha1.Agent{}, teams: map[string]*v1alpha1.Team{}}
	for _, a := range []*v1alpha1.Agent{
		agent("alice", "billing", v1alpha1.AccountActive), agent("bob", "billing", v1alpha1.AccountDeactivated),
		agent("carol", "support", v1alpha1.AccountActive), agent("dave", "support", v1alpha1.AccountActive),
	} {
		r.agents[a.Name] = a
	}
	t := &v1alpha1.Team{}
	t.Name = "billing"
	t.Spec.Members.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "billing"}}
	t.Spec.Members.Refs = []v1alpha1.ObjectReference{{Name: "carol"}, {Name: "alice"}, {Name: "nobody"}}
	r.teams[t.Name] = t
	return r
}

func TestTeamMembers(t *testing.T) {
	r := testRoster()
	for name, c := range map[string]struct {
		members          v1alpha1.TeamMembers
		want, wantMisses []string
		wantErr          bool
	}{
		"refs and selector, once each": {r.teams["billing"].Spec.Members, []string{"alice", "bob", "carol"}, []string{"agent nobody"}, false},
		"empty selector matches all":   {v1alpha1.TeamMembers{Selector: &metav1.LabelSelector{}}, []string{"alice", "bob", "carol", "dave"}, nil, false},
		"absent selector matches none": {v1alpha1.TeamMembers{}, nil, nil, false},
		"a selector that does not parse": {v1alpha1.TeamMembers{Selector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "team", Operator: "Near"},
		}}}, nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			team := &v1alpha1.Team{}
			team.Spec.Members = c.members
			got, missing, err := r.team(team)
			if (err != nil) != c.wantErr {
				t.Fatalf("error %v", err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("members (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.wantMisses, missing); d != "" {
				t.Errorf("missing (-want +got):\n%s", d)
			}
		})
	}
}

func TestQueueMembers(t *testing.T) {
	ref := func(name string) *v1alpha1.ObjectReference { return &v1alpha1.ObjectReference{Name: name} }
	for name, c := range map[string]struct {
		members []v1alpha1.QueueMember
		want    []v1alpha1.EffectiveMember
		misses  []string
	}{
		"a team without its deactivated agent": {
			[]v1alpha1.QueueMember{{TeamRef: ref("billing")}},
			[]v1alpha1.EffectiveMember{{Agent: "alice"}, {Agent: "carol"}}, nil,
		},
		"the lowest penalty wins, whatever the order": {
			[]v1alpha1.QueueMember{{TeamRef: ref("billing"), Penalty: 5}, {AgentRef: ref("carol"), Penalty: 2}, {AgentSelector: &metav1.LabelSelector{}, Penalty: 9}},
			[]v1alpha1.EffectiveMember{{Agent: "alice", Penalty: 5}, {Agent: "carol", Penalty: 2}, {Agent: "dave", Penalty: 9}}, nil,
		},
		"references that lead nowhere": {
			[]v1alpha1.QueueMember{{TeamRef: ref("sales")}, {AgentRef: ref("eve")}, {AgentRef: ref("dave")}},
			[]v1alpha1.EffectiveMember{{Agent: "dave"}}, []string{"team sales", "agent eve"},
		},
		"nobody": {nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			q := &v1alpha1.Queue{}
			q.Spec.Members = c.members
			got, missing, err := testRoster().queue(q)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("members (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.misses, missing); d != "" {
				t.Errorf("missing (-want +got):\n%s", d)
			}
		})
	}
}

func TestAccountAgents(t *testing.T) {
	r := testRoster()
	refs := func(names ...string) (list []v1alpha1.ObjectReference) {
		for _, name := range names {
			list = append(list, v1alpha1.ObjectReference{Name: name})
		}
		return list
	}
	got, missing, err := r.account(v1alpha1.EmailAgents{Refs: refs("dave", "nobody", "alice"), TeamRefs: refs("billing", "gone")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"alice", "bob", "carol", "dave"}, got); d != "" {
		t.Errorf("agents (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"agent nobody", "team gone"}, missing); d != "" {
		t.Errorf("missing (-want +got):\n%s", d)
	}
	if got, _, err := r.account(v1alpha1.EmailAgents{Selector: &metav1.LabelSelector{}}); err != nil || len(got) != 4 {
		t.Errorf("an empty selector matches %v, %v", got, err)
	}
	if got, _, err := (&roster{}).account(v1alpha1.EmailAgents{}); err != nil || len(got) != 0 {
		t.Errorf("nothing matches %v, %v", got, err)
	}
}
