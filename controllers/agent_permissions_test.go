package controllers

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

type names = []v1alpha1.ModuleName

// An agent lives through upgrades of Ringmaster and changes of the spec.
func TestModulesOverReleases(t *testing.T) {
	first, second := names{"Email", "Voice"}, names{"Email", "Fax", "Voice"}
	type step struct {
		modules       v1alpha1.ModulePermissions
		known         names
		want          names
		wantSnapshots names
	}
	all := func(rule v1alpha1.NewModulesRule, denied ...v1alpha1.ModuleName) v1alpha1.ModulePermissions {
		return v1alpha1.ModulePermissions{Policy: v1alpha1.ModulesAllowAll, NewModules: rule, Denied: denied}
	}
	list := func(listed ...v1alpha1.ModuleName) v1alpha1.ModulePermissions {
		return v1alpha1.ModulePermissions{Policy: v1alpha1.ModulesList, NewModules: v1alpha1.NewModulesDeny, List: listed}
	}
	for name, steps := range map[string][]step{
		"an upgrade grants nothing":              {{all("Deny"), first, first, first}, {all("Deny"), second, first, first}},
		"unless told so":                         {{all("Allow"), first, first, first}, {all("Allow"), second, second, second}},
		"what was granted stays":                 {{all("Allow"), second, second, second}, {all("Deny"), second, second, second}},
		"granted later":                          {{all("Deny"), first, first, first}, {all("Allow"), second, second, second}},
		"an agent created after it has all":      {{all("Deny"), second, second, second}},
		"denied counts most":                     {{all("Allow", "Voice"), second, names{"Email", "Fax"}, second}},
		"a list is explicit":                     {{list("Voice"), first, names{"Voice"}, first}, {list("Voice", "Fax"), second, names{"Fax", "Voice"}, first}},
		"an empty list grants none":              {{list(), first, nil, first}},
		"a name of another version":              {{list("Voice", "Fax"), first, names{"Voice"}, first}, {list("Voice", "Fax"), second, names{"Fax", "Voice"}, first}},
		"a downgrade and back forgets nothing":   {{all("Deny"), second, second, second}, {all("Deny"), first, first, second}, {all("Deny"), second, second, second}},
		"a downgrade while new ones are allowed": {{all("Allow"), second, second, second}, {all("Allow"), first, first, second}},
	} {
		t.Run(name, func(t *testing.T) {
			var snapshot names
			for n, s := range steps {
				snapshot = modulesSnapshot(s.modules, snapshot, s.known)
				if diff := cmp.Diff(s.wantSnapshots, snapshot); diff != "" {
					t.Errorf("step %d: snapshot (-want +got):\n%s", n, diff)
				}
				if diff := cmp.Diff(s.want, grantedModules(s.modules, snapshot, s.known)); diff != "" {
					t.Errorf("step %d: granted (-want +got):\n%s", n, diff)
				}
			}
		})
	}
}

func TestPermissionsAsTheDeskReadsThem(t *testing.T) {
	a := &v1alpha1.Agent{}
	a.Spec.Permissions = v1alpha1.AgentPermissions{
		InternalMessenger: v1alpha1.Denied, RecallMeCampaign: v1alpha1.Allowed,
		Modules:   v1alpha1.ModulePermissions{Policy: v1alpha1.ModulesAllowAll, Denied: names{v1alpha1.ModuleVoice}},
		Downloads: v1alpha1.DownloadPermissions{Attachments: v1alpha1.Denied, Interactions: v1alpha1.Allowed, Recordings: v1alpha1.Denied},
		Contacts:  v1alpha1.ContactPermissions{Edit: v1alpha1.Allowed},
	}
	a.Spec.SensitiveData = v1alpha1.SensitiveMasked
	center := &v1alpha1.ContactCenter{}
	center.Spec.Security.Masking.Characters = 7
	raw, err := permissions(a, center)
	if err != nil {
		t.Fatal(err)
	}
	var got desk.Permissions
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := desk.Permissions{
		Role:              "Agent",
		InternalMessenger: "Denied", RecallMeCampaign: "Allowed", Modules: []string{"Colleagues", "Contacts", "Email", "Voicemail"},
		Downloads:     desk.Downloads{Attachments: "Denied", Interactions: "Allowed", Recordings: "Denied"},
		Contacts:      desk.ContactRights{Edit: "Allowed", Import: "Denied"},
		SensitiveData: "Masked", MaskedCharacters: 7,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(v1alpha1.Modules(), a.Status.ModulesSnapshot); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}

func TestClientLogsAsTheDeskReadsThem(t *testing.T) {
	for name, test := range map[string]struct {
		agent  v1alpha1.AgentClientLogs
		center v1alpha1.ClientLogsSpec
		want   string
	}{
		"disabled":   {v1alpha1.AgentClientLogs{Level: v1alpha1.ClientLogsDisabled}, v1alpha1.ClientLogsSpec{Sink: "Stdout"}, ""},
		"not set":    {v1alpha1.AgentClientLogs{}, v1alpha1.ClientLogsSpec{Sink: "Volume"}, ""},
		"on stdout":  {v1alpha1.AgentClientLogs{Level: "Info", Scopes: []v1alpha1.ClientLogScope{"All"}}, v1alpha1.ClientLogsSpec{Sink: "Stdout"}, `{"level":"Info","scopes":["All"],"sink":"Stdout"}`},
		"on volumes": {v1alpha1.AgentClientLogs{Level: "Debug", Scopes: []v1alpha1.ClientLogScope{"Phone"}}, v1alpha1.ClientLogsSpec{Sink: "Volume", Retention: &metav1.Duration{Duration: 36 * time.Hour}}, `{"level":"Debug","scopes":["Phone"],"sink":"Volume","retentionDays":2}`},
	} {
		a, center := &v1alpha1.Agent{}, &v1alpha1.ContactCenter{}
		a.Spec.ClientLogs, center.Spec.ClientLogs = test.agent, test.center
		if got, err := clientLogs(a, center); err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestSupervisorsOfAnAgent(t *testing.T) {
	team := func(gone bool, supervisors ...string) v1alpha1.Team {
		var t v1alpha1.Team
		for _, name := range supervisors {
			t.Spec.Supervisors = append(t.Spec.Supervisors, v1alpha1.ObjectReference{Name: name})
		}
		if gone {
			t.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		}
		return t
	}
	got := supervisorNames("alice", []v1alpha1.Team{team(false, "bob", "alice"), team(false), team(true, "carol"), team(false, "dave")})
	if diff := cmp.Diff([]string{"bob", "dave"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	a := &v1alpha1.Agent{}
	a.Spec.Role = v1alpha1.RoleAdmin
	raw, err := permissions(a, &v1alpha1.ContactCenter{})
	if err != nil {
		t.Fatal(err)
	}
	var p desk.Permissions
	if err := json.Unmarshal(raw, &p); err != nil || p.Role != desk.RoleAdmin {
		t.Errorf("role %q, %v", p.Role, err)
	}
}

func TestSessionOfAnAgent(t *testing.T) {
	for _, test := range []struct {
		signedIn bool
		stream   store.StreamState
		want     string
		again    time.Duration
	}{
		{false, store.StreamState{}, "Disconnected", 0},
		{true, store.StreamState{}, "Disconnected", 0},
		{true, store.StreamState{Open: true}, "Connected", 0},
		{true, store.StreamState{EndedAgo: 20 * time.Second}, "Reconnecting", 40 * time.Second},
		{false, store.StreamState{EndedAgo: 20 * time.Second}, "Disconnected", 0},
		{true, store.StreamState{EndedAgo: time.Minute}, "Disconnected", 0},
	} {
		a, s := &v1alpha1.Agent{}, newScope(nil, 1)
		showSession(a, test.signedIn, test.stream, s)
		if a.Status.Session.State != test.want || s.requeueAfter != test.again {
			t.Errorf("%+v: %s, again after %s", test, a.Status.Session.State, s.requeueAfter)
		}
	}
}
