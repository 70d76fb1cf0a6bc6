package voice

import (
	"strings"
	"testing"
)

var hostile = []string{
	"plain", "a;b", ";--", `\;--`, `\`, `x\\;`, `"quoted"`, `a, b`, "(", ")(", "[", "]", "a\nexten => 1,1,System(rm)",
	"\r", "\x00", "${SHELL(id)}", "$[1+1]", "#include x", "=> y", "<b>", "é漢\u2028", "\xff", " ", strings.Repeat("a", 300),
}

// render puts the text into every free field of one endpoint and one queue.
func renderHostile(text string) (Snapshot, error) {
	e := testEndpoint("1001")
	e.DisplayName = text
	e.CallerID.Name = text
	e.Voicemail = &Mailbox{PIN: "4711", FullName: text}
	return Render(Center{
		PBX: testPBX(), Agents: []Endpoint{e, testEndpoint("1002")},
		Queues: []Queue{{Key: "Queue/q", Name: "q", Members: []Member{{Extension: "1001", Name: text}, {Extension: "1002"}}}},
	})
}

// FuzzFreeText proves that no text in a free field changes any other line, and
// that it comes back as itself when the file is read as Asterisk reads it.
func FuzzFreeText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	const neutral = "neutral"
	f.Fuzz(func(t *testing.T, text string) {
		got, err := renderHostile(text)
		if (err != nil) != (checkText(text) != nil) {
			t.Fatalf("%q: error %v", text, err)
		}
		if err != nil {
			return
		}
		want, err := renderHostile(neutral)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range got.Files {
			compareFiles(t, text, file, fileOf(t, want, file.Path))
		}
	})
}

func compareFiles(t *testing.T, text string, got, want File) {
	t.Helper()
	gotSections, err := parseConfig(string(got.Content))
	if err != nil {
		t.Fatalf("%s with %q: %v", got.Path, text, err)
	}
	wantSections, err := parseConfig(string(want.Content))
	if err != nil {
		t.Fatal(err)
	}
	if len(gotSections) != len(wantSections) {
		t.Fatalf("%s with %q: %d sections, want %d", got.Path, text, len(gotSections), len(wantSections))
	}
	for i, section := range wantSections {
		g := gotSections[i]
		if strings.HasPrefix(section.name, "ringmaster-") && section.name != "ringmaster-global" && got.Path == PJSIPFile {
			g.name = section.name // the revision names the content
		}
		if g.name != section.name || len(g.settings) != len(section.settings) {
			t.Fatalf("%s with %q: section %+v, want %+v", got.Path, text, g, section)
		}
		for j, w := range section.settings {
			compareSetting(t, text, got.Path, g.settings[j], w)
		}
	}
}

func compareSetting(t *testing.T, text, path string, got, want setting) {
	t.Helper()
	if got == want {
		return
	}
	ok := false
	switch {
	case got.key != want.key:
	case path == PJSIPFile && got.key == RevisionOption:
		ok = true // it names the content
	case path == PJSIPFile && got.key == "callerid":
		ok = got.value == `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`" <1001>`
	case path == QueuesFile && got.key == "member":
		args := splitArgs(got.value)
		name := strings.TrimSpace(text)
		if text == "" {
			name = "1001"
		}
		ok = len(args) == 7 && args[0] == "PJSIP/1001" && args[1] == "0" && args[2] == name && args[4] == "no" && args[6] == "yes"
	case path == VoicemailFile && got.key == "1001":
		fields := strings.Split(got.value, ",")
		ok = len(fields) == 5 && fields[0] == "4711" && fields[4] == "maxmsg=100|maxsecs=180" && fields[1] == strings.TrimSpace(strings.ReplaceAll(text, ",", ""))
	}
	if !ok {
		t.Fatalf("%s with %q: %s=%s, want %s=%s", path, text, got.key, got.value, want.key, want.value)
	}
}

// FuzzIdentifiers proves that fields that are identifiers are either refused
// or leave every file readable with the same number of sections.
func FuzzIdentifiers(f *testing.F) {
	for _, s := range append(hostile, "1001", "alice.r", "from-sip", "600", "*5") {
		f.Add(s)
	}
	base, err := renderHostile("x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, set := range []func(*Center){
			func(c *Center) { c.PBX.Realm = text },
			func(c *Center) { c.PBX.AdvertisedAddress = text },
			func(c *Center) { c.Agents[0].Username = text },
			func(c *Center) { c.Agents[0].HA1 = text },
			func(c *Center) { c.Agents[0].CallerID.Number = text },
			func(c *Center) { c.Agents[0].Codecs = []string{text} },
			func(c *Center) { c.Agents[0].Voicemail.PIN = text },
			func(c *Center) { c.Queues[0].Name = text },
			func(c *Center) { c.Queues[0].Number = text },
		} {
			e := testEndpoint("1001")
			e.Voicemail = &Mailbox{PIN: "4711"}
			c := Center{
				PBX: testPBX(), Agents: []Endpoint{e, testEndpoint("1002")},
				Queues: []Queue{{Key: "Queue/q", Name: "q", Members: []Member{{Extension: "1001"}, {Extension: "1002"}}}},
			}
			set(&c)
			s, err := Render(c)
			if err != nil {
				continue
			}
			for _, file := range s.Files {
				got, err := parseConfig(string(file.Content))
				if err != nil {
					t.Fatalf("%s with %q: %v", file.Path, text, err)
				}
				want, err := parseConfig(string(fileOf(t, base, file.Path).Content))
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != len(want) {
					t.Fatalf("%s with %q: %d sections, want %d", file.Path, text, len(got), len(want))
				}
			}
		}
	})
}
