package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// Effect is what became of a line.
type Effect string

// Effects.
const (
	// Dropped: nothing of the line is in the manifests.
	Dropped Effect = "dropped"
	// Changed: it is, but not as it was.
	Changed Effect = "changed"
)

// Item is one line of the input that is not, or not unchanged, in the manifests.
type Item struct {
	Position asteriskconf.Position
	// Section is the phone, queue or mailbox, or empty.
	Section string
	// Option or column.
	Option string
	// Value as it was, empty when it may be secret.
	Value  string
	Effect Effect
	// Why, in words.
	Why string
	// unlessRead: the item does not count if anything else has read the line.
	unlessRead bool
}

// Report lists everything that could not be carried over.
type Report struct {
	items map[string]Item
	// lines that were read.
	lines map[asteriskconf.Position]bool
}

// read remembers that a line was read.
func (r *Report) read(at asteriskconf.Position) {
	if r.lines == nil {
		r.lines = map[asteriskconf.Position]bool{}
	}
	r.lines[at] = true
}

// add remembers an item, once per line and reason: a template's line concerns many sections.
func (r *Report) add(item Item) {
	if r.items == nil {
		r.items = map[string]Item{}
	}
	key := fmt.Sprintf("%s\x00%s\x00%s\x00%s", item.Position, item.Option, item.Effect, item.Why)
	if _, known := r.items[key]; !known {
		item.Value = shown(item.Option, item.Value)
		item.Section, item.Option, item.Why = printable(item.Section), printable(item.Option), printable(item.Why)
		r.items[key] = item
	}
}

// Items in the order of files and lines.
func (r *Report) Items() []Item {
	items := make([]Item, 0, len(r.items))
	for _, item := range r.items {
		if !item.unlessRead || !r.lines[item.Position] {
			items = append(items, item)
		}
	}
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Position.File, b.Position.File), cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Option, b.Option), cmp.Compare(a.Why, b.Why))
	})
	return items
}

// Count is how many lines had an effect.
func (r *Report) Count(effect Effect) int {
	n := 0
	for _, item := range r.Items() {
		if item.Effect == effect {
			n++
		}
	}
	return n
}

// secretOptions are those whose values are not repeated in a report.
var secretOptions = []string{
	"secret", "md5secret", "remotesecret", "register", "auth", "password", "md5_cred", "password_digest", "oauth_secret", "refresh_token",
	"pin", "sippassword", "setvar", "set_var", "mailbox line", "imappassword", "imapsecret", "authpassword", "dbpass",
}

// maxShown is how much of a value is repeated, in bytes.
const maxShown = 60

// shown is what a report repeats of a value.
func shown(option, value string) string {
	if slices.Contains(secretOptions, strings.ToLower(option)) || strings.Contains(strings.ToLower(option), "password") {
		return ""
	}
	value = printable(value)
	if len(value) > maxShown {
		value = strings.ToValidUTF8(value[:maxShown], "") + "..."
	}
	return value
}

// printable has spaces in place of control characters, which terminals obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// Markdown is the report as a page.
func (r *Report) Markdown() string {
	var b strings.Builder
	b.WriteString("# What could not be carried over\n\n")
	items := r.Items()
	if len(items) == 0 {
		b.WriteString("Everything was.\n")
		return b.String()
	}
	fmt.Fprintf(&b, "%d lines are not in the manifests, %d are there in another form.\n\n", r.Count(Dropped), r.Count(Changed))
	b.WriteString("| line | section | option | value | | why |\n|---|---|---|---|---|---|\n")
	for _, item := range items {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", cell(item.Position.String()), cell(item.Section), cell(item.Option), cell(item.Value),
			item.Effect, cell(item.Why))
	}
	return b.String()
}

// cell escapes what would end a cell of a Markdown table or be taken as markup.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "`", "\\`", "<", "&lt;", "*", `\*`, "_", `\_`, "[", `\[`).Replace(text)
}
