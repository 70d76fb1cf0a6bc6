// Package corpus is mail of every kind that a mailbox receives, each with what is to be read from it.
//
// The files in testdata are txtar archives by theme. NAME.eml is a mail with \n for \r\n, NAME.b64 one whose bytes text cannot
// hold; <<N x "text">> stands for N copies of text, with %d in it replaced by 0, 1, and so on. NAME.want is what must come out,
// written from the standards and from what the sender meant: header-like lines, a blank line, the text. Lines not there have
// the value that most mails share: see newWant.
package corpus

import (
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/tools/txtar"
)

//go:embed testdata/*.txtar
var files embed.FS

// Mail of the corpus.
type Mail struct {
	// Name is unique in the corpus.
	Name string
	Raw  []byte
	Want Want
}

// Want is what is to be read from a mail.
type Want struct {
	Subject, From, CustomerName, MessageID string
	// Date is zero when there is none to be believed.
	Date time.Time
	To   []string
	Cc   []string
	// Keys are the threading keys, strongest first.
	Keys []string
	// Automatic is the loop verdict, "" for a person's mail.
	Automatic string
	// Quarantine and Detail as in message.Parsed.
	Quarantine, Detail string
	Attachments        []Attachment
	// Text without white space at its end.
	Text string
	// The sanitised HTML has each of HTMLHas and none of HTMLLacks; it is empty with NoHTML.
	HTMLHas, HTMLLacks []string
	NoHTML             bool
}

// Attachment that is expected.
type Attachment struct {
	Name, ContentType string
	Size              int64
	// Content when it is given.
	Content *string
}

// Address of the account that the mails are for.
const Address = "support@example.test"

// Load reads the corpus.
func Load() ([]Mail, error) {
	names, err := fs.Glob(files, "testdata/*.txtar")
	if err != nil {
		return nil, err
	}
	var mails []Mail
	for _, name := range names {
		raw, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		more, err := parse(txtar.Parse(raw).Files)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		mails = append(mails, more...)
	}
	return mails, nil
}

func parse(files []txtar.File) ([]Mail, error) {
	var mails []Mail
	for i := 0; i+1 < len(files); i += 2 {
		name, encoded := strings.CutSuffix(files[i].Name, ".b64")
		name = strings.TrimSuffix(name, ".eml")
		if files[i+1].Name != name+".want" {
			return nil, fmt.Errorf("%s is not followed by its .want", files[i].Name)
		}
		m := Mail{Name: name}
		var err error
		if encoded {
			m.Raw, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(string(files[i].Data), "\n", ""))
		} else {
			var text string
			text, err = expand(string(files[i].Data))
			m.Raw = []byte(strings.ReplaceAll(text, "\n", "\r\n"))
		}
		if err == nil {
			m.Want, err = parseWant(name, string(files[i+1].Data))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		mails = append(mails, m)
	}
	return mails, nil
}

var repeated = regexp.MustCompile(`<<(\d+) x ("(?:[^"\\]|\\.)*")>>`)

func expand(s string) (string, error) {
	var failed error
	s = repeated.ReplaceAllStringFunc(s, func(found string) string {
		m := repeated.FindStringSubmatch(found)
		n, err := strconv.Atoi(m[1])
		text, unquoteErr := strconv.Unquote(m[2])
		if err != nil || unquoteErr != nil {
			failed = fmt.Errorf("cannot repeat %s", found)
			return found
		}
		var b strings.Builder
		for i := range n {
			b.WriteString(number.ReplaceAllStringFunc(text, func(verb string) string { return fmt.Sprintf(verb, i) }))
		}
		return b.String()
	})
	return s, failed
}

var number = regexp.MustCompile(`%0?\d*d`)

func newWant(name string) Want {
	return Want{
		From: "carla@customers.test", CustomerName: "Carla Customer", To: []string{Address},
		MessageID: name + "@customers.test", Date: time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC),
	}
}

func parseWant(name, data string) (Want, error) {
	w := newWant(name)
	data, err := expand(data)
	if err != nil {
		return w, err
	}
	head, text, _ := strings.Cut("\n"+data, "\n\n")
	w.Text = strings.TrimRight(text, " \n")
	for line := range strings.Lines(strings.TrimPrefix(head, "\n")) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			return w, fmt.Errorf("not an expectation: %q", line)
		}
		if err := w.set(key, strings.TrimPrefix(value, " ")); err != nil {
			return w, fmt.Errorf("%s: %w", key, err)
		}
	}
	return w, nil
}

func (w *Want) set(key, value string) (err error) {
	single := map[string]*string{
		"subject": &w.Subject, "from": &w.From, "name": &w.CustomerName, "id": &w.MessageID,
		"automatic": &w.Automatic, "quarantine": &w.Quarantine, "detail": &w.Detail,
	}
	several := map[string]*[]string{"key": &w.Keys, "html has": &w.HTMLHas, "html lacks": &w.HTMLLacks}
	if field := single[key]; field != nil {
		*field = value
		return nil
	}
	if list := several[key]; list != nil {
		*list = append(*list, value)
		return nil
	}
	switch key {
	case "date":
		w.Date = time.Time{}
		if value != "" {
			w.Date, err = time.Parse(time.RFC3339, value)
		}
	case "to":
		w.To = list(value)
	case "cc":
		w.Cc = list(value)
	case "html":
		w.NoHTML = value == "none"
	case "attachment":
		var a Attachment
		a, err = parseAttachment(value)
		w.Attachments = append(w.Attachments, a)
	default:
		err = fmt.Errorf("unknown")
	}
	return err
}

func list(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(value, ", ")
}

// parseAttachment reads: size type "name" "content", the content may be left out.
func parseAttachment(value string) (Attachment, error) {
	var a Attachment
	size, rest, _ := strings.Cut(value, " ")
	a.ContentType, rest, _ = strings.Cut(rest, " ")
	var err error
	if a.Size, err = strconv.ParseInt(size, 10, 64); err != nil {
		return a, err
	}
	name, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return a, err
	}
	if a.Name, err = strconv.Unquote(name); err != nil {
		return a, err
	}
	if rest = strings.TrimSpace(rest[len(name):]); rest != "" {
		content, err := strconv.Unquote(rest)
		if err != nil {
			return a, err
		}
		a.Content = &content
	}
	return a, nil
}
