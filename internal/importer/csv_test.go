package importer

import (
	"bytes"
	"encoding/csv"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// pattern is a regular expression in a message.
var pattern = regexp.MustCompile(`should match '.*'`)

func fromCSV(t *testing.T, text string, options Options) *Result {
	t.Helper()
	result, err := CSV(t.Context(), "agents.csv", strings.NewReader(text), options)
	if err != nil {
		t.Fatal(err)
	}
	legal(t, result)
	agents, _, secrets := decode(t, manifests(t, result))
	refersToSecrets(t, agents, secrets)
	return result
}

func reported(r *Result) string {
	var b strings.Builder
	for _, i := range r.Report.Items() {
		b.WriteString(strings.Join([]string{i.Position.String(), i.Option, i.Value, string(i.Effect), i.Why}, " | ") + "\n")
	}
	return b.String()
}

func TestCSV(t *testing.T) {
	alice := v1alpha1.AgentSpec{FullName: "Alice Rossi", Extension: "1001", Email: "alice@example.com"}
	for name, test := range map[string]struct {
		text    string
		options Options
		agents  map[string]v1alpha1.AgentSpec
		report  string
	}{
		"commas": {
			text:   "name,fullName,extension,email\nalice,Alice Rossi,1001,alice@example.com\n",
			agents: map[string]v1alpha1.AgentSpec{"alice": alice},
		},
		"semicolons, byte order mark, carriage returns, loose titles": {
			text:   "\xef\xbb\xbfName;Full Name;EXTENSION;e-mail\r\nalice;\"Alice Rossi\";1001;alice@example.com\r\n\r\n",
			agents: map[string]v1alpha1.AgentSpec{"alice": alice},
		},
		"names are made": {
			text: "fullName,extension\nÉmile Zola,1001\nÉmile Zola,1002\n李雷,1003\n",
			agents: map[string]v1alpha1.AgentSpec{
				"emile-zola":   {FullName: "Émile Zola", Extension: "1001", Username: "emile_zola"},
				"emile-zola-2": {FullName: "Émile Zola", Extension: "1002", Username: "emile_zola_2"},
				"agent-1003":   {FullName: "李雷", Extension: "1003", Username: "agent_1003"},
			},
			report: "agents.csv:2 | username |  | changed | the name is no legal username: it is emile_zola\n" +
				"agents.csv:3 | username |  | changed | the name is no legal username: it is emile_zola_2\n" +
				"agents.csv:4 | username |  | changed | the name is no legal username: it is agent_1003\n",
		},
		"words of older systems": {
			text: "name,fullName,typology,sip.nat,sip.recording.format,sip.codecs,sip.callGroups,hotDesk.state\na,A B,external,yes,waw49,ulaw|alaw,1 2,on\nb,B C,External,force_rport,WAV,\"g722, ulaw\",,no\n",
			agents: map[string]v1alpha1.AgentSpec{
				"a": {FullName: "A B", Typology: "External", SIP: v1alpha1.AgentSIP{
					SIPAccount: v1alpha1.SIPAccount{NAT: "ForceRportComedia", Codecs: []v1alpha1.SIPCodec{"ulaw", "alaw"}},
					Recording:  v1alpha1.SIPRecording{Format: "Wav49"}, CallGroups: []int32{1, 2},
				}, HotDesk: v1alpha1.AgentHotDesk{State: "Enabled"}},
				"b": {FullName: "B C", Typology: "External", SIP: v1alpha1.AgentSIP{
					SIPAccount: v1alpha1.SIPAccount{NAT: "ForceRport", Codecs: []v1alpha1.SIPCodec{"g722", "ulaw"}},
					Recording:  v1alpha1.SIPRecording{Format: "Wav"},
				}, HotDesk: v1alpha1.AgentHotDesk{State: "Disabled"}},
			},
		},
		"passwords": {
			text:    "name,fullName,extension,password,sipPassword,pin\na,A B,1001,Violet-Harbor-41,correct-horse,4711\nb,B C,1002,weak,short,1002\n",
			options: Options{Typology: v1alpha1.TypologyExternal},
			agents: map[string]v1alpha1.AgentSpec{
				"a": {FullName: "A B", Extension: "1001", Typology: "External",
					PasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "a-credentials", Key: "password"},
					SIP:               v1alpha1.AgentSIP{SIPAccount: v1alpha1.SIPAccount{PasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "a-credentials", Key: "sip"}}},
					Voicemail:         v1alpha1.AgentVoicemail{State: "Enabled", PINSecretRef: &v1alpha1.SecretKeyReference{Name: "a-credentials", Key: "pin"}}},
				"b": {FullName: "B C", Extension: "1002", Typology: "External"},
			},
			report: "agents.csv:3 | password |  | dropped | the password needs at least 8 characters; the password needs at least 1 uppercase letter; the password needs at least 1 digit; " +
				"the password needs at least 1 character out of ~!@#$%^&-_=+[{]}: the agent cannot sign in at the desk before a password is set\n" +
				"agents.csv:3 | pin |  | dropped | the PIN must differ from the extension: the agent has no voicemail; --generate-passwords makes a new PIN\n" +
				"agents.csv:3 | sipPassword |  | dropped | a SIP password needs at least 8 characters: Ringmaster makes a new one, which the phone needs\n",
		},
		"what is not legal": {
			text: "name,fullName,extension,email,sip.expires,sip.transport,sip.callGroups,voicemail.maxMessages,colour,labels\n" +
				"a,A B,10x,nobody,soon,carrier pigeon,one,many,red,=\n" +
				"b,B C,1001,b@example.com,1s,UDP,64,0,blue,team=x site=y,extra\n" +
				"c,C D,1001,,,,,,,\n" +
				"c,C E,,,,,,,,\n" +
				",,1009,,,,,,,\n" +
				"D E,D E,,,,,,,,\n",
			agents: map[string]v1alpha1.AgentSpec{
				"a":   {FullName: "A B"},
				"b":   {FullName: "B C", Extension: "1001", Email: "b@example.com", SIP: v1alpha1.AgentSIP{SIPAccount: v1alpha1.SIPAccount{Transport: "UDP"}}},
				"c":   {FullName: "C D"},
				"d-e": {FullName: "D E", Username: "d_e"},
			},
			report: `agents.csv:1 | colour |  | dropped | an unknown column: none of its cells is carried over
agents.csv:2 | email | nobody | dropped | spec.email: REGEX
agents.csv:2 | extension | 10x | dropped | spec.extension: REGEX
agents.csv:2 | labels | = | dropped | labels are written key=value, separated by spaces
agents.csv:2 | sip.callGroups | one | dropped | sip.callGroups holds whole numbers, separated by spaces
agents.csv:2 | sip.expires | soon | dropped | sip.expires: not a legal value
agents.csv:2 | sip.transport | carrier pigeon | dropped | spec.sip.transport: supported values: "UDP", "TCP", "TLS", "WS", "WSS"
agents.csv:2 | voicemail.maxMessages | many | dropped | voicemail.maxMessages is a whole number
agents.csv:3 | cell 11 |  | dropped | the row has more cells than the header
agents.csv:3 | sip.callGroups | 64 | dropped | spec.sip.callGroups[0]: should be less than or equal to 63
agents.csv:3 | sip.expires | 1s | dropped | spec.sip.expires: expires must be between 60s and 24h
agents.csv:3 | voicemail.maxMessages | 0 | dropped | voicemail.maxMessages: as if it was left out
agents.csv:4 | extension | 1001 | dropped | it belongs to b
agents.csv:5 | name | c | dropped | another row has this name already, or nothing of it can be used: the row is left out
agents.csv:6 | fullName |  | dropped | the row has neither fullName nor name and is left out
agents.csv:7 | name | D E | changed | the name of an object is lower-case letters, digits and hyphens: d-e
agents.csv:7 | username |  | changed | the name is no legal username: it is d_e
`,
		},
		"a name that needs cleaning": {
			text:   "name,fullName\na,\"Rossi, Alice <boss>\"\n",
			agents: map[string]v1alpha1.AgentSpec{"a": {FullName: "Rossi Alice boss"}},
			report: "agents.csv:2 | fullName | Rossi, Alice <boss> | changed | some characters are not legal: Rossi Alice boss\n",
		},
		"an agent that breaks a rule as a whole": {
			text: "name,fullName,typology,sip.transport,voicemail.state\na,A B,Phonebar,WSS,\nb,B C,,,Enabled\n",
			agents: map[string]v1alpha1.AgentSpec{
				"b": {FullName: "B C"},
			},
			report: "agents.csv:2 |  |  | dropped | the Agent would not be legal: spec: sip.transport: typology Phonebar registers over UDP, TCP or TLS\n" +
				"agents.csv:3 | voicemail.state | Enabled | dropped | spec.voicemail: pinSecretRef is required when state is Enabled\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			result := fromCSV(t, test.text, test.options)
			got := map[string]v1alpha1.AgentSpec{}
			for _, a := range result.Agents {
				got[a.Name] = a.Spec
			}
			if diff := cmp.Diff(test.agents, got); diff != "" {
				t.Errorf("agents (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.report, pattern.ReplaceAllString(reported(result), "REGEX")); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCSVThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"empty":               {"", "agents.csv: empty: the first line names the columns"},
		"no header":           {"Alice Rossi,1001\n", "agents.csv:1: no column is called fullName or name"},
		"same column twice":   {"fullName,Full Name\n", "agents.csv:1: two columns are called Full Name"},
		"binary":              {"fullName\n\x00\n", "agents.csv: not a text file: it contains a NUL byte"},
		"another encoding":    {"fullName\nJos\xe9\n", "agents.csv: not UTF-8: save it as CSV UTF-8"},
		"open quote":          {"fullName\n\"Alice\n", "agents.csv: parse error on line 2, column 8: extraneous or missing"},
		"quote within a cell": {"fullName\nAl\"ice\n", "agents.csv: parse error on line 2, column 3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := CSV(t.Context(), "agents.csv", strings.NewReader(test.text), Options{})
			if err == nil || !strings.HasPrefix(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// everything is an agent with a value in many fields, the awkward ones among them.
func everything() v1alpha1.Agent {
	return v1alpha1.Agent{
		TypeMeta: metav1.TypeMeta{APIVersion: "ringmaster.dev/v1alpha1", Kind: "Agent"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "a-whole-agent", Labels: map[string]string{"team": "billing", "site": ""}, Annotations: map[string]string{"note": "a, \"b\"; c"},
		},
		Spec: v1alpha1.AgentSpec{
			FullName: "Älice 'Rossi'", Username: "alice.r", Alias: "=SUM(A1)", Email: "alice@example.com", Description: "two\nlines, \"quoted\"; and 'more'",
			Extension: "0100", Typology: v1alpha1.TypologyExternal, AccountState: v1alpha1.AccountDeactivated, Locale: "en-GB",
			PasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "alice", Key: "password"}, PasswordManagement: v1alpha1.PasswordEnforced,
			LoginState: v1alpha1.LoginPaused, DeletionPolicy: v1alpha1.DeletionForce,
			HotDesk: v1alpha1.AgentHotDesk{State: v1alpha1.Enabled, TelephoneSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"floor": "2"}}},
			Voicemail: v1alpha1.AgentVoicemail{
				State: v1alpha1.Enabled, PINSecretRef: &v1alpha1.SecretKeyReference{Name: "alice", Key: "pin"}, MaxMessages: 7,
				MaxMessageLength: &metav1.Duration{Duration: 90 * time.Second}, Notification: v1alpha1.VoicemailNotifyEmail,
			},
			SIP: v1alpha1.AgentSIP{
				SIPAccount: v1alpha1.SIPAccount{
					Transport: v1alpha1.TransportTCP, NAT: "Route", NATCompatibility: "Asterisk14", Codecs: []v1alpha1.SIPCodec{"opus", "g729"}, Context: "sales",
					Registration: v1alpha1.SIPRegistration{Mode: v1alpha1.RegistrationStatic, Host: "192.0.2.1", Port: 5070}, Expires: &metav1.Duration{Duration: time.Hour},
					PasswordSecretRef: &v1alpha1.SecretKeyReference{Name: "alice", Key: "sip"},
				},
				Role: v1alpha1.RolePeer, CallerID: v1alpha1.SIPCallerID{Name: "'=Alice", Number: "+39*1#"}, CallGroups: []int32{1, 63}, PickupGroups: []int32{0},
				NamedCallGroups: []string{"front", "back"}, Monitoring: v1alpha1.Allowed, Recording: v1alpha1.SIPRecording{Format: v1alpha1.RecordingWav49},
			},
			Permissions: v1alpha1.AgentPermissions{OutboundPrefix: v1alpha1.OutboundPrefixRequired},
			Channels:    []v1alpha1.AgentChannel{{Name: "Email", Capacity: 3}},
		},
	}
}

func TestExportAndImportAgain(t *testing.T) {
	agent := everything()
	plain := v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "bob"}, Spec: v1alpha1.AgentSpec{
		FullName: "Bob", Typology: v1alpha1.TypologyPhonebar, Phonebar: &v1alpha1.PhonebarSettings{SIPPort: 5070},
	}}
	plain.TypeMeta = agent.TypeMeta
	var text bytes.Buffer
	if err := ExportCSV(&text, []v1alpha1.Agent{plain, agent}); err != nil {
		t.Fatal(err)
	}
	result := readBack(t, text.String())
	if diff := cmp.Diff([]v1alpha1.Agent{agent, plain}, result.Agents); diff != "" {
		t.Errorf("agents (-exported +imported):\n%s\n%s", diff, text.String())
	}
	if got := reported(result); got != "" {
		t.Errorf("the report says %s", got)
	}
	// What a spreadsheet would calculate is kept from that.
	records, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		for _, cell := range record {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("a cell is a formula: %s", cell)
			}
		}
	}

	var manifests bytes.Buffer
	if err := ExportYAML(&manifests, []v1alpha1.Agent{agent}); err != nil {
		t.Fatal(err)
	}
	again, _, _ := decode(t, manifests.String())
	if diff := cmp.Diff([]v1alpha1.Agent{agent}, again); diff != "" {
		t.Errorf("agents (-exported +read):\n%s", diff)
	}
}

// readBack imports what refers to Secrets that exist elsewhere.
func readBack(t *testing.T, text string) *Result {
	t.Helper()
	result, err := CSV(t.Context(), "agents.csv", strings.NewReader(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func FuzzCSV(f *testing.F) {
	f.Add("name,fullName,extension,password,labels\na,A B,1001,x,a=b\n")
	f.Add("\xef\xbb\xbffullName;sip.codecs;channels;hotDesk.telephoneSelector;sip.expires\n'=x;[1,{}];[];{};99999999h\n")
	f.Fuzz(func(t *testing.T, text string) {
		result, err := CSV(t.Context(), "agents.csv", strings.NewReader(text), Options{GeneratePasswords: true})
		if err != nil {
			return
		}
		decode(t, manifests(t, result))
		legal(t, result)
	})
}
