package template

import (
	"errors"
	"html"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		text      string
		variables []string
		want      string // filled as text with vars
		fault     string
	}{
		"empty":                    {},
		"no variable":              {text: "a { b } }} c", want: "a { b } }} c"},
		"a variable":               {text: "Dear {{ user.name }},", variables: []string{"user.name"}, want: "Dear Zoë,"},
		"without spaces":           {text: "{{user.name}}{{user.name}}", variables: []string{"user.name"}, want: "ZoëZoë"},
		"a line break inside":      {text: "{{\n user.name\t}}!", variables: []string{"user.name"}, want: "Zoë!"},
		"sorted":                   {text: "{{ z }}{{ a_b.c-1 }}", variables: []string{"a_b.c-1", "z"}},
		"no value":                 {text: "[{{ nobody }}]", variables: []string{"nobody"}, want: "[]"},
		"a value is no template":   {text: "{{ tricky }}", variables: []string{"tricky"}, want: "{{ user.name }}"},
		"a brace before and after": {text: "{ {{ user.name }} }", variables: []string{"user.name"}, want: "{ Zoë }"},
		"never closed":             {text: "one\ntwo {{ user.name", fault: "line 2, column 5: {{ without }}"},
		"opened twice":             {text: "{{ a {{ b }}", fault: "line 1, column 1: {{ without }}"},
		"no name":                  {text: "ä {{  }}", fault: "line 1, column 7: the name of a variable is missing"},
		"a call":                   {text: "{{ user.name() }}", fault: `line 1, column 13: '(' cannot be in the name of a variable: letters, digits, _, - and dots between the parts`},
		"two names":                {text: "{{ user name }}", fault: `line 1, column 8: ' ' cannot be in the name of a variable: letters, digits, _, - and dots between the parts`},
		"a digit first":            {text: "{{ user.1 }}", fault: "line 1, column 9: each part of a variable's name begins with a letter or _"},
		"a dot first":              {text: "{{ .user }}", fault: "line 1, column 4: each part of a variable's name begins with a letter or _"},
		"a dot last":               {text: "{{ user. }}", fault: `line 1, column 8: '.' cannot be in the name of a variable: letters, digits, _, - and dots between the parts`},
		"two dots":                 {text: "{{ a..b }}", fault: "line 1, column 6: each part of a variable's name begins with a letter or _"},
		"not ASCII":                {text: "{{ naïve }}", fault: `line 1, column 6: 'ï' cannot be in the name of a variable: letters, digits, _, - and dots between the parts`},
		"too long":                 {text: "{{ " + strings.Repeat("x", 129) + " }}", fault: "line 1, column 4: the name of a variable has at most 128 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(test.text)
			if test.fault != "" {
				if s := (*SyntaxError)(nil); !errors.As(err, &s) || err.Error() != test.fault {
					t.Fatalf("error %v, want %s", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.variables, got.Variables()); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			if text := got.Text(map[string]string{"user.name": "Zoë", "tricky": "{{ user.name }}"}); text != test.want {
				t.Errorf("%q, want %q", text, test.want)
			}
		})
	}
}

func TestEscaping(t *testing.T) {
	tmpl, err := Parse("<b title=\"{{ v }}\">{{ v }}</b>\n")
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"v": "<script>\"'&\x00\x1b\r\nBcc: x@example.com\xff\u2028y"}
	if got, want := tmpl.Text(vars), "<b title=\"<script>\"'&\r\nBcc: x@example.com\u2028y\"><script>\"'&\r\nBcc: x@example.com\u2028y</b>\n"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	escaped := "&lt;script&gt;&#34;&#39;&amp;\r\nBcc: x@example.com\u2028y"
	if got, want := tmpl.HTML(vars), "<b title=\""+escaped+"\">"+escaped+"</b>\n"; got != want {
		t.Errorf("HTML %q, want %q", got, want)
	}
	line := "<script>\"'& Bcc: x@example.com y"
	if got, want := tmpl.Header(vars), "<b title=\""+line+"\">"+line+"</b>"; got != want {
		t.Errorf("header %q, want %q", got, want)
	}
}

func TestUnknown(t *testing.T) {
	tmpl, err := Parse("{{ user.name }} {{ user.shoeSize }} {{ mail.subject }}")
	if err != nil {
		t.Fatal(err)
	}
	for messageType, want := range map[string][]string{
		"Invitation": {"mail.subject", "user.shoeSize"},
		"AutoReply":  {"user.name", "user.shoeSize"},
	} {
		if diff := cmp.Diff(want, tmpl.Unknown(messageType)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", messageType, diff)
		}
	}
	for messageType := range known {
		if !slices.IsSorted(Known(messageType)) || len(Known(messageType)) == 0 {
			t.Errorf("%s: %v", messageType, Known(messageType))
		}
	}
}

// Whatever a text and a value are: parsing ends, a fault is inside the text, markup and further lines never come out of a value.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"", "{{ a }}", "x{{a.b}}y{{ c }}", "{{", "}}", "{{ {{ }}", "{{\n\n1}}", "ä{{ ö }}", "\xff{{ a }}"} {
		f.Add(seed, "<a href='x'>&\r\nBcc: y\x00")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		tmpl, err := Parse(text)
		if err != nil {
			var s *SyntaxError
			if !errors.As(err, &s) || s.Line < 1 || s.Line > 1+strings.Count(text, "\n") || s.Column < 1 || s.Column > len(text)+1 {
				t.Fatalf("error %v", err)
			}
			return
		}
		vars := map[string]string{}
		for _, v := range tmpl.Variables() {
			vars[v] = value
		}
		filled := tmpl.HTML(vars)
		if got := strings.Count(filled, "<"); got != strings.Count(strings.Join(tmpl.texts, ""), "<") {
			t.Errorf("%d markup characters", got)
		}
		if len(tmpl.variables) == 1 && html.UnescapeString(strings.TrimSuffix(strings.TrimPrefix(filled, tmpl.texts[0]), tmpl.texts[1])) != printable(value) {
			t.Error("the value is another one")
		}
		if header := tmpl.Header(vars); strings.ContainsFunc(header, unicode.IsControl) {
			t.Errorf("header %q", header)
		}
	})
}
