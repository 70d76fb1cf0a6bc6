package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func resettingCenter() *v1alpha1.ContactCenter {
	c := mailingCenter()
	c.Spec.DisplayName = "Acme"
	c.Spec.Security.PasswordReset = &v1alpha1.PasswordResetSpec{LinkBaseURL: "https://desk.example.test/new-password"}
	return c
}

func withTemplate() *v1alpha1.ContactCenter {
	c := resettingCenter()
	c.Spec.Security.PasswordReset.TemplateRef = &v1alpha1.ObjectReference{Name: "reset"}
	return c
}

func resetText(change func(*v1alpha1.MessageTemplate)) *v1alpha1.MessageTemplate {
	m := &v1alpha1.MessageTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "reset"}}
	m.Spec = v1alpha1.MessageTemplateSpec{
		Key: "reset", Type: v1alpha1.MessagePasswordReset, Subject: "{{ center.name }}: {{ user.name }}",
		Body: v1alpha1.MessageBody{
			Text: "{{ link.url }} until {{ link.expires }} for {{ user.username }} {{ user.email }} {{ user.extension }} {{ user.alias }}",
			HTML: `<a href="{{ link.url }}">{{ user.name }}</a>`,
		},
	}
	change(m)
	return m
}

func TestPasswordResetMail(t *testing.T) {
	agent := store.Agent{Key: store.Key{Namespace: ns, Name: "alice"}, Username: "alice.r", DisplayName: "Alice <Rossi>", Email: "alice@example.test", Extension: "100"}
	expires := time.Date(2026, 11, 21, 17, 5, 0, 0, time.FixedZone("", 3600))
	const url = "https://desk.example.test/new-password#token=TOKEN"
	builtIn := []string{"Set a new password", "Hello Alice <Rossi>,\n\nsomebody, probably you, asked for a new password for the user name alice.r. Set it here:\n\n" + url +
		"\n\nThe link works once, until 21 November 2026 16:05 UTC. If you did not ask for it, do nothing: your password stays as it is.", ""}
	for name, c := range map[string]struct {
		center   *v1alpha1.ContactCenter
		template *v1alpha1.MessageTemplate
		want     []string // subject, text, HTML
	}{
		"built in": {resettingCenter(), nil, builtIn},
		"template": {withTemplate(), resetText(func(*v1alpha1.MessageTemplate) {}), []string{
			"Acme: Alice <Rossi>", url + " until 21 November 2026 16:05 UTC for alice.r alice@example.test 100 Alice <Rossi>", `href="` + url + `" rel="nofollow noreferrer noopener" target="_blank">Alice &lt;Rossi&gt;</a>`,
		}},
		"no template":    {withTemplate(), nil, builtIn},
		"another type":   {withTemplate(), resetText(func(m *v1alpha1.MessageTemplate) { m.Spec.Type = v1alpha1.MessageInvitation }), builtIn},
		"not a template": {withTemplate(), resetText(func(m *v1alpha1.MessageTemplate) { m.Spec.Body.Text = "{{ link.url" }), builtIn},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{c.center, opsAccount()}
			if c.template != nil {
				objects = append(objects, c.template)
			}
			way, err := DeskSide{Reader: readerOf(t, objects...)}.PasswordReset(t.Context(), ns)
			if err != nil || way == nil || way.TTL != time.Hour {
				t.Fatalf("%+v, %v", way, err)
			}
			m, err := way.Mail(agent, "TOKEN", expires)
			if err != nil {
				t.Fatal(err)
			}
			want := store.SystemMail{Namespace: ns, Account: "ops", Recipient: "alice@example.test"}
			if diff := cmp.Diff(want, m, cmpopts.IgnoreFields(store.SystemMail{}, "Raw")); diff != "" {
				t.Error(diff)
			}
			p := message.Parse(m.Raw, "ops@example.test").Message
			if diff := cmp.Diff(c.want[:2], []string{p.Subject, strings.TrimSpace(p.Text)}); diff != "" {
				t.Error(diff)
			}
			if (p.HTML == "") != (c.want[2] == "") || !strings.Contains(p.HTML, c.want[2]) {
				t.Errorf("HTML %q", p.HTML)
			}
		})
	}
}

func TestNoPasswordReset(t *testing.T) {
	silent := resettingCenter()
	silent.Spec.SystemMail = nil
	off, refused := opsAccount(), opsAccount()
	off.Spec.State = v1alpha1.Inactive
	refused.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSMTPReady, Status: metav1.ConditionFalse, Reason: "AuthenticationFailed"}}
	for name, objects := range map[string][]client.Object{
		"no center": {opsAccount()}, "not wanted": {mailingCenter(), opsAccount()}, "no mailer": {silent, opsAccount()}, "no account": {resettingCenter()},
		"account switched off": {resettingCenter(), off}, "account cannot send": {resettingCenter(), refused},
	} {
		if way, err := (DeskSide{Reader: readerOf(t, objects...)}).PasswordReset(t.Context(), ns); way != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, way, err)
		}
	}
	longer := resettingCenter()
	longer.Spec.Security.PasswordReset.LinkTTL = &metav1.Duration{Duration: 2 * time.Hour}
	if way, err := (DeskSide{Reader: readerOf(t, longer, opsAccount())}).PasswordReset(t.Context(), ns); err != nil || way == nil || way.TTL != 2*time.Hour {
		t.Errorf("%+v, %v", way, err)
	}
}

func TestPasswordResetReady(t *testing.T) {
	const ref = "spec.security.passwordReset.templateRef: MessageTemplate reset "
	for name, c := range map[string]struct {
		center   *v1alpha1.ContactCenter
		template *v1alpha1.MessageTemplate
		status   metav1.ConditionStatus
		reason   string
		message  string
	}{
		"none":     {mailingCenter(), nil, metav1.ConditionFalse, "NotConfigured", "spec.security.passwordReset is not set: agents cannot ask for a link to set a new password"},
		"built in": {resettingCenter(), nil, metav1.ConditionTrue, "Succeeded", "links are sent while SystemMailReady"},
		"template": {withTemplate(), resetText(func(*v1alpha1.MessageTemplate) {}), metav1.ConditionTrue, "Succeeded", "links are sent while SystemMailReady"},
		"missing":  {withTemplate(), nil, metav1.ConditionFalse, "ReferenceMissing", ref + "does not exist; the built-in text is sent"},
		"type": {withTemplate(), resetText(func(m *v1alpha1.MessageTemplate) { m.Spec.Type = v1alpha1.MessageInvitation }), metav1.ConditionFalse, "TemplateWrongType",
			ref + "is not of type PasswordReset; the built-in text is sent"},
		"broken": {withTemplate(), resetText(func(m *v1alpha1.MessageTemplate) { m.Spec.Subject = "{{" }), metav1.ConditionFalse, "ReferenceInvalid",
			strings.TrimSpace(ref) + ": spec.subject: line 1, column 1: {{ without }}; the built-in text is sent"},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if c.template != nil {
				objects = append(objects, c.template)
			}
			s := newScope(nil, 1)
			if err := showPasswordReset(t.Context(), readerOf(t, objects...), c.center, s); err != nil {
				t.Fatal(err)
			}
			besideReady(t, s, metav1.Condition{Type: v1alpha1.ConditionPasswordResetReady, Status: c.status, Reason: c.reason, Message: c.message})
		})
	}
}

func TestTemplateOfReset(t *testing.T) {
	other := mailingCenter()
	other.Name = "other"
	w := &wiring{c: readerOf(t, withTemplate(), other)}
	if got := w.linksBy(t.Context(), resetText(func(*v1alpha1.MessageTemplate) {})); len(got) != 1 || got[0].Name != "center" {
		t.Errorf("%v", got)
	}
	if got := w.linksBy(t.Context(), resetText(func(m *v1alpha1.MessageTemplate) { m.Name = "another" })); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
