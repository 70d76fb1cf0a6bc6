package pbxlet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// mismatch says how Asterisk differs from what it is expected to show.
type mismatch struct{ reason string }

func (m *mismatch) Error() string { return m.reason }

func differs(format string, args ...any) error {
	return &mismatch{fmt.Sprintf(format, args...)}
}

// check reads back everything that is to be seen of m, the TLS listeners
// included.
func (e *engine) check(ctx context.Context, a *asterisk, m *manifest, files map[string]bool, verified voice.Expect) error {
	if err := a.check(ctx, files, m.Expect, verified); err != nil {
		return err
	}
	if !slices.ContainsFunc([]string{voice.PJSIPFile, voice.HTTPFile, voice.CertificateFile, voice.KeyFile},
		func(file string) bool { return files[file] }) {
		return nil
	}
	http, err := e.state.file(m.Version, voice.HTTPFile)
	if err != nil {
		return err
	}
	return a.checkCertificate(ctx, m.Expect, string(http))
}

// check reads back what the files make of Asterisk; a *mismatch says that it
// is something else, any other error that it could not be read. Objects that
// are not ours are left alone. What was verified before need not be looked at
// in detail again, and what of it is not wanted any more must be gone.
func (a *asterisk) check(ctx context.Context, files map[string]bool, want, verified voice.Expect) error {
	for _, c := range []struct {
		files []string
		check func(context.Context, voice.Expect, voice.Expect) error
	}{
		{pjsipFiles, a.checkPJSIP},
		{[]string{voice.ExtensionsFile}, a.checkDialplan},
		{[]string{voice.QueuesFile}, a.checkQueues},
		{[]string{voice.VoicemailFile}, a.checkVoicemail},
	} {
		if !slices.ContainsFunc(c.files, func(file string) bool { return files[file] }) {
			continue
		}
		if err := c.check(ctx, want, verified); err != nil {
			return err
		}
	}
	return nil
}

func (a *asterisk) checkPJSIP(ctx context.Context, want, verified voice.Expect) error {
	value, err := a.sorcery(ctx, "aor", want.PJSIPRevision, "max_contacts")
	if err != nil {
		return err
	}
	if value != "0" {
		return differs("pjsip.conf and pjsip_aor.conf were not loaded: Asterisk does not know their revision %s", want.PJSIPRevision)
	}
	added, gone := missingFrom(want.AORs, verified.AORs), missingFrom(verified.AORs, want.AORs)
	if err := a.checkAORs(ctx, added, gone); err != nil {
		return err
	}
	return a.checkEndpoints(ctx, want, verified)
}

// checkAORs asks for every AOR that is new and every one that is to be gone.
func (a *asterisk) checkAORs(ctx context.Context, want, gone []string) error {
	values, err := a.sorceryAll(ctx, "aor", append(slices.Clone(want), gone...), "max_contacts")
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for name, value := range values {
		have[name] = value != ""
	}
	return compareNames("AOR", have, want, gone)
}

// checkEndpoints asks for the revision of every endpoint that is new or was
// changed, and its auth's.
func (a *asterisk) checkEndpoints(ctx context.Context, want, verified voice.Expect) error {
	known := make(map[string]voice.ExpectEndpoint, len(verified.Endpoints))
	for _, e := range verified.Endpoints {
		known[e.Name] = e
	}
	changed := map[string]voice.ExpectEndpoint{}
	for _, e := range want.Endpoints {
		if known[e.Name] != e {
			changed[e.Name] = e
		}
		delete(known, e.Name)
	}
	names := slices.Concat(slices.Sorted(maps.Keys(changed)), slices.Sorted(maps.Keys(known)))
	revisions, err := a.sorceryAll(ctx, "endpoint", names, voice.RevisionOption)
	if err != nil {
		return err
	}
	digests, err := a.sorceryAll(ctx, "auth", names, "password_digest")
	if err != nil {
		return err
	}
	var wrong []string
	for _, name := range names {
		e, wanted := changed[name]
		if wanted && (revisions[name] != e.Revision || voice.AuthRevision(digests[name]) != e.Auth) {
			wrong = append(wrong, name)
		}
		if !wanted && (revisions[name] != "" || digests[name] != "") {
			return differs("Asterisk kept endpoint %s, which was removed", name)
		}
	}
	if len(wrong) > 0 {
		return differs("Asterisk refused %d of %d endpoints: %s", len(wrong), len(want.Endpoints), some(wrong))
	}
	return nil
}

func endpointNames(e voice.Expect) []string {
	names := make([]string, 0, len(e.Endpoints))
	for _, endpoint := range e.Endpoints {
		names = append(names, endpoint.Name)
	}
	return names
}

// sorcery reads one field of a PJSIP object, empty when there is no such object.
func (a *asterisk) sorcery(ctx context.Context, kind, name, field string) (string, error) {
	return a.variable(ctx, "AST_SORCERY(res_pjsip,"+kind+","+name+","+field+")")
}

// sorceryAll reads one field of many objects; the questions follow each other
// without waiting for the answers.
func (a *asterisk) sorceryAll(ctx context.Context, kind string, names []string, field string) (map[string]string, error) {
	values := make([]string, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(32)
	for i, name := range names {
		g.Go(func() (err error) {
			values[i], err = a.sorcery(ctx, kind, name, field)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	byName := make(map[string]string, len(names))
	for i, name := range names {
		byName[name] = values[i]
	}
	return byName, nil
}

// compareNames tells the first few that are missing or left over.
func compareNames(what string, have map[string]bool, want, gone []string) error {
	var missing, left []string
	for _, name := range want {
		if !have[name] {
			missing = append(missing, name)
		}
	}
	for _, name := range gone {
		if have[name] {
			left = append(left, name)
		}
	}
	switch {
	case len(missing) > 0:
		return differs("Asterisk refused %d of %d %ss: %s", len(missing), len(want), what, some(missing))
	case len(left) > 0:
		return differs("Asterisk kept %d %ss that were removed: %s", len(left), what, some(left))
	}
	return nil
}

func some(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func (a *asterisk) checkDialplan(ctx context.Context, want, _ voice.Expect) error {
	value, err := a.variable(ctx, voice.RevisionVariable)
	if err != nil {
		return err
	}
	if value != want.DialplanRevision {
		return differs("extensions.conf was not loaded: revision %q instead of %q", value, want.DialplanRevision)
	}
	return nil
}

func (a *asterisk) checkQueues(ctx context.Context, want, verified voice.Expect) error {
	list, err := a.list(ctx, "QueueStatus")
	if err != nil {
		return err
	}
	strategy := map[string]string{}
	members := map[string]map[string]int{}
	for _, m := range list {
		queue := m.Get("Queue")
		switch {
		case m.Event() == "QueueParams":
			strategy[queue], members[queue] = m.Get("Strategy"), map[string]int{}
		case m.Event() == "QueueMember" && m.Get("Membership") == "static":
			members[queue][m.Get("Location")] = number(m.Get("Penalty"))
		}
	}
	for _, q := range want.Queues {
		if strategy[q.Name] != q.Strategy {
			return differs("queue %s: strategy %q instead of %q", q.Name, strategy[q.Name], q.Strategy)
		}
		if len(members[q.Name]) != len(q.Members) {
			return differs("queue %s: %d members instead of %d", q.Name, len(members[q.Name]), len(q.Members))
		}
		for _, m := range q.Members {
			if penalty, ok := members[q.Name][m.Interface]; !ok || penalty != m.Penalty {
				return differs("queue %s: member %s is missing or has another penalty", q.Name, m.Interface)
			}
		}
	}
	have := keysOf(strategy)
	return compareNames("queue", have, queueNames(want), missingFrom(queueNames(verified), queueNames(want)))
}

func (a *asterisk) checkVoicemail(ctx context.Context, want, verified voice.Expect) error {
	list, err := a.list(ctx, "VoicemailUsersList")
	if err := ignoreEmpty(err); err != nil {
		return err
	}
	have := map[string]bool{}
	for _, m := range list {
		if m.Get("VMContext") == voice.MailboxContext {
			have[m.Get("VoiceMailbox")] = true
		}
	}
	return compareNames("mailbox", have, mailboxNumbers(want), missingFrom(mailboxNumbers(verified), mailboxNumbers(want)))
}

func mailboxNumbers(e voice.Expect) []string {
	numbers := make([]string, 0, len(e.Mailboxes))
	for _, b := range e.Mailboxes {
		numbers = append(numbers, b.Number)
	}
	return numbers
}

func queueNames(e voice.Expect) []string {
	names := make([]string, 0, len(e.Queues))
	for _, q := range e.Queues {
		names = append(names, q.Name)
	}
	return names
}

// missingFrom are the names in a that are not in b.
func missingFrom(a, b []string) []string {
	in := make(map[string]bool, len(b))
	for _, name := range b {
		in[name] = true
	}
	var missing []string
	for _, name := range a {
		if !in[name] {
			missing = append(missing, name)
		}
	}
	return missing
}
