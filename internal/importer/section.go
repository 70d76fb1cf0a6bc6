package importer

import (
	"slices"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// section is a section on its way: whatever nobody asked for in the end is reported.
type section struct {
	*asteriskconf.Section
	report *Report
	// used settings, by index.
	used []bool
	// done: all of it is accounted for.
	done bool
}

func newSection(s *asteriskconf.Section, report *Report) *section {
	return &section{Section: s, report: report, used: make([]bool, len(s.Settings))}
}

// all settings of the given names in their order; they count as used.
func (s *section) all(names ...string) []asteriskconf.Setting {
	if s == nil {
		return nil
	}
	var found []asteriskconf.Setting
	for i, setting := range s.Settings {
		if slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, setting.Name) }) {
			s.used[i] = true
			s.report.read(setting.Position)
			found = append(found, setting)
		}
	}
	return found
}

// get is the last setting of the given names, which is the one that counts.
func (s *section) get(names ...string) (asteriskconf.Setting, bool) {
	all := s.all(names...)
	if len(all) == 0 {
		return asteriskconf.Setting{}, false
	}
	return all[len(all)-1], true
}

// text is the value of get, or "".
func (s *section) text(names ...string) string {
	setting, _ := s.get(names...)
	return setting.Value
}

// drop reports that a setting is left out.
func (s *section) drop(setting asteriskconf.Setting, why string) { s.tell(setting, Dropped, why) }

// change reports that a setting is carried over in another form.
func (s *section) change(setting asteriskconf.Setting, why string) { s.tell(setting, Changed, why) }

func (s *section) tell(setting asteriskconf.Setting, effect Effect, why string) {
	s.report.add(Item{Position: setting.Position, Section: s.Name, Option: setting.Name, Value: setting.Value, Effect: effect, Why: why})
}

// note reports something about the section as a whole.
func (s *section) note(effect Effect, why string) {
	s.report.add(Item{Position: s.Position, Section: s.Name, Effect: effect, Why: why})
}

// rest reports every setting that nobody asked for, with the reason known for it.
func (s *section) rest(reasons map[string]string, otherwise string) {
	s.done = true
	for i, setting := range s.Settings {
		if s.used[i] {
			continue
		}
		s.used[i] = true
		why, known := reasons[strings.ToLower(setting.Name)]
		if !known {
			why = otherwise
		}
		s.drop(setting, why)
	}
}

// abandon reports a section that is left out as a whole. Lines of its templates count as left out only if no other section reads them.
func (s *section) abandon(why string) {
	if s.done {
		return
	}
	s.done = true
	s.note(Dropped, why)
	for i, setting := range s.Settings {
		if s.used[i] {
			continue
		}
		s.used[i] = true
		item := Item{Position: setting.Position, Section: s.Name, Option: setting.Name, Value: setting.Value, Effect: Dropped, Why: why}
		item.unlessRead = setting.Inherited
		s.report.add(item)
	}
}

// is asks for options whose meaning Ringmaster has anyway: with one of the values they are carried over, else dropped with a
// reason.
func (s *section) is(why string, values []string, names ...string) {
	for _, setting := range s.all(names...) {
		if !slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, setting.Value) }) {
			s.drop(setting, why)
		}
	}
}

// truth is Asterisk's ast_true.
func truth(value string) bool {
	return slices.Contains([]string{"yes", "true", "y", "t", "1", "on"}, strings.ToLower(value))
}

// falsehood is Asterisk's ast_false.
func falsehood(value string) bool {
	return slices.Contains([]string{"no", "false", "n", "f", "0", "off"}, strings.ToLower(value))
}

// words of a list, without the spaces around them.
func words(value, separators string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}
