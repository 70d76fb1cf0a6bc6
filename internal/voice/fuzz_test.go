package voice

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/voice/conffile"
)

var hostile = []string{
	"plain", "", " ", "a;b", ";--", `\;--`, "--;", `\`, `x\\;`, `"quoted"`, `"`, "a, b", "(", ")(", "[", "]", "[general]", "](+)", "(!)",
	"a\nexten => 1,1,System(rm)", "\r", "\r\n#exec /bin/sh", "\x00", "${SHELL(id)}", "${ENV(PATH)}", "$[1+1]", "#include x", "#exec x", "=> y", "+= y",
	"<b>", "x|maxsecs=9", "é漢\u2028", "\u202e", "\u0085", "\xff", "a&b^c~d", "'", "{}", "}", ",", "!", "%", strings.Repeat("a", 300),
	strings.Repeat(";--", 3500), strings.Repeat("漢", 3500),
}

// free are the fields that hold text of people; all others are identifiers.
var free = regexp.MustCompile(`^(Agents|Telephones)\[\d\]\.(DisplayName|CallerID\.Name|Voicemail\.FullName)$|^Queues\[\d\]\.Members\[\d\]\.Name$`)

// leaf is one string anywhere in a center.
type leaf struct {
	path string
	set  func(*Center, string)
}

// leaves are all strings of a center but those that go into no file.
func leaves(v reflect.Value, path string, get func(*Center) reflect.Value) []leaf {
	var out []leaf
	switch v.Kind() {
	case reflect.String:
		return []leaf{{strings.TrimPrefix(path, "."), func(c *Center, s string) { get(c).SetString(s) }}}
	case reflect.Pointer:
		if !v.IsNil() {
			out = leaves(v.Elem(), path, func(c *Center) reflect.Value { return get(c).Elem() })
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), func(c *Center) reflect.Value { return get(c).Index(i) })...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Key" && name != "Hash" {
				out = append(out, leaves(v.Field(i), path+"."+name, func(c *Center) reflect.Value { return get(c).Field(i) })...)
			}
		}
	default: // no string
	}
	return out
}

func everyLeaf(t testing.TB) []leaf {
	c := everything(t)
	return leaves(reflect.ValueOf(c), "", func(c *Center) reflect.Value { return reflect.ValueOf(c).Elem() })
}

// parsed are the sections of every file of a snapshot.
func parsed(t testing.TB, s Snapshot) map[string][]conffile.Section {
	t.Helper()
	files := map[string][]conffile.Section{}
	for _, f := range s.Files {
		if f.Path == CertificateFile || f.Path == KeyFile {
			continue
		}
		got, err := conffile.Parse(string(f.Content))
		if err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
		if len(got.Directives) > 0 {
			t.Fatalf("%s: directives %v", f.Path, got.Directives)
		}
		files[f.Path] = got.Sections
	}
	return files
}

// TestFreeFields keeps the list of free fields true to the model.
func TestFreeFields(t *testing.T) {
	found := map[string]bool{}
	digits := regexp.MustCompile(`\[\d\]`)
	for _, l := range everyLeaf(t) {
		if free.MatchString(l.path) {
			found[digits.ReplaceAllString(l.path, "")] = true
		}
	}
	want := []string{
		"Agents.CallerID.Name", "Agents.DisplayName", "Agents.Voicemail.FullName", "Queues.Members.Name", "Telephones.CallerID.Name", "Telephones.DisplayName",
	}
	var got []string
	for name := range found {
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzFreeText proves that no text in a free field changes any other line of any
// file, and that it comes back as itself when the file is read as Asterisk
// reads it: in one field at a time, and in all at once.
func FuzzFreeText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	base := fuzzBase(f)
	fields := slices.DeleteFunc(everyLeaf(f), func(l leaf) bool { return !free.MatchString(l.path) })
	sets := [][]leaf{fields}
	for i := range fields {
		sets = append(sets, fields[i:i+1])
	}
	var want []map[string][]conffile.Section
	for _, set := range sets {
		s, err := renderWith(base, set, "neutral")
		if err != nil {
			f.Fatal(err)
		}
		want = append(want, parsed(f, s))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, set := range sets {
			got, err := renderWith(base, set, text)
			if (err != nil) != (checkText(text) != nil) {
				t.Fatalf("%.80q in %s: error %v", text, set[0].path, err)
			}
			if err == nil {
				compare(t, text, parsed(t, got), want[i])
			}
		}
	})
}

// fuzzBase is everything but a certificate, which costs more than the rest.
func fuzzBase(t testing.TB) Center {
	c := everything(t)
	c.PBX.Certificate, c.PBX.TLSPort = nil, 0
	for i := range c.Agents {
		if c.Agents[i].Transport == TLS {
			c.Agents[i].Transport = TCP
		}
	}
	return c
}

func renderWith(base Center, set []leaf, text string) (Snapshot, error) {
	c := deepCopy(base)
	for _, l := range set {
		l.set(&c, text)
	}
	return Render(c)
}

func compare(t *testing.T, text string, got, want map[string][]conffile.Section) {
	t.Helper()
	for path, sections := range got {
		if len(sections) != len(want[path]) {
			t.Fatalf("%s with %.80q: %d sections, want %d", path, text, len(sections), len(want[path]))
		}
		for i, g := range sections {
			w := want[path][i]
			if path == PJSIPAORFile && i == len(want[path])-1 {
				g.Name = w.Name // the revision names the content
			}
			if g.Name != w.Name || g.Template != w.Template || g.Addition != w.Addition || !slices.Equal(g.Inherits, w.Inherits) || len(g.Settings) != len(w.Settings) {
				t.Fatalf("%s with %.80q: section %+v, want %+v", path, text, g, w)
			}
			for j, setting := range w.Settings {
				if g.Settings[j] != setting && !carries(path, text, g.Settings[j], setting) {
					t.Fatalf("%s with %.80q: %+v, want %+v", path, text, g.Settings[j], setting)
				}
			}
		}
	}
}

// carries tells whether a setting differs from the neutral one in nothing but
// the text, which stands where Asterisk looks for it.
func carries(path, text string, got, want conffile.Setting) bool {
	value := got.Value
	if got.Key != want.Key || got.Object != want.Object || got.Append != want.Append {
		return false
	}
	switch {
	case path == PJSIPEndpointFile && got.Key == RevisionOption:
		return true // it names the content
	case path == PJSIPEndpointFile && got.Key == "callerid":
		name, number, ok := unquote(value)
		_, wantNumber, _ := unquote(want.Value)
		return ok && number == wantNumber && (name == text || text == "")
	case path == QueuesFile && got.Key == "member":
		args, wantArgs := conffile.SplitArguments(value), strings.Split(want.Value, ",")
		if len(args) != 7 || args[2] != strings.TrimSpace(text) && text != "" {
			return false
		}
		args[2] = wantArgs[2]
		return slices.Equal(args, wantArgs)
	case path == VoicemailFile:
		fields, wantFields := strings.Split(value, ","), strings.Split(want.Value, ",")
		if len(fields) != 5 || fields[1] != strings.TrimSpace(strings.ReplaceAll(text, ",", "")) && text != "" {
			return false
		}
		fields[1] = wantFields[1]
		return slices.Equal(fields, wantFields)
	}
	return false
}

// unquote reads "name" <number> as ast_callerid_parse does.
func unquote(value string) (name, number string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(value) && value[0] == '"'; i++ {
		switch {
		case value[i] == '\\' && i+1 < len(value):
			i++
			b.WriteByte(value[i])
		case value[i] == '"':
			number, ok = strings.CutPrefix(value[i+1:], " <")
			return b.String(), strings.TrimSuffix(number, ">"), ok && strings.HasSuffix(number, ">")
		default:
			b.WriteByte(value[i])
		}
	}
	return "", "", false
}

// FuzzIdentifiers proves that every other field is either refused or holds
// nothing that means anything to a parser or an application: no control
// character, blank, comma, semicolon, quote, bracket, brace, dollar or "&".
func FuzzIdentifiers(f *testing.F) {
	for _, s := range append(hostile, "1001", "alice.r", "from-sip", "600", "*5", "en-GB", "/a/b", "../a", "a/../b", "10.0.0.0/8", "+39", "Ringall") {
		f.Add(s, uint8(0))
	}
	base := fuzzBase(f)
	fields := slices.DeleteFunc(everyLeaf(f), func(l leaf) bool { return free.MatchString(l.path) })
	// 0 tries all fields, any other number one of them.
	f.Fuzz(func(t *testing.T, text string, field uint8) {
		fields := fields
		if field > 0 {
			i := int(field) % len(fields)
			fields = fields[i : i+1]
		}
		harmless := utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
			return !isIdentifier(r) && !strings.ContainsRune("*#+:/", r)
		})
		for _, l := range fields {
			s, err := renderWith(base, []leaf{l}, text)
			if err != nil {
				continue
			}
			if !harmless {
				t.Fatalf("%s accepts %.80q", l.path, text)
			}
			parsed(t, s)
		}
	})
}

// deepCopy copies what a leaf may change.
func deepCopy(c Center) Center {
	return copyOf(reflect.ValueOf(c)).Interface().(Center)
}

func copyOf(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(copyOf(v.Elem()))
		}
	case reflect.Slice:
		if v.IsNil() || v.Type().Elem().Kind() == reflect.Uint8 {
			return v
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(copyOf(v.Index(i)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(copyOf(v.Field(i)))
		}
	default:
		return v
	}
	return out
}
