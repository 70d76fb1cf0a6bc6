package controllers

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// newsBatch is how many agents with new voicemail are read at once.
const newsBatch = 200

// voicemailNotices writes a mail to agents who want one when they have new voice messages. The store remembers up to which count they were
// told, so that neither a restart nor another leader tells them twice. It runs on the leader.
type voicemailNotices struct {
	client.Reader
	store store.SystemMails
	wake  chan struct{}
}

func newVoicemailNotices(c client.Reader, s store.SystemMails) *voicemailNotices {
	return &voicemailNotices{Reader: c, store: s, wake: make(chan struct{}, 1)}
}

// notice asks for a look into the store; it never blocks.
func (v *voicemailNotices) notice() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (v *voicemailNotices) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (v *voicemailNotices) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("voicemail-notices")
	v.notice() // what came while nobody looked
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.wake:
		}
		if err := v.run(ctx); err != nil && ctx.Err() == nil {
			logger.Error(err, "telling agents of new voicemail")
			time.AfterFunc(soon, v.notice)
		}
	}
}

// run looks at every agent whose count changed; one who fails does not hold up the others.
func (v *voicemailNotices) run(ctx context.Context) error {
	for {
		news, err := v.store.NewVoicemail(ctx, newsBatch)
		if err != nil {
			return err
		}
		for _, n := range news {
			err = errors.Join(err, v.look(ctx, n))
		}
		if err != nil || len(news) < newsBatch {
			return err
		}
	}
}

// look adds the mail before it records the look: dying in between, the same mail is added again, which adds nothing.
func (v *voicemailNotices) look(ctx context.Context, news store.VoicemailNews) error {
	if news.Unread > news.Seen {
		mail, wanted, err := v.mail(ctx, news)
		if err != nil {
			return err
		}
		if wanted {
			if _, err := v.store.AddSystemMail(ctx, mail); err != nil {
				return err
			}
		}
	}
	return v.store.SeeVoicemail(ctx, news)
}

// mail is the notice of news, if the agent wants one and somebody can send it.
func (v *voicemailNotices) mail(ctx context.Context, news store.VoicemailNews) (m store.SystemMail, wanted bool, err error) {
	var a v1alpha1.Agent
	if err := v.Get(ctx, types.NamespacedName(news.Agent), &a); err != nil {
		return m, false, client.IgnoreNotFound(err)
	}
	if !wantsNotice(&a) {
		return m, false, nil
	}
	center, err := onlyCenter(ctx, v.Reader, a.Namespace)
	if err != nil {
		if errors.Is(err, errNoCenter) {
			err = nil
		}
		return m, false, err
	}
	account, err := systemAccount(ctx, v.Reader, center)
	if err != nil || account == nil || account.Spec.State == v1alpha1.Inactive {
		return m, false, err
	}
	m, err = voicemailMail(&a, account, news, time.Now())
	if err != nil {
		log.FromContext(ctx).Info("no mail can be written to an agent", "namespace", a.Namespace, "agent", a.Name, "reason", err.Error())
		return m, false, nil
	}
	return m, true, nil
}

// wantsNotice: a deactivated agent could not hear the message.
func wantsNotice(a *v1alpha1.Agent) bool {
	box := a.Spec.Voicemail
	return a.DeletionTimestamp.IsZero() && a.Spec.AccountState != v1alpha1.AccountDeactivated && box.State == v1alpha1.Enabled &&
		box.Notification == v1alpha1.VoicemailNotifyEmail && a.Spec.Email != ""
}

// voicemailMail writes the notice. The agent's UID keeps the keys of two agents apart who had the same name one after the other.
func voicemailMail(a *v1alpha1.Agent, account *v1alpha1.EmailAccount, news store.VoicemailNews, at time.Time) (store.SystemMail, error) {
	key := fmt.Sprintf("voicemail/%s/%d", a.UID, news.Looks+1)
	subject, text := message.VoicemailNotice(a.Spec.FullName, news.Unread-news.Seen, news.Unread)
	raw, err := message.BuildNotice(message.Notice{
		From:    netmail.Address{Name: displayName(account.Spec.DisplayName, account.Name), Address: account.Spec.Address},
		To:      netmail.Address{Name: a.Spec.FullName, Address: a.Spec.Email},
		Subject: subject, Text: text, At: at, ID: key,
	})
	return store.SystemMail{Namespace: a.Namespace, Account: account.Name, Recipient: a.Spec.Email, DedupeKey: key, Raw: raw}, err
}

// systemAccount is the account of the center's system mailer; nil when none is named, or it does not exist.
func systemAccount(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter) (*v1alpha1.EmailAccount, error) {
	if center.Spec.SystemMail == nil {
		return nil, nil
	}
	var e v1alpha1.EmailAccount
	name := center.Spec.SystemMail.EmailAccountRef.Name
	err := c.Get(ctx, types.NamespacedName{Namespace: center.Namespace, Name: name}, &e)
	switch {
	case apierrors.IsNotFound(err) || (err == nil && !e.DeletionTimestamp.IsZero()):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading EmailAccount %s: %w", name, err)
	}
	return &e, nil
}

// systemMailer is the account of the center's system mailer while it can send, as far as is known; nil when it cannot.
func systemMailer(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter) (*v1alpha1.EmailAccount, error) {
	account, err := systemAccount(ctx, c, center)
	if err != nil || account == nil || account.Spec.State == v1alpha1.Inactive {
		return nil, err
	}
	if smtp := smtpReady(account); smtp != nil && smtp.Status == metav1.ConditionFalse {
		return nil, nil
	}
	return account, nil
}

// showSystemMail sets SystemMailReady. It does not count for Ready: a center works without.
func showSystemMail(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter, s *scope) error {
	const condition = v1alpha1.ConditionSystemMailReady
	if center.Spec.SystemMail == nil {
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNotConfigured, "spec.systemMail names no account: agents are not told of new voicemail by mail")
		return nil
	}
	name := center.Spec.SystemMail.EmailAccountRef.Name
	account, err := systemAccount(ctx, c, center)
	if err != nil {
		return err
	}
	if account == nil {
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonAccountNotFound, "spec.systemMail.emailAccountRef: EmailAccount "+name+" does not exist")
		return nil
	}
	switch smtp := smtpReady(account); {
	case smtp == nil:
		s.note(condition, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "EmailAccount "+name+" has not been looked at yet")
	case smtp.Status == metav1.ConditionTrue:
		s.ok(condition, v1alpha1.ReasonSucceeded, "EmailAccount "+name+" can send")
	default:
		s.note(condition, smtp.Status, smtp.Reason, "EmailAccount "+name+": "+smtp.Message)
	}
	return nil
}

func smtpReady(e *v1alpha1.EmailAccount) *metav1.Condition {
	return meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionSMTPReady)
}

// smtpChanged passes changes of what a center shows of its system mailer, and nothing else of the many an account's status has.
var smtpChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := smtpReady(e.ObjectOld.(*v1alpha1.EmailAccount)), smtpReady(e.ObjectNew.(*v1alpha1.EmailAccount))
		if before == nil || after == nil {
			return before != after
		}
		return before.Status != after.Status || before.Reason != after.Reason || before.Message != after.Message
	},
}

// mailedBy maps an account to the centers whose system mailer it is.
func (w *wiring) mailedBy(ctx context.Context, o client.Object) []reconcile.Request {
	var centers v1alpha1.ContactCenterList
	if err := w.c.List(ctx, &centers, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range centers.Items {
		if m := centers.Items[i].Spec.SystemMail; m != nil && m.EmailAccountRef.Name == o.GetName() {
			out = append(out, requests(o.GetNamespace(), centers.Items[i].Name)...)
		}
	}
	return out
}
