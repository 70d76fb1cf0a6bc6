package voice

import (
	"errors"
	"testing"
	"time"
)

// TestRefuses has, for every field that can be wrong, one value that is.
func TestRefuses(t *testing.T) {
	pbx := func(change func(*PBX)) func(*Center) { return func(c *Center) { change(&c.PBX) } }
	bob := func(change func(*Endpoint)) func(*Center) { return func(c *Center) { change(&c.Agents[0]) } }
	box := func(change func(*Mailbox)) func(*Center) { return func(c *Center) { change(c.Agents[0].Voicemail) } }
	north := func(change func(*Endpoint)) func(*Center) { return func(c *Center) { change(&c.Telephones[0]) } }
	queue := func(change func(*Queue)) func(*Center) { return func(c *Center) { change(&c.Queues[0]) } }
	const agent, telephone, support = "Agent/user1002", "Telephone/desk-1.north", "Queue/support"
	for name, tc := range map[string]struct {
		change        func(*Center)
		object, field string
	}{
		"TLS without certificate":   {pbx(func(p *PBX) { p.Certificate = nil }), "PBX", "TLSPort"},
		"certificate":               {pbx(func(p *PBX) { p.Certificate.KeyPEM = []byte("x") }), "PBX", "Certificate"},
		"key of another":            {pbx(func(p *PBX) { p.Certificate.KeyPEM = selfSigned(t).KeyPEM }), "PBX", "Certificate"},
		"no state directory":        {pbx(func(p *PBX) { p.StateDir = "" }), "PBX", "StateDir"},
		"state directory":           {pbx(func(p *PBX) { p.StateDir = "var/lib" }), "PBX", "StateDir"},
		"two transports on a port":  {pbx(func(p *PBX) { p.WSPort = p.TCPPort }), "PBX", "WSPort"},
		"WS port":                   {pbx(func(p *PBX) { p.WSPort = -1 }), "PBX", "WSPort"},
		"outbound context":          {pbx(func(p *PBX) { p.OutboundContext = "a,b" }), "PBX", "OutboundContext"},
		"outbound context ours":     {pbx(func(p *PBX) { p.OutboundContext = "ringmaster-agent" }), "PBX", "OutboundContext"},
		"outbound context circle":   {pbx(func(p *PBX) { p.OutboundContext = "internal" }), "PBX", "OutboundContext"},
		"service prefix":            {pbx(func(p *PBX) { p.ServicePrefixes = []string{"0", "X."} }), "PBX", "ServicePrefixes"},
		"forbidden prefix":          {pbx(func(p *PBX) { p.ForbiddenPrefixes = []string{""} }), "PBX", "ForbiddenPrefixes"},
		"music class":               {pbx(func(p *PBX) { p.MusicClasses[0].Name = "a b" }), "PBX", "MusicClasses.Name"},
		"music class of Asterisk":   {pbx(func(p *PBX) { p.MusicClasses[0].Name = "default" }), "PBX", "MusicClasses.Name"},
		"music class twice":         {pbx(func(p *PBX) { p.MusicClasses[0].Name = "sales.2" }), "PBX", "MusicClasses.Name"},
		"music directory":           {pbx(func(p *PBX) { p.MusicClasses[0].Directory = "../x" }), "PBX", "MusicClasses.Directory"},
		"recording directory":       {pbx(func(p *PBX) { p.RecordingDirectory = "/etc" }), "PBX", "RecordingDirectory"},
		"recording directory up":    {pbx(func(p *PBX) { p.RecordingDirectory = "a/../../b" }), "PBX", "RecordingDirectory"},
		"qualify":                   {pbx(func(p *PBX) { p.QualifyInterval = time.Millisecond }), "PBX", "QualifyInterval"},
		"ring timeout":              {pbx(func(p *PBX) { p.RingTimeout = 48 * time.Hour }), "PBX", "RingTimeout"},
		"name of an agent":          {bob(func(e *Endpoint) { e.Name = "bob" }), agent, "Name"},
		"no extension":              {bob(func(e *Endpoint) { e.Extension = "" }), agent, "Extension"},
		"role":                      {bob(func(e *Endpoint) { e.Role = "x" }), agent, "Role"},
		"peer without address":      {bob(func(e *Endpoint) { e.Role = Peer }), agent, "Static"},
		"user with address":         {bob(func(e *Endpoint) { e.Role, e.Static = User, &Host{Host: "192.0.2.1"} }), agent, "Static"},
		"address over WebSocket":    {bob(func(e *Endpoint) { e.Transport, e.Static = WS, &Host{Host: "192.0.2.1"} }), agent, "Static"},
		"host":                      {bob(func(e *Endpoint) { e.Static = &Host{Host: "a;b"} }), agent, "Static.Host"},
		"port":                      {bob(func(e *Endpoint) { e.Static = &Host{Host: "192.0.2.1", Port: 70000} }), agent, "Static.Port"},
		"transport":                 {bob(func(e *Endpoint) { e.Transport = "SCTP" }), agent, "Transport"},
		"NAT compatibility":         {bob(func(e *Endpoint) { e.NATCompatibility = "x" }), agent, "NATCompatibility"},
		"language":                  {bob(func(e *Endpoint) { e.Language = "en_GB" }), agent, "Language"},
		"named call group":          {bob(func(e *Endpoint) { e.NamedCallGroups = []string{"a,b"} }), agent, "NamedCallGroups"},
		"named pickup group":        {bob(func(e *Endpoint) { e.NamedPickupGroups = []string{""} }), agent, "NamedPickupGroups"},
		"pickup group":              {bob(func(e *Endpoint) { e.PickupGroups = []int{-1} }), agent, "PickupGroups"},
		"supervisor":                {bob(func(e *Endpoint) { e.Supervisors = []string{"alice"} }), agent, "Supervisors"},
		"supervisors":               {bob(func(e *Endpoint) { e.Supervisors = make([]string, 101) }), agent, "Supervisors"},
		"recording":                 {bob(func(e *Endpoint) { e.Recording = "mp3" }), agent, "Recording"},
		"auto answer":               {bob(func(e *Endpoint) { e.AutoAnswer = new(2 * time.Minute) }), agent, "AutoAnswer"},
		"auto answer before":        {bob(func(e *Endpoint) { e.AutoAnswer = new(-time.Second) }), agent, "AutoAnswer"},
		"seat":                      {bob(func(e *Endpoint) { e.Telephone = "1001" }), agent, "Telephone"},
		"no such seat":              {bob(func(e *Endpoint) { e.Telephone = "elsewhere" }), agent, "Telephone"},
		"seat taken":                {func(c *Center) { c.Agents[2].Telephone = "desk-1.north" }, "Agent/user1001", "Telephone"},
		"address taken":             {func(c *Center) { c.Agents[4].Static = &Host{Host: "192.0.2.7"} }, "Agent/user1004", "Static"},
		"owner":                     {box(func(m *Mailbox) { m.Owner = "a b" }), agent, "Voicemail.Owner"},
		"greeting":                  {box(func(m *Mailbox) { m.Greeting = "x" }), agent, "Voicemail.Greeting"},
		"messages":                  {box(func(m *Mailbox) { m.MaxMessages = 10000 }), agent, "Voicemail.MaxMessages"},
		"message length":            {box(func(m *Mailbox) { m.MaxMessageLength = time.Millisecond }), agent, "Voicemail.MaxMessageLength"},
		"mailbox language":          {box(func(m *Mailbox) { m.Language = "en|x" }), agent, "Voicemail.Language"},
		"mailbox name":              {box(func(m *Mailbox) { m.FullName = "a\nb" }), agent, "Voicemail.FullName"},
		"telephone name":            {north(func(e *Endpoint) { e.Name = "1001" }), telephone, "Name"},
		"telephone name ours":       {north(func(e *Endpoint) { e.Name = "ringmaster-x" }), telephone, "Name"},
		"telephone name twice":      {func(c *Center) { c.Telephones[1].Name = "desk-1.north" }, "Telephone/Desk_2", "Name"},
		"telephone with extension":  {north(func(e *Endpoint) { e.Extension = "30" }), telephone, "Extension"},
		"telephone with mailbox":    {north(func(e *Endpoint) { e.Voicemail = &Mailbox{PIN: "1234"} }), telephone, "Voicemail"},
		"telephone not called":      {north(func(e *Endpoint) { e.Role = User }), telephone, "Role"},
		"key twice":                 {north(func(e *Endpoint) { e.Key = agent }), agent, "Key"},
		"weight":                    {queue(func(q *Queue) { q.Weight = 101 }), support, "Weight"},
		"max wait":                  {queue(func(q *Queue) { q.MaxWaitTime = -time.Second }), support, "MaxWaitTime"},
		"max length":                {queue(func(q *Queue) { q.MaxLen = -1 }), support, "MaxLen"},
		"join":                      {queue(func(q *Queue) { q.JoinWhenEmpty = []EmptyReason{"strict"} }), support, "JoinWhenEmpty"},
		"leave":                     {queue(func(q *Queue) { q.LeaveWhenEmpty = []EmptyReason{""} }), support, "LeaveWhenEmpty"},
		"position":                  {queue(func(q *Queue) { q.Announcements.Position = "x" }), support, "Announcements.Position"},
		"position limit":            {queue(func(q *Queue) { q.Announcements.PositionLimit = 1001 }), support, "Announcements.PositionLimit"},
		"hold time":                 {queue(func(q *Queue) { q.Announcements.HoldTime = "x" }), support, "Announcements.HoldTime"},
		"announcement interval":     {queue(func(q *Queue) { q.Announcements.Interval = -1 }), support, "Announcements.Interval"},
		"least interval":            {queue(func(q *Queue) { q.Announcements.MinInterval = -1 }), support, "Announcements.MinInterval"},
		"sound":                     {queue(func(q *Queue) { q.Announcements.Sounds.ThankYou = "a&b" }), support, "Announcements.Sounds.ThankYou"},
		"periodic sound":            {queue(func(q *Queue) { q.Periodic.Sounds = []string{"a,b"} }), support, "Periodic.Sounds"},
		"periodic interval":         {queue(func(q *Queue) { q.Periodic.Interval = -1 }), support, "Periodic.Interval"},
		"music":                     {queue(func(q *Queue) { q.MusicClass = "loud" }), support, "MusicClass"},
		"music name":                {queue(func(q *Queue) { q.MusicClass = "a b" }), support, "MusicClass"},
		"auto pause delay":          {queue(func(q *Queue) { q.AutoPauseDelay = -1 }), support, "AutoPauseDelay"},
		"member delay":              {queue(func(q *Queue) { q.MemberDelay = -1 }), support, "MemberDelay"},
		"member wrap-up":            {queue(func(q *Queue) { q.Members[0].WrapUpTime = -1 }), support, "Members.WrapUpTime"},
		"member penalty":            {queue(func(q *Queue) { q.Members[0].Penalty = -1 }), support, "Members.Penalty"},
		"number of a feature":       {queue(func(q *Queue) { q.Number = "*8" }), support, "Number"},
		"number that listens":       {queue(func(q *Queue) { q.Number = "*711001" }), support, "Number"},
		"name of another queue":     {queue(func(q *Queue) { q.Name = "sales.2" }), "Queue/short", "Name"},
		"interval longer than days": {queue(func(q *Queue) { q.ServiceLevel = 25 * time.Hour }), support, "ServiceLevel"},
	} {
		t.Run(name, func(t *testing.T) {
			c := everything(t)
			tc.change(&c)
			_, err := Render(c)
			if !hasFault(err, tc.object, tc.field) {
				t.Fatalf("got error %v, want one for %s: %s", err, tc.object, tc.field)
			}
		})
	}
}

// hasFault looks through everything that Render found.
func hasFault(err error, object, field string) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return false
	}
	for _, e := range joined.Unwrap() {
		if f, ok := errors.AsType[*FieldError](e); ok && f.Object == object && f.Field == field {
			return true
		}
	}
	return false
}
