package voice

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// maxTemplates bounds the templates of a file: Asterisk looks for each by going through
// all sections before it.
const maxTemplates = 32

// sections are the objects of one type. Settings that several objects have in
// common are written once, as a template: the length of a file counts at every reload.
type sections struct {
	kind string
	list []section
	// own are the settings that belong to one section alone, of all sections.
	own bytes.Buffer
	// shared are the settings of the section that was begun last which others may have, too.
	shared bytes.Buffer
	shapes map[string]*shape
}

// section has a shape and, from start to end of sections.own, its own settings.
type section struct {
	name       string
	shape      *shape
	start, end int
}

// shape is what sections have in common.
type shape struct {
	// template is its name in the file.
	template string
	settings string
	uses     int
}

func newSections(kind string, expected int) *sections {
	return &sections{kind: kind, list: make([]section, 0, expected), shapes: map[string]*shape{}}
}

// begin starts an object; end completes it.
func (s *sections) begin(name string) {
	s.list = append(s.list, section{name: name, start: s.own.Len()})
	s.shared.Reset()
	s.share("type", s.kind)
}

// share adds a setting that other objects may have, too.
func (s *sections) share(key, value string) { writeSetting(&s.shared, key, value) }

// set adds a setting of this object alone.
func (s *sections) set(key, value string) { writeSetting(&s.own, key, value) }

func writeSetting(b *bytes.Buffer, key, value string) {
	b.WriteString(key)
	b.WriteByte('=')
	b.WriteString(value)
	b.WriteByte('\n')
}

// revision is a hash of all settings of the object so far.
func (s *sections) revision() string {
	return digest(slices.Concat(s.shared.Bytes(), s.own.Bytes()[s.list[len(s.list)-1].start:]))[:16]
}

func (s *sections) end() {
	o := &s.list[len(s.list)-1]
	o.end = s.own.Len()
	known := s.shapes[string(s.shared.Bytes())]
	if known == nil {
		settings := s.shared.String()
		known = &shape{template: "ringmaster-" + s.kind + "-" + digest([]byte(settings))[:8], settings: settings}
		s.shapes[settings] = known
	}
	known.uses++
	o.shape = known
}

// file is a whole file of these objects.
func (s *sections) file() []byte {
	var b bytes.Buffer
	b.WriteString(banner)
	s.write(&b)
	return b.Bytes()
}

// write writes the templates and then the objects, in the order they were added.
func (s *sections) write(b *bytes.Buffer) {
	templates := map[*shape]bool{}
	for _, t := range s.templates() {
		templates[t] = true
		b.WriteString("\n[" + t.template + "](!)\n" + t.settings)
	}
	for _, o := range s.list {
		b.WriteString("\n[")
		b.WriteString(o.name)
		if templates[o.shape] {
			b.WriteString("](")
			b.WriteString(o.shape.template)
			b.WriteString(")\n")
		} else {
			b.WriteString("]\n")
			b.WriteString(o.shape.settings)
		}
		b.Write(s.own.Bytes()[o.start:o.end])
	}
}

// templates are the shapes that are used most, and more than once, in the order of their names. A type
// alone is written sooner than the name of a template.
func (s *sections) templates() []*shape {
	var often []*shape
	for _, t := range s.shapes {
		if t.uses > 1 && strings.Count(t.settings, "\n") > 1 {
			often = append(often, t)
		}
	}
	byName := func(x, y *shape) int { return strings.Compare(x.template, y.template) }
	slices.SortFunc(often, func(x, y *shape) int { return cmp.Or(cmp.Compare(y.uses, x.uses), byName(x, y)) })
	often = often[:min(len(often), maxTemplates)]
	slices.SortFunc(often, byName)
	return often
}
