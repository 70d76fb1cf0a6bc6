package join

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const siteQueues = "; our queues\n[general]\npersistentmembers = no ; no\n\n[sales]\nstrategy = ringall\n"

func TestBlocksGoInAndOut(t *testing.T) {
	for name, put := range map[string]func([]byte, string) []byte{"prepend": prepend, "append": appendTo} {
		t.Run(name, func(t *testing.T) {
			once := put([]byte(siteQueues), tryInclude("/s/current/queues.conf"))
			if !includes(once, "/s/current/queues.conf") {
				t.Errorf("the file does not include Ringmaster's:\n%s", once)
			}
			if diff := cmp.Diff(string(once), string(put(once, tryInclude("/s/current/queues.conf")))); diff != "" {
				t.Errorf("done twice it differs (-once +twice):\n%s", diff)
			}
			if rest := withoutBlock(once); strings.TrimSpace(string(rest)) != strings.TrimSpace(siteQueues) {
				t.Errorf("without the block it is\n%s", rest)
			}
		})
	}
	first := prepend([]byte(siteQueues), "x")
	if !strings.HasPrefix(string(first), blockBegin) {
		t.Errorf("Ringmaster's lines are not first:\n%s", first)
	}
	if got := string(appendTo([]byte("a = b"), "x")); got != "a = b\n"+block("x") {
		t.Errorf("a file without an end of line became %q", got)
	}
	if got := string(withoutBlock([]byte(blockBegin + "half"))); got != blockBegin+"half" {
		t.Errorf("a block without an end was cut: %q", got)
	}
}

func TestIncludes(t *testing.T) {
	const path = "/var/lib/ringmaster/current/pjsip.conf"
	for text, want := range map[string]bool{
		`#tryinclude "` + path + `"`:                  true,
		"#include " + path:                            true,
		"  #tryinclude <" + path + "> ; ours":         true,
		`; #tryinclude "` + path + `"`:                false,
		";--\n#tryinclude \"" + path + "\"\n--;\n":    false,
		`#tryinclude "` + path + `.d"`:                false,
		`#exec "` + path + `"`:                        false,
		"[a]\n;-- x --;\n#tryinclude \"" + path + `"`: true,
	} {
		if got := includes([]byte(text), path); got != want {
			t.Errorf("%q includes it: %t, want %t", text, got, want)
		}
	}
}

func TestSections(t *testing.T) {
	const text = "[general]\nport = 5039\nport => 5040 ; really\n[Other](!)\nport = 1\n[general](+)\nenabled=YES\n#include \"x\"\n"
	for _, c := range []struct{ section, variable, want string }{
		{"general", "port", "5040"}, {"general", "ENABLED", "YES"}, {"other", "port", "1"}, {"general", "bindaddr", ""}, {"none", "port", ""},
	} {
		if got := setting([]byte(text), c.section, c.variable); got != c.want {
			t.Errorf("[%s] %s = %q, want %q", c.section, c.variable, got, c.want)
		}
	}
	if _, found := section([]byte("[a]\n"), "a"); !found {
		t.Error("a section without lines is not found")
	}
}

func TestMergedSections(t *testing.T) {
	problem, _ := mergedSections("extensions.conf", []byte("[general]\nstatic=yes\n[globals]\nTRUNK = PJSIP/isp\n"))
	if !strings.Contains(problem, "TRUNK") {
		t.Errorf("own global variables: problem %q", problem)
	}
	problem, note := mergedSections("queues.conf", []byte(siteQueues))
	if problem != "" || !strings.Contains(note, "persistentmembers") {
		t.Errorf("own [general]: problem %q, note %q", problem, note)
	}
	if problem, note := mergedSections("extensions.conf", []byte("[globals]\n; none\n[site]\nexten => 1,1,Hangup()\n")); problem+note != "" {
		t.Errorf("nothing shared: problem %q, note %q", problem, note)
	}
}

// Of every type Asterisk reads one file, and that is the one sorcery.conf names.
func TestTypeFiles(t *testing.T) {
	for i, name := range typeFiles {
		if !slices.Contains(includedFiles, name) {
			t.Errorf("%s does not include Ringmaster's", name)
		}
		kind := strings.TrimSuffix(strings.TrimPrefix(name, "pjsip_"), ".conf")
		if want := kind + "=config," + name + ",criteria=type=" + kind; mappings[i] != want {
			t.Errorf("the mapping is %q, want %q", mappings[i], want)
		}
		text, err := base{StateDir: "/s", SiteDir: "/site"}.file(name)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{tryInclude("/s/current/" + name), tryInclude("pjsip.conf"), "[ringmaster-mapped]", "type=aor", "max_contacts=0"}
		if diff := cmp.Diff(want, effective(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if problem, _ := mergedSections("pjsip_aor.conf", []byte("[isp]\ntype=aor\n")); !strings.Contains(problem, "pjsip_aor.conf") {
		t.Errorf("own objects: problem %q", problem)
	}
}

func TestPackaged(t *testing.T) {
	sum := md5.Sum([]byte("sample"))
	status := fmt.Appendf(nil, "Package: asterisk-config\nConffiles:\n /etc/asterisk/a.conf %s\n /etc/asterisk/b.conf 00\n", hex.EncodeToString(sum[:]))
	for _, c := range []struct {
		path, text string
		want       bool
	}{{"/etc/asterisk/a.conf", "sample", true}, {"/etc/asterisk/a.conf", "sample2", false}, {"/etc/asterisk/b.conf", "sample", false}} {
		if got := packaged(status, c.path, []byte(c.text)); got != c.want {
			t.Errorf("%s with %q is the package's: %t, want %t", c.path, c.text, got, c.want)
		}
	}
}

func TestReadLink(t *testing.T) {
	ca := testCA(t)
	good := `{"kind":"Secret","apiVersion":"v1","data":{"ca.crt":"` + b64(ca) + `","token":"` + b64("tok") + `","server":"` + b64("l.example:9443") + `","pbx":"` + b64("center/main") + `"}}`
	link, err := ReadLink(strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	want := Link{"ca.crt": []byte(ca), "token": []byte("tok"), "server": []byte("l.example:9443"), "pbx": []byte("center/main")}
	if diff := cmp.Diff(want, link); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	asYAML := "kind: Secret\nmetadata: {name: main-link}\ndata:\n  ca.crt: " + b64(ca) + "\n  token: " + b64("tok") + "\n  server: " + b64("l.example:9443") + "\n  pbx: " + b64("center/main") + "\n"
	if link, err = ReadLink(strings.NewReader(asYAML)); err != nil || cmp.Diff(want, link) != "" {
		t.Errorf("as YAML: %v, %v", link, err)
	}
	for name, c := range map[string]struct{ text, says string }{
		"nothing":        {"", `holds ""`},
		"a list":         {`{"kind":"List","items":[]}`, `holds "List"`},
		"an error":       {"error: secrets main-link not found\n", "holds"},
		"not YAML":       {"{" + b64("s3cret"), "neither JSON nor YAML"},
		"another Secret": {`{"kind":"Secret","data":{"token":"` + b64("tok") + `"}}`, `no "ca.crt"`},
		"no certificate": {strings.Replace(good, b64(ca), b64("x"), 1), "no certificate"},
		"a bad server":   {strings.Replace(good, b64("l.example:9443"), b64("l.example"), 1), `"server"`},
		"a bad pbx":      {strings.Replace(good, b64("center/main"), b64("main"), 1), "namespace/name"},
	} {
		_, err := ReadLink(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", name, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), b64("s3cret")) {
			t.Errorf("%s: the error quotes the Secret", name)
		}
	}
}
