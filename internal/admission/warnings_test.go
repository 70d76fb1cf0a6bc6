package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func pbx(name string, change ...func(*v1alpha1.PBX)) *v1alpha1.PBX {
	p := &v1alpha1.PBX{ObjectMeta: meta(name, 9)}
	p.Spec.AdvertisedAddress = "pbx.example.com"
	for _, f := range change {
		f(p)
	}
	return p
}

func checkWarnings(t *testing.T, warnings []string, err error, want []string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestLegacyWordsForNAT(t *testing.T) {
	for name, test := range map[string]struct {
		nat           v1alpha1.SIPNAT
		compatibility v1alpha1.SIPNATCompatibility
		want          []string
	}{
		"none":    {"ForceRportComedia", "Current", nil},
		"Never":   {"Never", "Current", []string{"spec.sip.nat: Never is a word of older systems and means None"}},
		"Route":   {"Route", "Current", []string{"RouteIsLegacy: spec.sip.nat: Route is a word of Asterisk 1.4 and means None; natCompatibility Asterisk14 gives it its old meaning"}},
		"Route14": {"Route", "Asterisk14", []string{"RouteIsLegacy: spec.sip.nat: Route is a word of Asterisk 1.4 and means ForceRportComedia with natCompatibility Asterisk14"}},
	} {
		t.Run(name, func(t *testing.T) {
			sip := v1alpha1.SIPAccount{NAT: test.nat, NATCompatibility: test.compatibility}
			c := Checker{Reader: reader(t)}
			warnings, err := c.AgentWarnings(t.Context(), agent("alice", 1, func(a *v1alpha1.Agent) { a.Spec.SIP.SIPAccount = sip }))
			checkWarnings(t, warnings, err, test.want)
			warnings, err = c.TelephoneWarnings(t.Context(), deskPhone("desk7", 1, func(p *v1alpha1.Telephone) { p.Spec.SIP = sip }))
			checkWarnings(t, warnings, err, test.want)
		})
	}
}

func TestPhonebarPort(t *testing.T) {
	dials := func(port int32) func(*v1alpha1.Agent) {
		return func(a *v1alpha1.Agent) { a.Spec.Phonebar = &v1alpha1.PhonebarSettings{SIPPort: port} }
	}
	listens := func(transports v1alpha1.PBXTransports) func(*v1alpha1.PBX) {
		return func(p *v1alpha1.PBX) { p.Spec.Transports = transports }
	}
	two := []client.Object{
		pbx("main", listens(v1alpha1.PBXTransports{UDP: &v1alpha1.TransportPort{Port: 5060}})),
		pbx("second", listens(v1alpha1.PBXTransports{TLS: &v1alpha1.TransportPort{Port: 5061}})),
	}
	elsewhere := pbx("other", listens(v1alpha1.PBXTransports{UDP: &v1alpha1.TransportPort{Port: 5080}}))
	elsewhere.Namespace = "other"
	for name, test := range map[string]struct {
		others []client.Object
		port   int32
		want   []string
	}{
		"the first PBX's":     {two, 5060, nil},
		"the second PBX's":    {two, 5061, nil},
		"the default":         {two, 0, nil},
		"nobody's":            {append(two, elsewhere), 5080, []string{"spec.phonebar.sipPort: no transport of a PBX listens on port 5080"}},
		"before there is one": {nil, 5080, nil},
	} {
		t.Run(name, func(t *testing.T) {
			warnings, err := Checker{Reader: reader(t, test.others...)}.AgentWarnings(t.Context(), agent("alice", 1, dials(test.port)))
			checkWarnings(t, warnings, err, test.want)
		})
	}
}

func TestQueuesOfAnAgentWhoCannotBeCalled(t *testing.T) {
	with := func(name string, channel v1alpha1.QueueChannel, members ...v1alpha1.QueueMember) *v1alpha1.Queue {
		q := queue(name, 9, "")
		q.Spec.Channel, q.Spec.Members = channel, members
		return q
	}
	rome := &metav1.LabelSelector{MatchLabels: map[string]string{"site": "rome"}}
	team := func(name string, members v1alpha1.TeamMembers) *v1alpha1.Team {
		return &v1alpha1.Team{ObjectMeta: meta(name, 9), Spec: v1alpha1.TeamSpec{Members: members}}
	}
	byTeam := func(name string) v1alpha1.QueueMember {
		return v1alpha1.QueueMember{TeamRef: &v1alpha1.ObjectReference{Name: name}}
	}
	dora := v1alpha1.QueueMember{AgentRef: &v1alpha1.ObjectReference{Name: "dora"}}
	r := reader(t,
		team("by-name", v1alpha1.TeamMembers{Refs: []v1alpha1.ObjectReference{{Name: "dora"}}}),
		team("by-label", v1alpha1.TeamMembers{Selector: rome}),
		team("strangers", v1alpha1.TeamMembers{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"site": "oslo"}}}),
		with("g", v1alpha1.ChannelVoice, v1alpha1.QueueMember{AgentRef: &v1alpha1.ObjectReference{Name: "alice"}}, dora, dora),
		with("f", v1alpha1.ChannelVoice, v1alpha1.QueueMember{AgentSelector: rome}),
		with("e", v1alpha1.ChannelVoice, byTeam("by-name")),
		with("d", v1alpha1.ChannelVoice, byTeam("absent"), byTeam("by-label")),
		with("c", v1alpha1.ChannelVoice, byTeam("strangers"), byTeam("absent")),
		with("b", v1alpha1.ChannelEmail, dora),
		with("a", v1alpha1.ChannelVoice),
	)
	for role, want := range map[v1alpha1.SIPRole][]string{
		v1alpha1.RoleUser:   {"spec.sip.role: User cannot be called, so these queues leave the agent out: d, e, f, g"},
		v1alpha1.RoleFriend: nil,
		v1alpha1.RolePeer:   nil,
	} {
		who := agent("dora", 1, ofRole(role))
		who.Labels = map[string]string{"site": "rome"}
		warnings, err := Checker{Reader: r}.AgentWarnings(t.Context(), who)
		checkWarnings(t, warnings, err, want)
	}
	warnings, err := Checker{Reader: r}.AgentWarnings(t.Context(), agent("emil", 1, ofRole(v1alpha1.RoleUser)))
	checkWarnings(t, warnings, err, nil)
}

func TestUnknownModules(t *testing.T) {
	names := func(m v1alpha1.ModulePermissions) func(*v1alpha1.Agent) {
		return func(a *v1alpha1.Agent) { a.Spec.Permissions.Modules = m }
	}
	for name, test := range map[string]struct {
		modules v1alpha1.ModulePermissions
		want    []string
	}{
		"known": {v1alpha1.ModulePermissions{List: []v1alpha1.ModuleName{"Voice", "Email"}, Denied: []v1alpha1.ModuleName{"Voicemail"}}, nil},
		"unknown": {v1alpha1.ModulePermissions{List: []v1alpha1.ModuleName{"Voice", "Fax"}, Denied: []v1alpha1.ModuleName{"Telex"}}, []string{
			"spec.permissions.modules.denied: this version knows no module Telex", "spec.permissions.modules.list: this version knows no module Fax",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			warnings, err := Checker{Reader: reader(t)}.AgentWarnings(t.Context(), agent("alice", 1, names(test.modules)))
			checkWarnings(t, warnings, err, test.want)
		})
	}
}

func TestDuplicatesAreWantedWarning(t *testing.T) {
	account := &v1alpha1.EmailAccount{}
	warnings, err := Checker{}.EmailAccountWarnings(t.Context(), account)
	checkWarnings(t, warnings, err, nil)
	account.Spec.IMAP.DuplicateCheck = v1alpha1.Disabled
	warnings, err = Checker{}.EmailAccountWarnings(t.Context(), account)
	checkWarnings(t, warnings, err, []string{"spec.imap.duplicateCheck: Disabled makes a new interaction of a mail each time somebody marks it unread on the server"})
}

func TestUnusualSecurityOfAPort(t *testing.T) {
	for name, test := range map[string]struct {
		port     int32
		security v1alpha1.TransportSecurity
		want     []string
	}{
		"usual":      {587, v1alpha1.SecurityStartTLS, nil},
		"left out":   {587, "", nil},
		"other port": {2525, v1alpha1.SecurityTLS, nil},
		"unusual":    {587, v1alpha1.SecurityTLS, []string{"spec.smtp.security: servers usually expect StartTLS on port 587"}},
	} {
		t.Run(name, func(t *testing.T) {
			account := &v1alpha1.EmailAccount{}
			account.Spec.SMTP.Port, account.Spec.SMTP.Security = test.port, test.security
			warnings, err := Checker{}.EmailAccountWarnings(t.Context(), account)
			checkWarnings(t, warnings, err, test.want)
		})
	}
}

func TestWarningsOfProfiles(t *testing.T) {
	profile := &v1alpha1.AgentProfile{ObjectMeta: meta("standard", 9)}
	elsewhere := &v1alpha1.AgentProfile{ObjectMeta: meta("night", 9)}
	elsewhere.Namespace = "other"
	main := pbx("main", func(p *v1alpha1.PBX) { p.Spec.Transports.UDP = &v1alpha1.TransportPort{Port: 5060} })
	c := Checker{Reader: reader(t, profile, elsewhere, main)}
	refersTo := func(name string) *v1alpha1.Agent {
		return agent("alice", 1, func(a *v1alpha1.Agent) { a.Spec.ProfileRef = &v1alpha1.ObjectReference{Name: name} })
	}
	warnings, err := c.AgentWarnings(t.Context(), refersTo("standard"))
	checkWarnings(t, warnings, err, nil)
	warnings, err = c.AgentWarnings(t.Context(), refersTo("night"))
	checkWarnings(t, warnings, err, []string{"spec.profileRef: AgentProfile night does not exist"})

	profile.Spec.Phonebar = &v1alpha1.PhonebarSettings{SIPPort: 5060}
	warnings, err = c.AgentProfileWarnings(t.Context(), profile)
	checkWarnings(t, warnings, err, nil)
	profile.Spec.Phonebar.SIPPort = 5080
	profile.Spec.Permissions.Modules.Denied = []v1alpha1.ModuleName{v1alpha1.ModuleVoice, "Voicemial"}
	warnings, err = c.AgentProfileWarnings(t.Context(), profile)
	checkWarnings(t, warnings, err, []string{
		"spec.phonebar.sipPort: no transport of a PBX listens on port 5080", "spec.permissions.modules.denied: this version knows no module Voicemial"})
}
