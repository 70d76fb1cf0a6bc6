package conffile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/voice/conffile"
)

func TestParse(t *testing.T) {
	text := strings.Join([]string{
		"; a comment", "[base](!)", "a=1 ; rest", "[one](base)", `b => x\;y`, "c=", ";-- block", "d=hidden", "--;e=after the end",
		"[one](+)", "a+=2", "#include <other.conf>", "f=1;--hidden--;2", `g=;---- only a comment`, "  h  =  spaced = value  ",
		";-- outer ;-- inner --; still --;i=7", "#tryinclude \"x y.conf\"", "[two](base,one) ", `j=\\;k`,
	}, "\n")
	got, err := conffile.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := conffile.File{
		Sections: []conffile.Section{
			{Name: "base", Template: true, Settings: []conffile.Setting{{Key: "a", Value: "1"}}},
			{Name: "one", Inherits: []string{"base"}, Settings: []conffile.Setting{
				{Key: "b", Value: "x;y", Object: true}, {Key: "c"}, {Key: "e", Value: "after the end"},
			}},
			{Name: "one", Addition: true, Settings: []conffile.Setting{
				{Key: "a", Value: "2", Append: true}, {Key: "f", Value: "12"}, {Key: "g"}, {Key: "h", Value: "spaced = value"}, {Key: "i", Value: "7"},
			}},
			{Name: "two", Inherits: []string{"base", "one"}, Settings: []conffile.Setting{{Key: "j", Value: `\;k`}}},
		},
		Directives: []conffile.Directive{{Name: "include", Argument: "other.conf"}, {Name: "tryinclude", Argument: "x y.conf"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no section": "a=1", "no equal sign": "[a]\nb", "open section": "[a", "tail": "[a]b", "addition to nothing": "[a](+)",
		"unknown template": "[a](b)", "unknown directive": "#if x", "open comment": "[a]\n;-- x", "closed comment": "[a]\nx --;",
		"long line": "[a]\nb=" + strings.Repeat("x", 9000), "NUL": "[a]\nb=\x00", "carriage return": "[a]\nb=x\ry=z", "append to nothing": "[a]\n+=x",
		"nested": strings.Repeat(";-- ", 200),
	} {
		if got, err := conffile.Parse(text); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestSplitArguments(t *testing.T) {
	for text, want := range map[string][]string{
		"a,b": {"a", "b"}, `a\,b`: {"a,b"}, `"a,b",c`: {"a,b", "c"}, "(a,b),c": {"(a,b)", "c"}, "(a,b": {"(a,b"}, `[a,b],\(c`: {"[a,b]", "(c"},
		"": {""}, ")a,b": {")a", "b"}, `a\`: {`a\`}, "a,,b": {"a", "", "b"},
	} {
		if diff := cmp.Diff(want, conffile.SplitArguments(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
