// Package importer turns what people come from, Asterisk's configuration files and CSV, into manifests. It changes nothing
// anywhere: its result is objects and a report that names every line that is not, or not unchanged, in them.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// Options of an import.
type Options struct {
	// Namespace of the objects; empty leaves it to whoever applies them.
	Namespace string
	// Typology of phones that do not show theirs. Default External for Asterisk's files; for CSV the API's own, Phonebar.
	Typology v1alpha1.AgentTypology
	// GeneratePasswords gives every agent without one a sign-in password that obeys the default password policy, and a
	// new PIN to mailboxes whose PIN is not legal.
	GeneratePasswords bool
	// FirstQueueNumber is where the numbers of queues begin that the files do not tell. Default 600.
	FirstQueueNumber int
}

// DefaultFirstQueueNumber for queues whose number the files do not tell.
const DefaultFirstQueueNumber = 600

// Result of an import. Every object is valid by the CustomResourceDefinitions.
type Result struct {
	Agents []v1alpha1.Agent
	Queues []v1alpha1.Queue
	// Secrets with sign-in passwords, SIP passwords and PINs, labelled ringmaster.dev/credential.
	Secrets []corev1.Secret
	// Ranges that the ContactCenter needs so that every extension is legal; nil if the default ones do.
	Ranges []v1alpha1.ExtensionRange
	Report Report
}

// Source is a directory with some of Asterisk's files.
type Source struct {
	// FS is rooted at the directory that #include is relative to; nothing outside of it is read.
	FS fs.FS
	// Names of the files, out of Files.
	Names []string
}

// Files that an import reads, in this order. Of extensions.conf only the numbers of queues are taken.
var Files = []string{"sip.conf", "pjsip.conf", "voicemail.conf", "extensions.conf", "queues.conf"}

// importer is an import of Asterisk's files on its way.
type importer struct {
	options Options
	result  *Result
	// files by their name out of Files.
	files map[string]*asteriskconf.File
	// phones in the order of the files, and by the name that Asterisk dials.
	phones []*phone
	byPeer map[string]*phone
	// queueNumbers and queueWaits are what the dialplan says of a queue.
	dialplan map[string]dialled
	names    names
}

// Asterisk imports the files of a directory. An error means that a file cannot be read as Asterisk would read it.
func Asterisk(ctx context.Context, source Source, options Options) (*Result, error) {
	if options.Typology == "" {
		options.Typology = v1alpha1.TypologyExternal
	}
	if options.FirstQueueNumber == 0 {
		options.FirstQueueNumber = DefaultFirstQueueNumber
	}
	im := &importer{
		options: options, result: &Result{}, files: map[string]*asteriskconf.File{}, byPeer: map[string]*phone{},
		dialplan: map[string]dialled{}, names: names{},
	}
	for _, name := range source.Names {
		file, err := asteriskconf.Read(source.FS, name)
		if err != nil {
			return nil, err
		}
		im.files[name] = file
		for _, n := range file.Notices {
			// Only the numbers of queues are taken from the dialplan: what else is in it is not missed.
			if name != "extensions.conf" {
				im.result.Report.add(Item{Position: n.Position, Option: n.Text, Effect: Dropped, Why: n.Why})
			}
		}
	}
	if len(im.files) == 0 {
		return nil, errors.New("none of the files of Asterisk that can be imported is here")
	}
	im.pjsip()
	im.sip()
	im.voicemail()
	im.extensions()
	people, err := im.agents()
	if err != nil {
		return nil, err
	}
	queues := im.queues()
	v, err := definitions()
	if err != nil {
		return nil, err
	}
	if err := im.finish(ctx, v, people, queues); err != nil {
		return nil, err
	}
	return im.result, nil
}

// finish validates what was made and takes it into the result.
func (im *importer) finish(ctx context.Context, v *validator, people []draft[v1alpha1.Agent], queues []draft[v1alpha1.Queue]) error {
	if err := im.result.people(ctx, v, people, im.options); err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, a := range im.result.Agents {
		kept[a.Name] = true
	}
	for i := range queues {
		q := &queues[i]
		q.object.Spec.Members = slices.DeleteFunc(q.object.Spec.Members, func(m v1alpha1.QueueMember) bool {
			if kept[m.AgentRef.Name] {
				return false
			}
			im.result.Report.add(Item{Position: q.position, Section: q.section, Option: "member", Value: m.AgentRef.Name, Effect: Dropped,
				Why: "the agent was left out"})
			return true
		})
		ok, err := valid(ctx, v, "Queue", q, &im.result.Report)
		if err != nil {
			return fmt.Errorf("%s: %w", q.position, err)
		}
		if ok {
			im.result.Queues = append(im.result.Queues, q.object)
		}
	}
	return nil
}

// people validates agents and takes them and their Secrets into the result.
func (r *Result) people(ctx context.Context, v *validator, people []draft[v1alpha1.Agent], options Options) error {
	c := credentials{options: options, report: &r.Report}
	for i := range people {
		ok, err := valid(ctx, v, "Agent", &people[i], &r.Report)
		if err != nil {
			return fmt.Errorf("%s: %w", people[i].position, err)
		}
		if !ok {
			continue
		}
		r.Agents = append(r.Agents, people[i].object)
		if secret := c.secret(&people[i]); secret != nil {
			r.Secrets = append(r.Secrets, *secret)
		}
	}
	r.Ranges = ranges(r.Agents)
	return nil
}

// read returns the sections of a file that are no templates, with their lines to be accounted for, and complains of names that
// repeat and of templates that nothing inherits from.
func (im *importer) read(name string, repeats func(s *section) string) []*section {
	file := im.files[name]
	if file == nil {
		return nil
	}
	var out []*section
	first := map[string]*section{}
	inherited := map[asteriskconf.Position]bool{}
	for _, s := range file.Sections {
		if s.Template {
			continue
		}
		sec := newSection(s, &im.result.Report)
		for _, setting := range s.Settings {
			inherited[setting.Position] = true
		}
		key := repeats(sec)
		if before := first[key]; before != nil {
			sec.abandon(fmt.Sprintf("[%s] was read before, at %s, and only the first one counts", s.Name, before.Position))
			continue
		}
		first[key] = sec
		out = append(out, sec)
	}
	for _, s := range file.Sections {
		for _, setting := range s.Settings {
			if s.Template && !inherited[setting.Position] {
				newSection(s, &im.result.Report).drop(setting, "no section inherits from this template")
			}
		}
	}
	return out
}
