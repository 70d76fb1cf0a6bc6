package importer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// columnKind is how a cell becomes a value.
type columnKind int

const (
	columnText columnKind = iota
	columnNumber
	columnBool
	// columnList holds several texts or numbers, separated by spaces.
	columnList
	// columnJSON holds what has structure of its own.
	columnJSON
)

// column is a field of spec that a cell may hold. Its name is the field's path below spec, as in sip.codecs.
type column struct {
	path string
	kind columnKind
	// numbers: the items of a list are numbers.
	numbers bool
	// enum lists the legal values, if they are listed.
	enum []string
}

// leading are the columns that come first in an export; the others follow in alphabetical order.
var leading = []string{"fullName", "username", "extension", "email", "alias", "description", "typology", "accountState"}

// columns of an agent, out of the CustomResourceDefinition: what the API has, a cell can say.
func (v *validator) columns() []column {
	var out []column
	walk(v.kinds["Agent"].structural.Properties["spec"], "", &out)
	slices.SortFunc(out, func(a, b column) int {
		rank := func(c column) int {
			if i := slices.Index(leading, c.path); i >= 0 {
				return i
			}
			return len(leading)
		}
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a.path, b.path)
	})
	return out
}

func walk(s schema.Structural, path string, out *[]column) {
	for name, property := range s.Properties {
		at := strings.TrimPrefix(path+"."+name, ".")
		c := column{path: at, enum: enumOf(property)}
		switch {
		case property.Type == "object" && len(property.Properties) > 0 && !strings.HasSuffix(strings.ToLower(name), "selector"):
			walk(property, at, out)
			continue
		case property.Type == "object":
			c.kind = columnJSON
		case property.Type == "array" && property.Items != nil && property.Items.Type != "object":
			c.kind = columnList
			c.numbers = property.Items.Type == "integer"
			c.enum = enumOf(*property.Items)
		case property.Type == "array":
			c.kind = columnJSON
		case property.Type == "integer":
			c.kind = columnNumber
		case property.Type == "boolean":
			c.kind = columnBool
		}
		*out = append(*out, c)
	}
}

func enumOf(s schema.Structural) []string {
	if s.ValueValidation == nil {
		return nil
	}
	var out []string
	for _, v := range s.ValueValidation.Enum {
		if text, ok := v.Object.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// parse turns a cell into a value of the field.
func (c column) parse(cell string) (any, error) {
	switch c.kind {
	case columnNumber:
		n, err := strconv.ParseInt(cell, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s is a whole number", c.path)
		}
		return n, nil
	case columnBool:
		b, err := strconv.ParseBool(cell)
		if err != nil {
			return nil, fmt.Errorf("%s is true or false", c.path)
		}
		return b, nil
	case columnList:
		return c.parseList(cell)
	case columnJSON:
		return parseJSON(c.path, cell)
	default:
		return c.word(cell), nil
	}
}

func (c column) parseList(cell string) (any, error) {
	var items []any
	if strings.HasPrefix(cell, "[") {
		value, err := parseJSON(c.path, cell)
		if err != nil {
			return nil, err
		}
		items, _ = value.([]any)
		return items, nil
	}
	for _, word := range words(cell, " ,|") {
		if !c.numbers {
			items = append(items, c.word(word))
			continue
		}
		n, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s holds whole numbers, separated by spaces", c.path)
		}
		items = append(items, n)
	}
	return items, nil
}

func parseJSON(path, cell string) (any, error) {
	var value any
	if err := json.Unmarshal([]byte(cell), &value); err != nil {
		return nil, fmt.Errorf("%s holds JSON: %w", path, err)
	}
	return normalise(value), nil
}

// aliases are words of older systems, among them the misspelt recording formats of one of them.
var aliases = map[string]map[string]string{
	"sip.nat":              {"yes": "ForceRportComedia", "no": "None", "forcerport,comedia": "ForceRportComedia"},
	"sip.recording.format": {"no": "Inactive", "waw": "Wav", "waw49": "Wav49"},
}

// word is a listed value in its own spelling, whatever the letter case and the hyphens; Enabled and Disabled have the words people use
// for them.
func (c column) word(cell string) string {
	if len(c.enum) == 0 {
		return cell
	}
	plain := func(s string) string {
		return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(s))
	}
	if alias := aliases[c.path][plain(cell)]; alias != "" {
		return alias
	}
	for _, legal := range c.enum {
		if plain(legal) == plain(cell) {
			return legal
		}
	}
	if slices.Contains(c.enum, "Enabled") && slices.Contains(c.enum, "Disabled") {
		switch plain(cell) {
		case "yes", "true", "on", "1":
			return "Enabled"
		case "no", "false", "off", "0":
			return "Disabled"
		}
	}
	return cell
}

// format is the cell of a value.
func (c column) format(value any) (string, error) {
	if list, ok := value.([]any); ok && c.kind == columnList {
		var items []string
		plain := true
		for _, item := range list {
			text := fmt.Sprint(item)
			plain = plain && text != "" && !strings.ContainsAny(text, " ,|")
			items = append(items, text)
		}
		if plain {
			return strings.Join(items, " "), nil
		}
	}
	switch value.(type) {
	case map[string]any, []any:
		data, err := json.Marshal(value)
		return string(data), err
	}
	return fmt.Sprint(value), nil
}

// dig is the value at a path.
func dig(object map[string]any, path []string) (any, bool) {
	for i, step := range path {
		value, ok := object[step]
		if !ok || i == len(path)-1 {
			return value, ok
		}
		if object, ok = value.(map[string]any); !ok {
			return nil, false
		}
	}
	return nil, false
}

// bury sets the value at a path, making what leads to it.
func bury(object map[string]any, path []string, value any) {
	for _, step := range path[:len(path)-1] {
		next, ok := object[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			object[step] = next
		}
		object = next
	}
	object[path[len(path)-1]] = value
}
