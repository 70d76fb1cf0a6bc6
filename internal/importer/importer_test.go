package importer

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

var update = flag.Bool("update", false, "rewrite the expected files")

// present are the files of a directory that an import reads.
func present(t *testing.T, dir fs.FS) Source {
	t.Helper()
	s := Source{FS: dir}
	for _, name := range Files {
		if _, err := fs.Stat(dir, name); err == nil {
			s.Names = append(s.Names, name)
		}
	}
	return s
}

func asterisk(t *testing.T, dir fs.FS, options Options) *Result {
	t.Helper()
	result, err := Asterisk(t.Context(), present(t, dir), options)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func manifests(t *testing.T, r *Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteManifests(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// decode reads manifests as strictly as an API server does.
func decode(t *testing.T, text string) (agents []v1alpha1.Agent, queues []v1alpha1.Queue, secrets []corev1.Secret) {
	t.Helper()
	for document := range strings.SplitSeq(text, "---\n") {
		var kind struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatal(err)
		}
		switch kind.Kind {
		case "Agent":
			agents = append(agents, v1alpha1.Agent{})
			strict(t, document, &agents[len(agents)-1])
		case "Queue":
			queues = append(queues, v1alpha1.Queue{})
			strict(t, document, &queues[len(queues)-1])
		case "Secret":
			secrets = append(secrets, corev1.Secret{})
			strict(t, document, &secrets[len(secrets)-1])
		case "":
		default:
			t.Fatalf("unexpected kind %s", kind.Kind)
		}
	}
	return agents, queues, secrets
}

func strict(t *testing.T, document string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
		t.Errorf("%v\n%s", err, document)
	}
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestAsteriskFiles(t *testing.T) {
	for _, name := range []string{"chansip", "pjsip"} {
		t.Run(name, func(t *testing.T) {
			result := asterisk(t, os.DirFS(filepath.Join("testdata", name)), Options{})
			text := manifests(t, result)
			golden(t, filepath.Join("testdata", name+".yaml"), text)
			golden(t, filepath.Join("testdata", name+".md"), result.Report.Markdown())
			agents, queues, secrets := decode(t, text)
			if len(agents) != len(result.Agents) || len(queues) != len(result.Queues) || len(secrets) != len(result.Secrets) {
				t.Errorf("%d agents, %d queues, %d Secrets are written; %s", len(agents), len(queues), len(secrets), result.Summary())
			}
			refersToSecrets(t, agents, secrets)
		})
	}
}

// refersToSecrets checks that every reference has its Secret, labelled so that Ringmaster reads it, and no Secret is left over.
func refersToSecrets(t *testing.T, agents []v1alpha1.Agent, secrets []corev1.Secret) {
	t.Helper()
	values := map[string]string{}
	for _, s := range secrets {
		if _, ok := s.Labels[v1alpha1.CredentialLabel]; !ok {
			t.Errorf("Secret %s lacks the label", s.Name)
		}
		for key, value := range s.StringData {
			values[s.Name+"/"+key] = value
		}
	}
	for _, a := range agents {
		for _, ref := range []*v1alpha1.SecretKeyReference{a.Spec.PasswordSecretRef, a.Spec.SIP.PasswordSecretRef, a.Spec.Voicemail.PINSecretRef} {
			if ref == nil {
				continue
			}
			if values[ref.Name+"/"+ref.Key] == "" {
				t.Errorf("Agent %s refers to %s/%s, which is missing", a.Name, ref.Name, ref.Key)
			}
			delete(values, ref.Name+"/"+ref.Key)
		}
	}
	for key := range values {
		t.Errorf("nobody refers to %s", key)
	}
}

// A report must not show what is secret in the input.
func TestReportsKeepSecrets(t *testing.T) {
	for name, secrets := range map[string][]string{
		"chansip": {"Tr0ub4dor", "secret-account", "short", "again-again", "0123456789abcdef", "7391", "8264", "4711", ",1234"},
		"pjsip":   {"Tr0ub4dor", "never-used-77", "0123456789abcdef"},
	} {
		report := asterisk(t, os.DirFS(filepath.Join("testdata", name)), Options{}).Report.Markdown()
		for _, secret := range secrets {
			if strings.Contains(report, secret) {
				t.Errorf("%s: the report shows %s", name, secret)
			}
		}
	}
}

// Whatever line is not understood is in the report: each line in turn is given a name that nothing knows.
func TestNothingIsDroppedSilently(t *testing.T) {
	for _, dir := range []string{"chansip", "pjsip"} {
		root := os.DirFS(filepath.Join("testdata", dir))
		for _, name := range present(t, root).Names {
			if name == "extensions.conf" {
				continue
			}
			file, err := asteriskconf.Read(root, name)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[asteriskconf.Position]bool{}
			for _, s := range file.Sections {
				for _, setting := range s.Settings {
					if seen[setting.Position] {
						continue
					}
					seen[setting.Position] = true
					missedIn(t, root, setting)
				}
			}
		}
	}
}

// missedIn imports the files with one line changed and looks for that line in the report.
func missedIn(t *testing.T, root fs.FS, setting asteriskconf.Setting) {
	t.Helper()
	changed := fstest.MapFS{}
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		if path == setting.Position.File {
			lines := strings.SplitAfter(string(data), "\n")
			lines[setting.Position.Line-1] = "unheard-of = 1\n"
			data = []byte(strings.Join(lines, ""))
		}
		changed[path] = &fstest.MapFile{Data: data}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := Asterisk(t.Context(), present(t, changed), Options{})
	if err != nil {
		// The line was what another section is found by, and that is said.
		return
	}
	for _, item := range result.Report.Items() {
		if item.Position == setting.Position {
			return
		}
	}
	t.Errorf("%s: the report does not name the line (was %s)", setting.Position, setting.Name)
}

// rendered are files that Ringmaster itself writes, in one as people write them: the
// objects of phones are in files of their own, which Asterisk's sorcery.conf names.
func rendered(t *testing.T, name string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	dir := os.DirFS(filepath.Join("../voice/testdata", name))
	for _, name := range append([]string{voice.PJSIPAuthFile, voice.PJSIPAORFile, voice.PJSIPEndpointFile}, Files...) {
		data, err := fs.ReadFile(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
		if name == voice.PJSIPFile {
			files[name].Data = fmt.Appendf(data, "#include %s\n#include %s\n#include %s\n", voice.PJSIPAuthFile, voice.PJSIPAORFile, voice.PJSIPEndpointFile)
		}
	}
	return files
}

// The files that Ringmaster itself writes are legal input.
func TestRenderedFiles(t *testing.T) {
	result := asterisk(t, rendered(t, "small"), Options{})
	agents, queues, secrets := decode(t, manifests(t, result))
	refersToSecrets(t, agents, secrets)
	byExtension := map[string]v1alpha1.Agent{}
	for _, a := range agents {
		byExtension[a.Spec.Extension] = a
	}
	alice := byExtension["1001"]
	if alice.Spec.FullName != "Alice Rossi" || alice.Spec.Username != "user1001" || alice.Spec.Voicemail.State != v1alpha1.Enabled {
		t.Errorf("1001 is %+v", alice.Spec)
	}
	if bob := byExtension["1002"]; bob.Spec.FullName != `Bob B \ O'Neil` || bob.Spec.SIP.CallerID.Number != "+391234" {
		t.Errorf("1002 is %+v", bob.Spec)
	}
	for _, q := range queues {
		if q.Name == "support" && len(q.Spec.Members) != 2 {
			t.Errorf("members of support: %+v", q.Spec.Members)
		}
	}
}

func TestGeneratedPasswords(t *testing.T) {
	result := asterisk(t, os.DirFS("testdata/chansip"), Options{GeneratePasswords: true, Namespace: "center", Typology: v1alpha1.TypologyPhonebar})
	agents, _, secrets := decode(t, manifests(t, result))
	refersToSecrets(t, agents, secrets)
	seen := map[string]bool{}
	for _, a := range agents {
		if a.Spec.PasswordSecretRef == nil || a.Namespace != "center" || a.Spec.Typology != v1alpha1.TypologyPhonebar {
			t.Errorf("Agent %s: %+v", a.Name, a.Spec)
		}
	}
	for _, s := range secrets {
		if seen[s.StringData[keyPassword]] {
			t.Error("a password was given twice")
		}
		seen[s.StringData[keyPassword]] = true
		if s.Name == "bob-oneil-credentials" && s.StringData[keyPIN] == "1002" {
			t.Error("the PIN is still the extension")
		}
	}
}

func TestHostileFiles(t *testing.T) {
	many := strings.Repeat("[a](!)\nx=1\n", 1)
	for name, test := range map[string]struct {
		files map[string]string
		says  string
	}{
		"long line":          {map[string]string{"sip.conf": "[a]\nsecret=" + strings.Repeat("x", 10<<20)}, "sip.conf:2: the line is longer than the 8190 bytes"},
		"binary":             {map[string]string{"pjsip.conf": "[a]\n\x7fELF\x00\x01"}, "pjsip.conf:2: not a text file: it contains a NUL byte"},
		"includes itself":    {map[string]string{"sip.conf": "#include sip.conf"}, "sip.conf:1: sip.conf is included by itself: sip.conf > sip.conf"},
		"includes in a loop": {map[string]string{"sip.conf": "#include b.conf", "b.conf": "\n#include ./sip.conf"}, "b.conf:2: sip.conf is included by itself: sip.conf > b.conf > sip.conf"},
		"no section":         {map[string]string{"queues.conf": "strategy=ringall"}, "queues.conf:1: a line before the first section"},
		"open bracket":       {map[string]string{"queues.conf": "[support"}, "queues.conf:1: a section without closing bracket"},
		"unknown template":   {map[string]string{"sip.conf": many + "[b](c)"}, "sip.conf:3: [b] inherits from [c], which is not defined above"},
		"nothing":            {map[string]string{"users.conf": ""}, "none of the files of Asterisk that can be imported is here"},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for path, text := range test.files {
				files[path] = &fstest.MapFile{Data: []byte(text)}
			}
			_, err := Asterisk(t.Context(), present(t, files), Options{})
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// Whatever a file says, what comes out is legal and the report can be read.
func FuzzAsterisk(f *testing.F) {
	for _, name := range []string{"chansip/sip.conf", "chansip/queues.conf", "chansip/voicemail.conf", "pjsip/pjsip.conf"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), string(data), string(data))
	}
	f.Add("[1001]\ntype=friend\nhost=dynamic\ncallerid=\"${SHELL(rm)}\" <1001>\nsecret=a\\;b#include x", "[default]\n1001 => -,,,", "[q]\nmember=SIP/1001,-1")
	f.Fuzz(func(t *testing.T, phones, boxes, queues string) {
		files := fstest.MapFS{}
		for name, text := range map[string]string{"sip.conf": phones, "pjsip.conf": phones, "voicemail.conf": boxes, "queues.conf": queues} {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		result, err := Asterisk(t.Context(), present(t, files), Options{GeneratePasswords: true})
		if err != nil {
			return
		}
		agents, _, secrets := decode(t, manifests(t, result))
		refersToSecrets(t, agents, secrets)
		legal(t, result)
	})
}

// legal checks the objects by the CustomResourceDefinitions once more, from their text.
func legal(t *testing.T, result *Result) {
	t.Helper()
	v, err := definitions()
	if err != nil {
		t.Fatal(err)
	}
	unique := map[string]bool{}
	check := func(kind string, name string, object any) {
		if unique[kind+name] {
			t.Errorf("two of %s %s", kind, name)
		}
		unique[kind+name] = true
		m, err := toMap(object)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range v.kinds[kind].errors(t.Context(), m) {
			t.Errorf("%s %s: %v", kind, name, e)
		}
	}
	for _, a := range result.Agents {
		check("Agent", a.Name, a)
	}
	for _, q := range result.Queues {
		check("Queue", q.Name, q)
	}
}
