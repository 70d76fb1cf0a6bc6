package voice

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/voice/conffile"
)

// TestSectionsShare wants what Asterisk makes of the templates to be what each section was given, and
// templates for the shapes alone that are worth one.
func TestSectionsShare(t *testing.T) {
	const shapes = maxTemplates + 8
	s := newSections("endpoint", 0)
	add := func(name, common string) {
		s.begin(name)
		if common != "" {
			s.share("common", common)
		}
		s.set("own", name)
		s.end()
	}
	for i := range shapes {
		for n := range i + 1 { // shape i is used i+1 times
			add(fmt.Sprintf("s%d-%d", i, n), fmt.Sprint(i))
		}
	}
	add("short", "")
	add("shorter", "")
	var b bytes.Buffer
	s.write(&b)
	file, err := conffile.Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	templates, inherited := map[string][]conffile.Setting{}, map[string]bool{}
	sections := 0
	for _, section := range file.Sections {
		if section.Template {
			templates[section.Name] = section.Settings
			continue
		}
		sections++
		settings := section.Settings
		for _, name := range section.Inherits {
			if templates[name] == nil {
				t.Fatalf("[%s] inherits %s, which is not above it", section.Name, name)
			}
			inherited[name] = true
			settings = append(slices.Clip(templates[name]), settings...)
		}
		want := []conffile.Setting{{Key: "type", Value: "endpoint"}, {Key: "own", Value: section.Name}}
		if !strings.HasPrefix(section.Name, "short") {
			shape, _, _ := strings.Cut(section.Name[1:], "-")
			want = append(want[:1], conffile.Setting{Key: "common", Value: shape}, want[1])
		}
		if fmt.Sprint(settings) != fmt.Sprint(want) {
			t.Errorf("[%s] is %v, want %v", section.Name, settings, want)
		}
	}
	if want := shapes*(shapes+1)/2 + 2; sections != want {
		t.Errorf("%d sections, want %d", sections, want)
	}
	if len(templates) != maxTemplates || len(inherited) != maxTemplates {
		t.Errorf("%d templates, %d of them used, want %d", len(templates), len(inherited), maxTemplates)
	}
	for name, settings := range templates {
		var shape int
		if _, err := fmt.Sscan(settings[1].Value, &shape); err != nil || shape < shapes-maxTemplates {
			t.Errorf("%s is the template of shape %s, which is among the least used", name, settings[1].Value)
		}
	}
}
