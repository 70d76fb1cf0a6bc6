package controllers

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func invitingCenter(change func(*v1alpha1.InvitationsSpec)) *v1alpha1.ContactCenter {
	c := mailingCenter()
	c.Spec.DisplayName = "Acme"
	c.Spec.Invitations = &v1alpha1.InvitationsSpec{
		TemplateRef: v1alpha1.ObjectReference{Name: "welcome"}, LinkBaseURL: "https://desk.example.test/new-password", SendOnCreate: v1alpha1.SendAlways,
	}
	change(c.Spec.Invitations)
	return c
}

func asIs(*v1alpha1.InvitationsSpec) {}

func welcome(change func(*v1alpha1.MessageTemplate)) *v1alpha1.MessageTemplate {
	return resetText(func(m *v1alpha1.MessageTemplate) {
		m.Name, m.Spec.Key, m.Spec.Type = "welcome", "welcome", v1alpha1.MessageInvitation
		change(m)
	})
}

func same(*v1alpha1.MessageTemplate) {}

// inviting is a store and what the manager has of one agent.
type inviting struct {
	*mailDesk
	at    time.Time
	agent *v1alpha1.Agent
}

func newInviting(t *testing.T) *inviting {
	t.Helper()
	i := &inviting{at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	db := storetest.SQLite(t, store.WithClock(func() time.Time { return i.at }))
	i.mailDesk = &mailDesk{DB: db, t: t}
	var err error
	i.lease, _, err = db.AcquireLease(t.Context(), "mail", "test", 10000*time.Hour)
	i.must(err)
	i.fresh()
	return i
}

// fresh makes the agent anew from its manifest.
func (i *inviting) fresh() {
	a := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice"}}
	a.Spec.FullName, a.Spec.Email = "Alice Rossi", "alice@example.test"
	i.agent = a
}

// pass is one of the manager, which has just started.
func (i *inviting) pass(objects ...client.Object) {
	i.t.Helper()
	a := i.agent
	i.must(i.PutAgent(i.t.Context(), store.Agent{Key: storeKey(a), Username: "alice", DisplayName: a.Spec.FullName, Email: a.Spec.Email,
		Active: a.Spec.AccountState != v1alpha1.AccountDeactivated}))
	k := &agentKind{store: i.DB, Client: readerOf(i.t, objects...)}
	i.must(k.invite(i.t.Context(), a, objects[0].(*v1alpha1.ContactCenter), newScope(nil, 1)))
}

func (i *inviting) inbox() []*message.Parsed {
	i.t.Helper()
	var out []*message.Parsed
	for {
		m, err := i.ClaimSystemMail(i.t.Context(), i.lease, store.Key{Namespace: ns, Name: "ops"}, time.Hour)
		if errors.Is(err, store.ErrNotFound) {
			return out
		}
		i.must(err)
		p := message.Parse(m.Raw, "ops@example.test")
		out = append(out, &p)
		i.must(i.FinishSystemMail(i.t.Context(), i.lease, m.ID, store.MessageSent, "", 0))
	}
}

// TestInvitedOnce: one mail, over further passes, a manager that starts again, a manifest that is applied again, and a cluster that comes back
// from a backup or loses its store.
func TestInvitedOnce(t *testing.T) {
	i := newInviting(t)
	center := invitingCenter(asIs)
	objects := []client.Object{center, opsAccount(), welcome(same)}
	i.pass(objects...)
	mails := i.inbox()
	if len(mails) != 1 || i.agent.Status.Invitation.State != v1alpha1.InvitationSent || !i.agent.Status.Invitation.SentTime.Time.Equal(i.at) {
		t.Fatalf("%d mails, %+v", len(mails), i.agent.Status.Invitation)
	}
	text := mails[0].Message.Text
	found := regexp.MustCompile(`^https://desk\.example\.test/new-password#token=(\S+) until 8 March 2026 08:00 UTC for alice `).FindStringSubmatch(text)
	if mails[0].Message.Subject != "Acme: Alice Rossi" || found == nil {
		t.Fatalf("%q\n%s", mails[0].Message.Subject, text)
	}
	if l, err := i.GetPasswordLink(t.Context(), security.TokenHash(found[1])); err != nil || l.Agent != storeKey(i.agent) || !l.Expires.Equal(i.at.Add(7*24*time.Hour)) {
		t.Fatalf("link %+v, %v", l, err)
	}
	sent := i.agent.Status.Invitation
	for name, before := range map[string]func(){
		"again":             func() {},
		"manifest from git": func() { i.must(i.DeleteAgent(t.Context(), storeKey(i.agent))); i.fresh() },
		"backup before it":  func() { i.fresh(); i.agent.Status.Invitation.State = v1alpha1.InvitationWaiting },
		"renamed address":   func() { i.agent.Spec.Email = "alice.rossi@example.test" },
	} {
		i.at = i.at.Add(time.Hour)
		before()
		i.pass(objects...)
		if n := len(i.inbox()); n > 0 || cmp.Diff(sent, i.agent.Status.Invitation) != "" {
			t.Errorf("%s: %d mails, %+v", name, n, i.agent.Status.Invitation)
		}
	}
	other := newInviting(t)
	other.agent.Status.Invitation = sent
	other.pass(objects...)
	if n := len(other.inbox()); n > 0 || cmp.Diff(sent, other.agent.Status.Invitation) != "" {
		t.Errorf("a store that was lost: %d mails, %+v", n, other.agent.Status.Invitation)
	}
}

func (i *inviting) password() {
	i.must(i.SetPassword(i.t.Context(), store.Credential{Agent: storeKey(i.agent), Hash: "h"}, 0, ""))
}

// TestWhoIsInvited goes through what keeps an invitation back, and for how long.
func TestWhoIsInvited(t *testing.T) {
	refused := opsAccount()
	refused.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSMTPReady, Status: metav1.ConditionFalse, Reason: "AuthenticationFailed"}}
	never := invitingCenter(func(s *v1alpha1.InvitationsSpec) { s.SendOnCreate = v1alpha1.SendNever })
	center, account, text := invitingCenter(asIs), opsAccount(), welcome(same)
	all := []client.Object{center, account, text}
	for name, c := range map[string]struct {
		first   []client.Object
		change  func(*inviting)
		waiting string // what for, after the first pass
		then    func(*inviting)
		mails   int // after the second pass, with everything there
	}{
		"no template yet":            {first: []client.Object{center, account}, waiting: "ReferenceMissing: spec.invitations.templateRef: MessageTemplate welcome does not exist", mails: 1},
		"a template of another type": {first: []client.Object{center, account, welcome(func(m *v1alpha1.MessageTemplate) { m.Spec.Type = v1alpha1.MessageLayout })}, waiting: "TemplateWrongType: spec.invitations.templateRef: MessageTemplate welcome is not of type Invitation", mails: 1},
		"the mailer cannot send":     {first: []client.Object{center, refused, text}, waiting: "SystemMailNotReady: the account of spec.systemMail cannot send; condition SystemMailReady says why", mails: 1},
		"no address yet":             {change: func(i *inviting) { i.agent.Spec.Email = "" }, waiting: "spec.email is not set", then: func(i *inviting) { i.agent.Spec.Email = "alice@example.test" }, mails: 1},
		"deactivated":                {change: func(i *inviting) { i.agent.Spec.AccountState = v1alpha1.AccountDeactivated }, waiting: "the account is deactivated", then: func(i *inviting) { i.agent.Spec.AccountState = v1alpha1.AccountActive }, mails: 1},
		"got a password meanwhile":   {first: []client.Object{center, account}, waiting: "ReferenceMissing: spec.invitations.templateRef: MessageTemplate welcome does not exist", then: (*inviting).password},
		"was there before":           {first: []client.Object{mailingCenter()}},
		"made while nobody is":       {first: []client.Object{never, account, text}},
		"a password from its Secret": {change: func(i *inviting) { i.agent.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "alice"} }},
		"has a password":             {change: func(i *inviting) { i.pass(mailingCenter()); i.password() }},
		"a name for many recipients": {change: func(i *inviting) { i.agent.Spec.Email = "a@example.test, b@example.test" }, waiting: "spec.email is not an address that mail can be sent to"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInviting(t)
			if c.change != nil {
				c.change(i)
			}
			if c.first == nil {
				c.first = all
			}
			i.pass(c.first...)
			is := i.agent.Status.Invitation
			if n := len(i.inbox()); n > 0 || is.Message != c.waiting || (is.State == v1alpha1.InvitationWaiting) != (c.waiting != "") {
				t.Fatalf("%d mails, %+v", n, is)
			}
			if c.then != nil {
				c.then(i)
			}
			i.pass(all...)
			if n := len(i.inbox()); n != c.mails || (i.agent.Status.Invitation.State == v1alpha1.InvitationSent) != (n > 0) {
				t.Errorf("%d mails, %+v; want %d", n, i.agent.Status.Invitation, c.mails)
			}
		})
	}
	// Switched off while one waits.
	i := newInviting(t)
	i.pass(center, account)
	i.pass(never, account, text)
	if n := len(i.inbox()); n > 0 || i.agent.Status.Invitation.State != "" {
		t.Errorf("%d mails, %+v", n, i.agent.Status.Invitation)
	}
}

// TestInvitedByHand: each value of the annotation once, and none that is older than the last invitation.
func TestInvitedByHand(t *testing.T) {
	i := newInviting(t)
	center := invitingCenter(func(s *v1alpha1.InvitationsSpec) {
		s.SendOnCreate = v1alpha1.SendNever
		s.LinkTTL = &metav1.Duration{Duration: time.Hour}
	})
	ready := []client.Object{center, opsAccount(), welcome(same)}
	var links []string
	for _, step := range []struct {
		name     string
		annotate string
		objects  []client.Object
		before   func()
		mails    int
		refused  string
	}{
		{name: "nobody asked"},
		{name: "no time", annotate: "now", refused: "the annotation ringmaster.dev/invite is no RFC 3339 time"},
		{name: "not configured", annotate: "2026-03-01T08:00:00Z", objects: []client.Object{mailingCenter()}, refused: "NotConfigured: spec.invitations of ContactCenter center is not set: agents are not invited by mail"},
		{name: "what was refused is not tried again", refused: "NotConfigured: spec.invitations of ContactCenter center is not set: agents are not invited by mail"},
		{name: "asked", annotate: "2026-03-01T08:00:01Z", mails: 1},
		{name: "another pass"},
		{name: "the status was lost", before: func() { i.agent.Status = v1alpha1.AgentStatus{} }},
		{name: "asked again, with a password", annotate: "2026-03-01T09:30:00Z", before: i.password, mails: 1},
		{name: "an older time", annotate: "2026-03-01T07:00:00Z", refused: "an invitation was sent after the time of the annotation"},
		{name: "Enforced", annotate: "2026-03-02T08:00:00Z", before: func() { i.agent.Spec.PasswordManagement = v1alpha1.PasswordEnforced }, refused: "spec.passwordManagement is Enforced: the password is the Secret's"},
		{name: "deactivated", annotate: "2026-03-02T09:00:00Z", before: func() { i.agent.Spec.PasswordManagement, i.agent.Spec.AccountState = "", v1alpha1.AccountDeactivated }, refused: "the account is deactivated"},
		{name: "active again, which is not a new wish", before: func() { i.agent.Spec.AccountState = "" }, refused: "the account is deactivated"},
	} {
		if step.before != nil {
			step.before()
		}
		if step.annotate != "" {
			i.agent.Annotations = map[string]string{v1alpha1.InviteAnnotation: step.annotate}
		}
		if step.objects == nil {
			step.objects = ready
		}
		i.pass(step.objects...)
		i.at = i.at.Add(5 * time.Minute)
		mails, is := i.inbox(), i.agent.Status.Invitation
		if len(mails) != step.mails || is.Refused != step.refused || is.LastHandledInvite != i.agent.Annotations[v1alpha1.InviteAnnotation] {
			t.Fatalf("%s: %d mails, %+v", step.name, len(mails), is)
		}
		for _, m := range mails {
			_, token, _ := strings.Cut(strings.Fields(m.Message.Text)[0], "#token=")
			links = append(links, security.TokenHash(token))
		}
	}
	if _, err := i.GetPasswordLink(t.Context(), links[0]); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the older link: %v", err)
	}
	if _, err := i.GetPasswordLink(t.Context(), links[1]); err != nil {
		t.Errorf("the newer link: %v", err)
	}
}

// No name can add a header, a recipient or a variable.
func TestInvitationOfHostileName(t *testing.T) {
	i := newInviting(t)
	i.agent.Spec.FullName = "Eve\r\nBcc: all@example.test\r\n\r\n<script>alert(1)</script>{{ link.url }}\x00"
	i.pass(invitingCenter(asIs), opsAccount(), welcome(same))
	mails := i.inbox()
	if len(mails) != 1 {
		t.Fatalf("%d mails, %+v", len(mails), i.agent.Status.Invitation)
	}
	p := mails[0].Message
	if want := "Acme: Eve Bcc: all@example.test <script>alert(1)</script>{{ link.url }}"; p.Subject != want {
		t.Errorf("subject %q", p.Subject)
	}
	if strings.Count(p.Text+p.HTML, "#token=") != 2 {
		t.Errorf("text %q, HTML %q", p.Text, p.HTML)
	}
	if len(p.To) != 1 || len(p.Cc)+len(p.Bcc) > 0 {
		t.Errorf("to %v, cc %v, bcc %v", p.To, p.Cc, p.Bcc)
	}
}

func TestInvitationsReady(t *testing.T) {
	off := opsAccount()
	off.Spec.State = v1alpha1.Inactive
	const ref = "spec.invitations.templateRef: MessageTemplate welcome "
	by := invitingCenter(func(s *v1alpha1.InvitationsSpec) { s.SendOnCreate = v1alpha1.SendNever })
	for name, c := range map[string]struct {
		center  *v1alpha1.ContactCenter
		objects []client.Object
		reason  string // of False
		message string
	}{
		"not wanted": {mailingCenter(), nil, "NotConfigured", "spec.invitations of ContactCenter center is not set: agents are not invited by mail"},
		"missing":    {invitingCenter(asIs), []client.Object{opsAccount()}, "ReferenceMissing", ref + "does not exist"},
		"type": {invitingCenter(asIs), []client.Object{opsAccount(), welcome(func(m *v1alpha1.MessageTemplate) { m.Spec.Type = v1alpha1.MessagePasswordReset })}, "TemplateWrongType",
			ref + "is not of type Invitation"},
		"broken": {invitingCenter(asIs), []client.Object{opsAccount(), welcome(func(m *v1alpha1.MessageTemplate) { m.Spec.Subject = "{{" })}, "ReferenceInvalid",
			strings.TrimSpace(ref) + ": spec.subject: line 1, column 1: {{ without }}"},
		"no mailer": {invitingCenter(asIs), []client.Object{off, welcome(same)}, "SystemMailNotReady", "the account of spec.systemMail cannot send; condition SystemMailReady says why"},
		"ready":     {invitingCenter(asIs), []client.Object{opsAccount(), welcome(same)}, "", "new agents without a password are invited"},
		"by hand":   {by, []client.Object{opsAccount(), welcome(same)}, "", "agents are invited by hand"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScope(nil, 1)
			if err := showInvitations(t.Context(), readerOf(t, c.objects...), c.center, s); err != nil {
				t.Fatal(err)
			}
			want := metav1.Condition{Type: v1alpha1.ConditionInvitationsReady, Status: metav1.ConditionFalse, Reason: c.reason, Message: c.message}
			if c.reason == "" {
				want.Status, want.Reason = metav1.ConditionTrue, v1alpha1.ReasonSucceeded
			}
			besideReady(t, s, want)
		})
	}
}

// Who waits is looked at again when the template or the account changes, also before the status says so.
func TestWhoWaitsForAnInvitation(t *testing.T) {
	agent := func(name string, change func(*v1alpha1.Agent)) *v1alpha1.Agent {
		a := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
		change(a)
		return a
	}
	agents := []client.Object{
		agent("new", func(*v1alpha1.Agent) {}),
		agent("invited", func(a *v1alpha1.Agent) { a.Status.Invitation.State = v1alpha1.InvitationSent }),
		agent("secret", func(a *v1alpha1.Agent) { a.Spec.PasswordSecretRef = &v1alpha1.SecretKeyReference{Name: "s"} }),
	}
	for name, c := range map[string]struct {
		center *v1alpha1.ContactCenter
		object client.Object
		want   int
	}{
		"its template":      {invitingCenter(asIs), welcome(same), 1},
		"another template":  {invitingCenter(asIs), welcome(func(m *v1alpha1.MessageTemplate) { m.Name = "other" }), 0},
		"its account":       {invitingCenter(asIs), opsAccount(), 1},
		"another account":   {invitingCenter(asIs), &v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "welcome"}}, 0},
		"nobody is invited": {mailingCenter(), welcome(same), 0},
	} {
		w := &wiring{c: indexedReaderOf(t, &v1alpha1.Agent{}, byInvitable, invitable, append(agents, c.center)...)}
		got := w.invitableBy(context.Background(), c.object)
		if len(got) != c.want || c.want == 1 && got[0].Name != "new" {
			t.Errorf("%s: %v", name, got)
		}
	}
}
