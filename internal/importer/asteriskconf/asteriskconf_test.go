package asteriskconf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func files(texts map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range texts {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// plain is a file as [section]name=value lines, with the line of each in front.
func plain(f *File) string {
	var b strings.Builder
	for _, s := range f.Sections {
		template := ""
		if s.Template {
			template = "(!)"
		}
		fmt.Fprintf(&b, "%s [%s]%s\n", s.Position, s.Name, template)
		for _, v := range s.Settings {
			inherited := ""
			if v.Inherited {
				inherited = " inherited"
			}
			fmt.Fprintf(&b, "%s %s=%s%s\n", v.Position, v.Name, v.Value, inherited)
		}
	}
	for _, n := range f.Notices {
		fmt.Fprintf(&b, "%s %s: %s\n", n.Position, n.Text, n.Why)
	}
	return b.String()
}

// readCase is a file a, with what it includes, and what plain makes of it.
type readCase struct {
	files map[string]string
	want  string
}

var readCases = map[string]readCase{
	"settings": {
		map[string]string{"a": "[s]\na=1\n b => 2 ; two\nc= x=y \n"},
		"a:1 [s]\na:2 a=1\na:3 b=2\na:4 c=x=y\n",
	},
	"comments": {
		map[string]string{"a": "; nothing\n[s] ; here\na=1\\;2 ; three\nb=1;-- a\nc=2\n;-- b --; d=3 --;4\ne=5;---not a block\nf=6--;7\nskipped\n;--\ng=8\n"},
		"a:2 [s]\na:3 a=1;2\na:4 b=1\na:7 e=5\na:8 f=6--;7\na:11 g=8\na:6 4: a line without an equals sign, which Asterisk ignores\n",
	},
	"templates": {
		map[string]string{"a": "[t](!)\nx=1\ny=1\n[s](t)\ny=2\n[u](!,t)\nz=3\n[v](u,s)\n"},
		"a:1 [t](!)\na:2 x=1\na:3 y=1\n" +
			"a:4 [s]\na:2 x=1 inherited\na:3 y=1 inherited\na:5 y=2\n" +
			"a:6 [u](!)\na:2 x=1 inherited\na:3 y=1 inherited\na:7 z=3\n" +
			"a:8 [v]\na:2 x=1 inherited\na:3 y=1 inherited\na:7 z=3 inherited\na:2 x=1 inherited\na:3 y=1 inherited\na:5 y=2 inherited\n",
	},
	"continued": {
		map[string]string{"a": "[s]\na=1\n[r]\nb=2\n[s](+)\nc=3\n[S](+a=1)\nd=4\n"},
		"a:1 [s]\na:2 a=1\na:6 c=3\na:8 d=4\na:3 [r]\na:4 b=2\n",
	},
	"continued with a template": {
		map[string]string{"a": "[t](!)\nx=1\n[s]\n[s](t,+)\nc=3\n[s](+,t)\n"},
		"a:1 [t](!)\na:2 x=1\na:3 [s]\na:2 x=1 inherited\na:5 c=3\na:2 x=1 inherited\n",
	},
	"the same name twice": {
		map[string]string{"a": "[s]\na=1\n[s]\na=2\n"},
		"a:1 [s]\na:2 a=1\na:3 [s]\na:4 a=2\n",
	},
	"appended": {
		map[string]string{"a": "[s]\na=1\na+=,2\nb += 3\n"},
		"a:1 [s]\na:2 a=1,2\na:4 b=3\n",
	},
	"escaped first character": {
		map[string]string{"a": "[s]\n\\[x]=1\n\\#y=2\n"},
		"a:1 [s]\na:2 [x]=1\na:3 #y=2\n",
	},
	"byte order mark and carriage returns": {
		map[string]string{"a": "\xef\xbb\xbf[s]\r\na=1\r\n"},
		"a:1 [s]\na:2 a=1\n",
	},
	"Windows-1252": {
		map[string]string{"a": "[s]\na=Jos\xe9\n"},
		"a:1 [s]\na:2 a=José\na:1 : the file is not UTF-8 and was read as Windows-1252: check names with accents\n",
	},
	"include within a section": {
		map[string]string{"a": "[s]\na=1\n#include \"d/*.conf\"\nd=4\n", "d/b.conf": "b=2\n", "d/c.conf": "[r]\nc=3\n"},
		"a:1 [s]\na:2 a=1\nd/b.conf:1 b=2\na:4 d=4\nd/c.conf:1 [r]\nd/c.conf:2 c=3\n",
	},
	"include twice": {
		map[string]string{"a": "[s]\n#include <b>\n#include b\n", "b": "b=2\n"},
		"a:1 [s]\nb:1 b=2\nb:1 b=2\n",
	},
	"what is not followed": {
		map[string]string{"a": "#include /etc/passwd\n#include ../x\n#include none\n#tryinclude none\n#include no*ne\n#exec /bin/sh -c id\n#include\n#pragma x\n[s]\nno equals sign\n= nothing\n"},
		"a:9 [s]\n" +
			"a:1 #include /etc/passwd: only files inside the given directory are read: name it relative to that directory\n" +
			"a:2 #include ../x: only files inside the given directory are read: name it relative to that directory\n" +
			"a:3 #include none: the file cannot be read: file does not exist\n" +
			"a:4 #tryinclude none: the file cannot be read: file does not exist\n" +
			"a:5 #include no*ne: no file matches\n" +
			"a:6 #exec: programs are never run: run it yourself and import what it prints\n" +
			"a:7 #include: it names no file\n" +
			"a:8 #pragma: an unknown directive, which Asterisk ignores\n" +
			"a:10 no ...: a line without an equals sign, which Asterisk ignores\n" +
			"a:11 : a line without a name in front of the equals sign, which Asterisk ignores\n",
	},
}

func TestRead(t *testing.T) {
	for name, test := range readCases {
		t.Run(name, func(t *testing.T) {
			f, err := Read(files(test.files), "a")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, plain(f)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
		})
	}
}

// refused are files that Asterisk refuses, too.
var refused = map[string]readCase{
	"no bracket":          {map[string]string{"a": "[s"}, "a:1: a section without closing bracket"},
	"no parenthesis":      {map[string]string{"a": "[s](t"}, "a:1: a list of templates without closing parenthesis"},
	"no template":         {map[string]string{"a": "[s](t)"}, "a:1: [s] inherits from [t], which is not defined above"},
	"nothing to continue": {map[string]string{"a": "[s](+)"}, "a:1: [s](+) continues a section that is not defined above"},
	"no section":          {map[string]string{"a": "a=1"}, "a:1: a line before the first section"},
	"backslash":           {map[string]string{"a": "[s]\n\\"}, "a:2: a backslash with nothing behind it"},
}

func TestReadErrors(t *testing.T) {
	deep := map[string]string{}
	for i := range MaxDepth + 1 {
		deep[fmt.Sprint("f", i)] = fmt.Sprintf("#include f%d\n", i+1)
	}
	deep["a"] = "#include f0\n"
	wide := map[string]string{"a": strings.Repeat("#include b\n", MaxFiles+1), "b": ""}
	var growing strings.Builder
	growing.WriteString("[t0](!)\n" + strings.Repeat("a=1\n", 100))
	for i := range 20 {
		fmt.Fprintf(&growing, "[t%d](!,t%d,t%d)\n", i+1, i, i)
	}
	cases := map[string]readCase{
		"loop":                  {map[string]string{"a": "#include b", "b": "\n#include a"}, "b:2: a is included by itself: a > b > a"},
		"deep":                  {deep, "f8:1: files include each other more than 10 deep"},
		"wide":                  {wide, "b:1: more than 1000 files are included"},
		"templates that double": {map[string]string{"a": growing.String()}, "a:115: more than 2000000 settings"},
		"NUL":                   {map[string]string{"a": "[s]\na=\x00"}, "a:2: not a text file: it contains a NUL byte"},
		"long line":             {map[string]string{"a": strings.Repeat("x", MaxLine+2)}, "a:1: the line is longer than the 8190 bytes that Asterisk reads"},
		"large":                 {map[string]string{"a": strings.Repeat("\n", MaxFile+1)}, "a:1: more than 16 MiB in one file or 64 MiB in all"},
		"nested comments":       {map[string]string{"a": strings.Repeat(";-- ", maxNesting+1)}, "a:1: more than 128 nested comments"},
	}
	maps.Copy(cases, refused)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Read(files(test.files), "a")
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Read(files(nil), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file is %v", err)
	}
}

// Links that lead out of the directory and things that are no files are not read.
func TestReadOnlyInside(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.conf"), []byte("[outside]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.conf"), filepath.Join(dir, "link.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.conf"), []byte("#include link.conf\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := Read(root.FS(), "a.conf")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Sections) != 0 || len(f.Notices) != 1 || !strings.Contains(f.Notices[0].Why, "path escapes from parent") {
		t.Errorf("%+v", f)
	}
	if _, err := Read(root.FS(), "."); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory is %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"[s]\na=1\nb => 2 ; c\n", "[t](!)\nx=1\n[s](t,+)\n", ";-- a --; b\n#include b\n", "[s]\n\\[x]+=1;--\n--;\n", "#include \"[a-\"\n[](,)\n=\n",
	} {
		f.Add(seed, "[b]\nc=1\n#include a\n")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		file, err := Read(files(map[string]string{"a": a, "b": b}), "a")
		if err != nil {
			return
		}
		for _, s := range file.Sections {
			for _, v := range s.Settings {
				if v.Name == "" || strings.ContainsAny(v.Name+v.Value, "\n\x00") || v.Position.Line < 1 || v.Value != strip(v.Value) {
					t.Errorf("[%s] %+v", s.Name, v)
				}
			}
		}
	})
}
