package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// Columns that are no fields of spec.
const (
	columnName        = "name"
	columnLabels      = "labels"
	columnAnnotations = "annotations"
	columnPassword    = "password"
	columnSIPPassword = "sipPassword"
	columnPIN         = "pin"
)

var otherColumns = []string{columnName, columnLabels, columnAnnotations, columnPassword, columnSIPPassword, columnPIN}

// CSV imports agents from a file as of RFC 4180: comma or semicolon, UTF-8 with or without byte order mark. The header names
// columns: name, labels, annotations, password, sipPassword, pin, or the path of a field below spec, as in sip.codecs, in any letter
// case. An error means that the file cannot be read.
func CSV(ctx context.Context, file string, from io.Reader, options Options) (*Result, error) {
	v, err := definitions()
	if err != nil {
		return nil, err
	}
	records, lines, err := readCSV(file, from)
	if err != nil {
		return nil, err
	}
	t := &table{file: file, options: options, result: &Result{}, seen: names{}, extensions: map[string]string{}, users: map[string]string{}}
	if err := t.header(records[0], lines[0], v.columns()); err != nil {
		return nil, err
	}
	var people []draft[v1alpha1.Agent]
	for i, record := range records[1:] {
		d, err := t.row(record, lines[i+1])
		if err != nil {
			return nil, err
		}
		if d != nil {
			people = append(people, *d)
		}
	}
	if err := t.result.people(ctx, v, people, options); err != nil {
		return nil, err
	}
	return t.result, nil
}

// table is a CSV file on its way.
type table struct {
	file    string
	options Options
	result  *Result
	// titles as they are written, by position; columns that are fields of spec, nil for others.
	titles []string
	fields []*column
	// other is one of otherColumns, by position, or "".
	other []string
	seen  names
	// extensions and users that are taken, with the agent that has them.
	extensions, users map[string]string
}

// plainTitle makes "Full Name", "full_name" and "fullName" one.
func plainTitle(title string) string {
	return strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(strings.TrimSpace(title)))
}

func (t *table) header(record []string, line int, columns []column) error {
	known := 0
	first := map[string]bool{}
	for _, title := range record {
		plain := plainTitle(title)
		if plain != "" && first[plain] {
			return fmt.Errorf("%s:%d: two columns are called %s", t.file, line, shown("", title))
		}
		first[plain] = true
		field := slices.IndexFunc(columns, func(c column) bool { return plainTitle(c.path) == strings.TrimPrefix(plain, "spec.") })
		other := slices.IndexFunc(otherColumns, func(c string) bool { return plainTitle(c) == plain })
		t.titles = append(t.titles, strings.TrimSpace(title))
		t.fields = append(t.fields, nil)
		t.other = append(t.other, "")
		at := len(t.titles) - 1
		switch {
		case other >= 0:
			t.other[at] = otherColumns[other]
			known++
		case field >= 0:
			t.fields[at] = &columns[field]
			known++
		default:
			t.tell(line, "", title, "", Dropped, "an unknown column: none of its cells is carried over")
		}
	}
	if !first[plainTitle("fullName")] && !first[columnName] {
		return fmt.Errorf("%s:%d: no column is called fullName or name; the first line names the columns", t.file, line)
	}
	return nil
}

func (t *table) tell(line int, section, option, value string, effect Effect, why string) {
	t.result.Report.add(Item{Position: asteriskconf.Position{File: t.file, Line: line}, Section: section, Option: option, Value: value, Effect: effect, Why: why})
}

// row makes an agent of a record; nil if it is left out.
func (t *table) row(record []string, line int) (*draft[v1alpha1.Agent], error) {
	other := map[string]asteriskconf.Setting{}
	spec := map[string]any{}
	d := &draft[v1alpha1.Agent]{
		position: asteriskconf.Position{File: t.file, Line: line}, fields: map[string]asteriskconf.Setting{}, secrets: map[string]string{},
	}
	empty := true
	for i, text := range record {
		// A space at the end of a password may be meant.
		if !slices.Contains([]string{columnPassword, columnSIPPassword}, t.kind(i)) {
			text = cellText(text)
		}
		if text == "" {
			continue
		}
		empty = false
		if i >= len(t.titles) {
			t.tell(line, "", fmt.Sprintf("cell %d", i+1), "", Dropped, "the row has more cells than the header")
			continue
		}
		setting := asteriskconf.Setting{Name: t.titles[i], Value: text, Position: d.position}
		switch field := t.fields[i]; {
		case t.other[i] != "":
			other[t.other[i]] = setting
		case field != nil:
			value, err := field.parse(text)
			if err != nil {
				t.tell(line, "", t.titles[i], text, Dropped, err.Error())
				continue
			}
			bury(spec, strings.Split(field.path, "."), value)
			d.fields["spec."+field.path] = setting
		}
	}
	if empty {
		return nil, nil
	}
	if err := t.fill(d, spec); err != nil {
		return nil, err
	}
	if !t.identify(d, other, line) {
		return nil, nil
	}
	t.metadata(d, other, line)
	return d, t.credentials(d, other, line)
}

// kind is which of otherColumns a position is, or "".
func (t *table) kind(at int) string {
	if at < len(t.other) {
		return t.other[at]
	}
	return ""
}

// fill decodes what the cells say into the object, leaving out what has another type than the field.
func (t *table) fill(d *draft[v1alpha1.Agent], spec map[string]any) error {
	for {
		data, err := json.Marshal(map[string]any{"spec": spec})
		if err != nil {
			return err
		}
		var agent v1alpha1.Agent
		err = json.Unmarshal(data, &agent)
		if err == nil {
			d.object = agent
			return t.kept(d)
		}
		// Durations and JSON cells are checked when they are decoded; the error does not always say which one it was.
		path, ok := t.undecodable(spec, d)
		if !ok {
			return fmt.Errorf("%s: %w", d.position, err)
		}
		setting := d.fields["spec."+path]
		t.tell(d.position.Line, "", setting.Name, setting.Value, Dropped, path+": not a legal value")
		delete(d.fields, "spec."+path)
		remove(spec, strings.Split(path, "."))
	}
}

// kept reports cells that the object does not show: a zero is as nothing.
func (t *table) kept(d *draft[v1alpha1.Agent]) error {
	object, err := toMap(d.object)
	if err != nil {
		return err
	}
	for path, setting := range d.fields {
		if _, ok := dig(object, strings.Split(path, ".")); !ok {
			t.tell(d.position.Line, "", setting.Name, setting.Value, Dropped, strings.TrimPrefix(path, "spec.")+": as if it was left out")
			delete(d.fields, path)
		}
	}
	return nil
}

// undecodable finds a field that cannot be decoded by itself.
func (t *table) undecodable(spec map[string]any, d *draft[v1alpha1.Agent]) (string, bool) {
	for key := range d.fields {
		path := strings.TrimPrefix(key, "spec.")
		steps := strings.Split(path, ".")
		value, ok := dig(spec, steps)
		if !ok {
			continue
		}
		alone := map[string]any{}
		bury(alone, steps, value)
		data, err := json.Marshal(map[string]any{"spec": alone})
		if err != nil || json.Unmarshal(data, &v1alpha1.Agent{}) != nil {
			return path, true
		}
	}
	return "", false
}

// identify gives the agent its names; false if another row has them.
func (t *table) identify(d *draft[v1alpha1.Agent], other map[string]asteriskconf.Setting, line int) bool {
	spec := &d.object.Spec
	given := other[columnName]
	if spec.FullName == "" {
		if given.Value == "" {
			t.tell(line, "", "fullName", "", Dropped, "the row has neither fullName nor name and is left out")
			return false
		}
		spec.FullName = given.Value
	}
	if clean := fullName(spec.FullName); clean != spec.FullName {
		t.tell(line, given.Value, "fullName", spec.FullName, Changed, "some characters are not legal: "+clean)
		spec.FullName = clean
	}
	name := given.Value
	if name == "" {
		name = slug(spec.FullName)
		if name == "" {
			name = strings.Trim("agent-"+spec.Extension, "-")
		}
		name = t.seen.unique(name)
	} else {
		if faults := validation.IsDNS1123Label(name); len(faults) > 0 {
			name = slug(name)
			t.tell(line, given.Value, given.Name, given.Value, Changed, "the name of an object is lower-case letters, digits and hyphens: "+name)
		}
		if name == "" || t.seen[name] {
			t.tell(line, given.Value, given.Name, given.Value, Dropped, "another row has this name already, or nothing of it can be used: the row is left out")
			return false
		}
		t.seen[name] = true
	}
	d.section = name
	d.object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Agent"}
	d.object.Name, d.object.Namespace = name, t.options.Namespace
	if spec.Typology == "" {
		spec.Typology = t.options.Typology
	}
	t.distinct(d)
	return true
}

// distinct leaves extensions and usernames to those that had them first. The default of a username is the name, which must then be
// a legal one.
func (t *table) distinct(d *draft[v1alpha1.Agent]) {
	spec := &d.object.Spec
	for _, unique := range []struct {
		path  string
		value *string
		taken map[string]string
	}{{"spec.extension", &spec.Extension, t.extensions}, {"spec.username", &spec.Username, t.users}} {
		if holder := unique.taken[*unique.value]; *unique.value != "" && holder != "" {
			setting := d.fields[unique.path]
			t.tell(d.position.Line, d.object.Name, setting.Name, setting.Value, Dropped, "it belongs to "+holder)
			delete(d.fields, unique.path)
			*unique.value = ""
		}
		if *unique.value != "" {
			unique.taken[*unique.value] = d.object.Name
		}
	}
	if spec.Username == "" && (!isUsername(d.object.Name) || t.users[d.object.Name] != "") {
		name := username(d.object.Name)
		for i := 2; t.users[name] != ""; i++ {
			name = fmt.Sprintf("%.60s_%d", username(d.object.Name), i)
		}
		spec.Username = name
		t.tell(d.position.Line, d.object.Name, "username", "", Changed, "the name is no legal username: it is "+name)
		t.users[name] = d.object.Name
	} else if spec.Username == "" {
		t.users[d.object.Name] = d.object.Name
	}
}

func (t *table) metadata(d *draft[v1alpha1.Agent], other map[string]asteriskconf.Setting, line int) {
	if setting, ok := other[columnLabels]; ok {
		set, err := labels.ConvertSelectorToLabelsMap(strings.Join(words(setting.Value, " ,"), ","))
		if err != nil {
			t.tell(line, d.object.Name, setting.Name, setting.Value, Dropped, "labels are written key=value, separated by spaces")
		} else {
			d.object.Labels = set
		}
	}
	if setting, ok := other[columnAnnotations]; ok {
		if err := json.Unmarshal([]byte(setting.Value), &d.object.Annotations); err != nil {
			d.object.Annotations = nil
			t.tell(line, d.object.Name, setting.Name, setting.Value, Dropped, "annotations are a JSON object of texts")
		}
	}
}

// credentials takes passwords and PIN into the agent's Secret.
func (t *table) credentials(d *draft[v1alpha1.Agent], other map[string]asteriskconf.Setting, line int) error {
	for column, key := range map[string]string{columnPassword: keyPassword, columnSIPPassword: keySIPPassword, columnPIN: keyPIN} {
		if setting, ok := other[column]; ok {
			d.secrets[key] = setting.Value
		}
	}
	if value := d.secrets[keyPassword]; value != "" {
		if faults := security.DefaultPasswordPolicy().Check(value); len(faults) > 0 {
			delete(d.secrets, keyPassword)
			t.tell(line, d.object.Name, columnPassword, "", Dropped, security.Explain(faults)+": the agent cannot sign in at the desk before a password is set")
		}
	}
	var sip, pin *asteriskconf.Setting
	if setting, ok := other[columnSIPPassword]; ok {
		sip = &setting
	}
	if setting, ok := other[columnPIN]; ok {
		pin = &setting
		if d.object.Spec.Voicemail.State == "" {
			d.object.Spec.Voicemail.State = v1alpha1.Enabled
		}
	}
	c := credentials{options: t.options, report: &t.result.Report}
	if err := c.complete(d, sip, pin); err != nil {
		return err
	}
	refer(d)
	return nil
}
