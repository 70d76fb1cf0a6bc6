package voice

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testPBX() PBX {
	return PBX{Realm: "ringmaster", UDPPort: 5060, TCPPort: 5060, WSSPort: 8089}
}

func testEndpoint(extension string) Endpoint {
	user := "user" + extension
	return Endpoint{
		Key: "Agent/" + user, Extension: extension, Username: user, DisplayName: "User " + extension,
		HA1: HA1(user, "ringmaster", "secret"),
	}
}

func small() Center {
	alice := testEndpoint("1001")
	alice.DisplayName = "Alice Rossi"
	alice.Transport = WSS
	alice.Voicemail = &Mailbox{PIN: "4711"}
	alice.CallGroups, alice.PickupGroups = []int{3, 1, 3}, []int{1}
	bob := testEndpoint("1002")
	bob.CallerID = CallerID{Name: `Bob "B"; \ O'Neil`, Number: "+391234"}
	bob.NAT = NATComedia
	bob.Codecs = []string{"g722", "alaw"}
	bob.Expires = 3 * time.Hour
	bob.Context = "internal"
	bob.Voicemail = &Mailbox{PIN: "0815", FullName: "Neil, Bob; Jr."}
	caller := testEndpoint("20")
	caller.Role = User
	caller.Transport = TCP
	caller.NAT = NATNone
	pbx := testPBX()
	pbx.AllowedContexts = []string{"internal"}
	return Center{
		PBX:    pbx,
		Agents: []Endpoint{bob, caller, alice},
		Queues: []Queue{
			{Key: "Queue/support", Name: "support", Number: "600", Strategy: RRMemory, WrapUpTime: 15 * time.Second,
				Members: []Member{{Extension: "1002", Penalty: 5, Name: `Bob, "B" (2`}, {Extension: "1001", Name: "Alice Rossi"}}},
			{Key: "Queue/empty", Name: "empty"},
		},
	}
}

func advertised() Center {
	pbx := PBX{
		Realm: "pbx.example.com", UDPPort: 5080, BindAddress: "10.0.0.5", AdvertisedAddress: "198.51.100.7",
		LocalNetworks: []string{"10.0.0.0/8"}, RingTimeout: 30500 * time.Millisecond, QualifyInterval: time.Minute,
	}
	e := testEndpoint("3001")
	e.HA1 = HA1(e.Username, pbx.Realm, "secret")
	return Center{PBX: pbx, Agents: []Endpoint{e}}
}

func TestRenderGolden(t *testing.T) {
	for name, center := range map[string]Center{
		"small": small(), "advertised": advertised(), "none": {PBX: PBX{Realm: "ringmaster", UDPPort: 5060}},
		"everything": everything(t),
	} {
		t.Run(name, func(t *testing.T) {
			snapshot, err := Render(center)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range snapshot.Files {
				if f.Path == CertificateFile || f.Path == KeyFile {
					continue // made anew in every run
				}
				path := filepath.Join("testdata", name, f.Path)
				if *update {
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, f.Content, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(f.Content)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}

func TestRenderIsDeterministic(t *testing.T) {
	base := everything(t)
	first, err := Render(base)
	if err != nil {
		t.Fatal(err)
	}
	again := deepCopy(base)
	slices.Reverse(again.Agents)
	slices.Reverse(again.Telephones)
	slices.Reverse(again.Queues)
	for i := range again.Queues {
		slices.Reverse(again.Queues[i].Members)
		slices.Reverse(again.Queues[i].JoinWhenEmpty)
	}
	slices.Reverse(again.PBX.MusicClasses)
	slices.Reverse(again.PBX.ServicePrefixes)
	second, err := Render(again)
	if err != nil {
		t.Fatal(err)
	}
	first.Objects, second.Objects = nil, nil // a queue's own fingerprint keeps the order of its reasons
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the order of the input shows:\n%s", diff)
	}
}

func TestRenderChangesOnlyWhatChanged(t *testing.T) {
	base := everything(t)
	hashes := func(c Center) map[string]string {
		s, err := Render(c)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, f := range s.Files {
			m[f.Path] = f.SHA256
		}
		return m
	}
	for name, tc := range map[string]struct {
		change func(*Center)
		want   []string
	}{
		"nothing":     {func(*Center) {}, nil},
		"secret":      {func(c *Center) { c.Agents[0].HA1 = HA1("user1002", "ringmaster", "other") }, []string{PJSIPAuthFile}},
		"policy":      {func(c *Center) { c.Agents[0].ManualRecording = true }, []string{PJSIPEndpointFile}},
		"supervisors": {func(c *Center) { c.Agents[2].Supervisors = nil }, []string{PJSIPEndpointFile}},
		"ring in use": {func(c *Center) { c.Agents[0].RingInUse = true }, []string{PJSIPEndpointFile, QueuesFile}},
		"seat":        {func(c *Center) { c.Agents[0].Telephone = "Desk_2" }, []string{QueuesFile}},
		"penalty":     {func(c *Center) { c.Queues[0].Members[0].Penalty = 1 }, []string{QueuesFile}},
		"pin":         {func(c *Center) { c.Agents[0].Voicemail.PIN = "9999" }, []string{VoicemailFile}},
		"owner":       {func(c *Center) { c.Agents[0].Voicemail.Owner = "another" }, []string{VoicemailFile}},
		"number":      {func(c *Center) { c.Queues[0].Number = "601" }, []string{ExtensionsFile}},
		"waiting":     {func(c *Center) { c.Queues[0].MaxWaitTime = time.Minute }, []string{ExtensionsFile}},
		"music":       {func(c *Center) { c.PBX.MusicClasses[0].Directory = "other" }, []string{MusicFile}},
		"certificate": {func(c *Center) { c.PBX.Certificate = selfSigned(t) }, []string{CertificateFile, KeyFile}},
		"same size":   {func(c *Center) { c.Agents = append(c.Agents, testEndpoint("1009")) }, []string{PJSIPAORFile, PJSIPAuthFile, PJSIPEndpointFile}},
	} {
		t.Run(name, func(t *testing.T) {
			c := deepCopy(base)
			tc.change(&c)
			before, after := hashes(base), hashes(c)
			var changed []string
			for path := range before {
				if before[path] != after[path] {
					changed = append(changed, path)
				}
			}
			slices.Sort(changed)
			if diff := cmp.Diff(tc.want, changed); diff != "" {
				t.Errorf("changed files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObjects(t *testing.T) {
	c := small()
	c.Agents[0].Hash = "given"
	s, err := Render(c)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Agent/user1001": c.Agents[2].Fingerprint(), "Agent/user1002": "given", "Agent/user20": c.Agents[1].Fingerprint(),
		"Queue/support": c.Queues[0].Fingerprint(), "Queue/empty": c.Queues[1].Fingerprint(),
	}
	if diff := cmp.Diff(want, s.Objects); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if a, b := c.Agents[1].Fingerprint(), c.Agents[2].Fingerprint(); a == b {
		t.Error("different endpoints have one fingerprint")
	}
	seated := c.Agents[1]
	seated.Telephone = "desk"
	if seated.Fingerprint() != c.Agents[1].Fingerprint() {
		t.Error("where an agent sits changes the fingerprint")
	}
}

func TestNATTable(t *testing.T) {
	for nat, want := range map[NAT][]string{
		"":                   {"force_rport=yes", "rtp_symmetric=yes", "rewrite_contact=yes"},
		NATForceRportComedia: {"force_rport=yes", "rtp_symmetric=yes", "rewrite_contact=yes"},
		NATNone:              {"force_rport=no", "rtp_symmetric=no", "rewrite_contact=no"},
		NATForceRport:        {"force_rport=yes", "rtp_symmetric=no", "rewrite_contact=yes"},
		NATComedia:           {"force_rport=no", "rtp_symmetric=yes", "rewrite_contact=no"},
		NATNever:             {"force_rport=no", "rtp_symmetric=no", "rewrite_contact=no"},
		NATRoute:             {"force_rport=no", "rtp_symmetric=no", "rewrite_contact=no"},
		"Route of 1.4":       {"force_rport=yes", "rtp_symmetric=yes", "rewrite_contact=yes"},
	} {
		e := testEndpoint("1001")
		e.NAT, e.NATCompatibility = nat, NATCurrent
		if nat == "Route of 1.4" {
			e.NAT, e.NATCompatibility = NATRoute, NATAsterisk14
		}
		s, err := Render(Center{PBX: testPBX(), Agents: []Endpoint{e}})
		if err != nil {
			t.Fatal(err)
		}
		text := string(fileOf(t, s, PJSIPEndpointFile).Content)
		for _, line := range append(want, "direct_media=no") {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("NAT %q: no line %q", nat, line)
			}
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	endpoint := func(change func(*Endpoint)) func(*Center) {
		return func(c *Center) { change(&c.Agents[0]) }
	}
	queue := func(change func(*Queue)) func(*Center) {
		return func(c *Center) { change(&c.Queues[0]) }
	}
	for name, tc := range map[string]struct {
		change        func(*Center)
		object, field string
	}{
		"line break in name":    {endpoint(func(e *Endpoint) { e.DisplayName = "a\nb" }), "Agent/user1002", "DisplayName"},
		"NUL in caller ID":      {endpoint(func(e *Endpoint) { e.CallerID.Name = "a\x00" }), "Agent/user1002", "CallerID.Name"},
		"bracket in number":     {endpoint(func(e *Endpoint) { e.CallerID.Number = "1>" }), "Agent/user1002", "CallerID.Number"},
		"extension":             {endpoint(func(e *Endpoint) { e.Extension = "12a" }), "Agent/user1002", "Extension"},
		"username":              {endpoint(func(e *Endpoint) { e.Username = "a;b" }), "Agent/user1002", "Username"},
		"HA1":                   {endpoint(func(e *Endpoint) { e.HA1 = "plain" }), "Agent/user1002", "HA1"},
		"codec":                 {endpoint(func(e *Endpoint) { e.Codecs = []string{"mp3"} }), "Agent/user1002", "Codecs"},
		"codec twice":           {endpoint(func(e *Endpoint) { e.Codecs = []string{"alaw", "alaw"} }), "Agent/user1002", "Codecs"},
		"NAT":                   {endpoint(func(e *Endpoint) { e.NAT = "yes" }), "Agent/user1002", "NAT"},
		"context":               {endpoint(func(e *Endpoint) { e.Context = "elsewhere" }), "Agent/user1002", "Context"},
		"group":                 {endpoint(func(e *Endpoint) { e.CallGroups = []int{64} }), "Agent/user1002", "CallGroups"},
		"PIN":                   {endpoint(func(e *Endpoint) { e.Voicemail = &Mailbox{PIN: "12,3"} }), "Agent/user1002", "Voicemail.PIN"},
		"expires":               {endpoint(func(e *Endpoint) { e.Expires = time.Second }), "Agent/user1002", "Expires"},
		"extension twice":       {endpoint(func(e *Endpoint) { e.Extension = "1001" }), "Agent/user1001", "Extension"},
		"no key":                {endpoint(func(e *Endpoint) { e.Key = "" }), "endpoint 1002", "Key"},
		"transport off":         {func(c *Center) { c.PBX.TCPPort = 0 }, "Agent/user20", "Transport"},
		"realm":                 {func(c *Center) { c.PBX.Realm = "a b" }, "PBX", "Realm"},
		"bind":                  {func(c *Center) { c.PBX.BindAddress = "x" }, "PBX", "BindAddress"},
		"advertised":            {func(c *Center) { c.PBX.AdvertisedAddress = "a;b" }, "PBX", "AdvertisedAddress"},
		"local network":         {func(c *Center) { c.PBX.LocalNetworks = []string{"10"} }, "PBX", "LocalNetworks"},
		"port":                  {func(c *Center) { c.PBX.UDPPort = 70000 }, "PBX", "UDPPort"},
		"reserved context":      {func(c *Center) { c.PBX.AllowedContexts = []string{"globals", "internal"} }, "PBX", "AllowedContexts"},
		"queue name":            {queue(func(q *Queue) { q.Name = "a]b" }), "Queue/support", "Name"},
		"queue general":         {queue(func(q *Queue) { q.Name = "general" }), "Queue/support", "Name"},
		"queue number":          {queue(func(q *Queue) { q.Number = "6,1" }), "Queue/support", "Number"},
		"queue number taken":    {queue(func(q *Queue) { q.Number = "1001" }), "Queue/support", "Number"},
		"queue number reserved": {queue(func(q *Queue) { q.Number = "*97" }), "Queue/support", "Number"},
		"strategy":              {queue(func(q *Queue) { q.Strategy = "x" }), "Queue/support", "Strategy"},
		"auto pause":            {queue(func(q *Queue) { q.AutoPause = "x" }), "Queue/support", "AutoPause"},
		"timeout":               {queue(func(q *Queue) { q.Timeout = -1 }), "Queue/support", "Timeout"},
		"member unknown":        {queue(func(q *Queue) { q.Members[0].Extension = "4444" }), "Queue/support", "Members"},
		"member not callable":   {queue(func(q *Queue) { q.Members[0].Extension = "20" }), "Queue/support", "Members"},
		"member twice":          {queue(func(q *Queue) { q.Members[0].Extension = "1001" }), "Queue/support", "Members"},
		"member name":           {queue(func(q *Queue) { q.Members[0].Name = "a\rb" }), "Queue/support", "Members.Name"},
	} {
		t.Run(name, func(t *testing.T) {
			c := small()
			tc.change(&c)
			s, err := Render(c)
			var fault *FieldError
			if !errors.As(err, &fault) || fault.Object != tc.object || fault.Field != tc.field {
				t.Fatalf("got error %v, want one for %s: %s", err, tc.object, tc.field)
			}
			if len(s.Files) != 0 {
				t.Error("files were rendered all the same")
			}
		})
	}
}

func TestErrorsDoNotRepeatSecrets(t *testing.T) {
	c := small()
	c.Agents[0].HA1 = "hunter2"
	c.Agents[0].Voicemail = &Mailbox{PIN: "pin-code"}
	_, err := Render(c)
	if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "pin-code") {
		t.Errorf("got %v", err)
	}
}

func fileOf(t testing.TB, s Snapshot, path string) File {
	t.Helper()
	for _, f := range s.Files {
		if f.Path == path {
			return f
		}
	}
	t.Fatalf("no file %s", path)
	return File{}
}
