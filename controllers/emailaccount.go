package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// accountKind records an EmailAccount for routing and shows what the mail worker, on whichever replica it runs, reports.
type accountKind struct {
	client.Client
	checker admission.Checker
	store   accountStore
	logos   *logos
}

// accountStore is what an EmailAccount needs of the store.
type accountStore interface {
	PutAccount(ctx context.Context, a store.Account) error
	PutAnswerSettings(ctx context.Context, account store.Key, s store.AnswerSettings) error
	DeleteAccount(ctx context.Context, key store.Key) error
	PurgeAccount(ctx context.Context, key store.Key) error
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, bool, error)
	ReleaseLease(ctx context.Context, l store.Lease) error
	SetAccountAgents(ctx context.Context, account store.Key, agents []string) error
	GetAccountStatus(ctx context.Context, account store.Key) (store.AccountStatus, error)
	LeaseHeld(ctx context.Context, name string) (bool, error)
	ListAccountFigures(ctx context.Context, account store.Key) ([]store.AccountFigures, error)
}

func (k *accountKind) NeedsFinalizer() bool { return true }

func (k *accountKind) Reconcile(ctx context.Context, e *v1alpha1.EmailAccount, s *scope) error {
	center, ok, err := theCenter(ctx, k.Client, e.Namespace, s)
	if err != nil || !ok {
		return err
	}
	problems, err := k.checker.EmailAccount(ctx, e)
	if err != nil {
		return fmt.Errorf("checking the account: %w", err)
	}
	if stallOn(s, problems, firstServer(e)) {
		return nil
	}
	contactList, _ := contactListOf(e, center)
	err = k.store.PutAccount(ctx, store.Account{
		Key: storeKey(e), Label: e.Spec.Key, DisplayName: displayName(e.Spec.DisplayName, e.Name), Address: e.Spec.Address,
		Queue: e.Spec.Routing.QueueRef.Name, Flow: e.Spec.Routing.FlowRef.Name, Active: e.Spec.State != v1alpha1.Inactive,
		Desk: accountDesk(e), ContactList: contactList,
		Routing: routingRules(e, center),
	})
	if reportTaken(s, err, firstServer(e), v1alpha1.ReasonAddressTaken) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recording the account: %w", err)
	}
	if err := k.store.PutAnswerSettings(ctx, storeKey(e), answerSettings(e)); err != nil {
		return fmt.Errorf("recording the account's answers: %w", err)
	}
	if e.Spec.Purpose != v1alpha1.PurposeSystem {
		if err := k.channel(ctx, e, center, s); err != nil {
			return err
		}
	}
	e.Status.Effective = effectiveAccount(e)
	showRisks(e, s)
	if e.Spec.State == v1alpha1.Inactive {
		if e.Spec.Purpose != v1alpha1.PurposeSystem {
			s.note(v1alpha1.ConditionIMAPReady, metav1.ConditionFalse, v1alpha1.ReasonInactive, "spec.state is Inactive")
		}
		s.note(v1alpha1.ConditionSMTPReady, metav1.ConditionFalse, v1alpha1.ReasonInactive, "spec.state is Inactive")
		s.ready(v1alpha1.ReasonInactive, "the account is switched off")
		return nil
	}
	problems, err = k.checker.EmailAccountCredentials(ctx, e)
	if err != nil {
		return fmt.Errorf("checking the account's Secrets: %w", err)
	}
	if stallOn(s, problems, firstServer(e)) {
		return nil
	}
	return k.showWorker(ctx, e, center, s)
}

// firstServer is the condition that shows what concerns the account as a whole.
func firstServer(e *v1alpha1.EmailAccount) string {
	if e.Spec.Purpose == v1alpha1.PurposeSystem {
		return v1alpha1.ConditionSMTPReady
	}
	return v1alpha1.ConditionIMAPReady
}

// channel sees to what an account with interactions has.
func (k *accountKind) channel(ctx context.Context, e *v1alpha1.EmailAccount, center *v1alpha1.ContactCenter, s *scope) error {
	if err := k.routed(ctx, e, s); err != nil {
		return err
	}
	if err := k.assign(ctx, e, s); err != nil {
		return err
	}
	if err := k.showTemplate(ctx, e, s); err != nil {
		return err
	}
	if err := k.showContactList(ctx, e, center, s); err != nil {
		return err
	}
	return k.showStats(ctx, e)
}

// showRisks says what an account leaves unprotected.
func showRisks(e *v1alpha1.EmailAccount, s *scope) {
	if e.Spec.IMAP.CertificateValidation == v1alpha1.CertificateAcceptAny || e.Spec.SMTP.CertificateValidation == v1alpha1.CertificateAcceptAny {
		s.note(v1alpha1.ConditionCertificateNotVerified, metav1.ConditionTrue, v1alpha1.ReasonAcceptAny,
			"any certificate is accepted; name the authority with caSecretRef, or the certificate with pinnedSHA256, instead")
	}
	var plain []string
	if e.Spec.Purpose != v1alpha1.PurposeSystem && imapAddress(e).Security == remote.None {
		plain = append(plain, "spec.imap")
	}
	if smtpAddress(e).Security == remote.None {
		plain = append(plain, "spec.smtp")
	}
	if len(plain) > 0 {
		s.note(v1alpha1.ConditionEncryptionDisabled, metav1.ConditionTrue, v1alpha1.ReasonSecurityNone,
			"mails travel unencrypted: security None in "+strings.Join(plain, " and "))
	}
}

// routed checks the queue or the flow that new interactions go to. Until it is right nothing is fetched, and mails wait in the mailbox.
func (k *accountKind) routed(ctx context.Context, e *v1alpha1.EmailAccount, s *scope) error {
	if e.Spec.Routing.FlowRef.Name != "" {
		return k.routedByFlow(ctx, e, s)
	}
	var q v1alpha1.Queue
	name := e.Spec.Routing.QueueRef.Name
	err := k.Get(ctx, types.NamespacedName{Namespace: e.Namespace, Name: name}, &q)
	switch condition := v1alpha1.ConditionRouted; {
	case apierrors.IsNotFound(err) || (err == nil && !q.DeletionTimestamp.IsZero()):
		s.stall(condition, v1alpha1.ReasonQueueNotFound, "spec.routing.queueRef: Queue "+name+" does not exist")
	case err != nil:
		return fmt.Errorf("reading Queue %s: %w", name, err)
	case q.Spec.Channel != v1alpha1.ChannelEmail:
		s.stall(condition, v1alpha1.ReasonQueueWrongChannel, "spec.routing.queueRef: Queue "+name+" is not a queue of channel Email")
	default:
		s.ok(condition, v1alpha1.ReasonSucceeded, "new interactions go to Queue "+name)
	}
	return nil
}

// showWorker turns the worker's report into conditions.
func (k *accountKind) showWorker(ctx context.Context, e *v1alpha1.EmailAccount, center *v1alpha1.ContactCenter, s *scope) error {
	config, err := mailConfig(ctx, k.Client, e, center)
	if err != nil {
		return err
	}
	report, err := k.store.GetAccountStatus(ctx, storeKey(e))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("reading the worker's report: %w", err)
	}
	if report.ConfigHash != config.Hash() {
		report.IMAP, report.SMTP = remote.ReasonPending, remote.ReasonPending
		report.IMAPMessage, report.SMTPMessage = "waiting for the worker to take this configuration up", "waiting for the worker to take this configuration up"
	}
	served, err := k.served(ctx, e, report.ConfigHash == config.Hash(), s)
	if err != nil {
		return fmt.Errorf("looking for the account's workers: %w", err)
	}
	if !served {
		report.IMAP, report.IMAPMessage = v1alpha1.ReasonNoWorker, noWorker(e)
		report.SMTP, report.SMTPMessage = report.IMAP, report.IMAPMessage
	}
	system := e.Spec.Purpose == v1alpha1.PurposeSystem
	if served && (system || tried(report.IMAP)) && tried(report.SMTP) {
		e.Status.Verified = config.Verify
	}
	if !system {
		showServer(s, v1alpha1.ConditionIMAPReady, report.IMAP, report.IMAPMessage)
	}
	showServer(s, v1alpha1.ConditionSMTPReady, report.SMTP, report.SMTPMessage)
	e.Status.CertificateSHA256 = report.CertificateSHA256
	e.Status.Ingested, e.Status.Quarantined = report.Ingested, report.Quarantined
	e.Status.LastPollTime = nil
	if !report.LastPoll.IsZero() {
		e.Status.LastPollTime = seconds(report.LastPoll)
	}
	s.ready(v1alpha1.ReasonSucceeded, "mail is fetched and can be sent")
	if system {
		s.ready(v1alpha1.ReasonSucceeded, "mail can be sent")
	}
	return nil
}

// showStats mirrors where the account's interactions are.
func (k *accountKind) showStats(ctx context.Context, e *v1alpha1.EmailAccount) error {
	list, err := k.store.ListAccountFigures(ctx, storeKey(e))
	if err != nil {
		return err
	}
	e.Status.Stats = emailStats(list)
	return nil
}

// emailStats of the one account that is listed, if it has interactions.
func emailStats(list []store.AccountFigures) *v1alpha1.EmailStats {
	stats := &v1alpha1.EmailStats{}
	for _, f := range list {
		stats.Waiting, stats.Offered, stats.Open, stats.Unread = count(f.Waiting), count(f.Offered), count(f.Open), count(f.Unread)
		if !f.OldestWaiting.IsZero() {
			stats.OldestWaitingTime = seconds(f.OldestWaiting)
		}
		if !f.OldestFollowUp.IsZero() {
			stats.OldestFollowUpTime = seconds(f.OldestFollowUp)
		}
	}
	return stats
}

// noWorker says which managers are missing.
func noWorker(e *v1alpha1.EmailAccount) string {
	if group := e.Spec.Placement.WorkerGroup; group != "" {
		return "no manager runs with --worker-group=" + group + ", which spec.placement.workerGroup asks for"
	}
	return "every manager runs with --worker-group, and spec.placement.workerGroup names none"
}

// tried reports whether a server's reason is the outcome of a try.
func tried(reason string) bool {
	return reason != "" && reason != remote.ReasonPending && reason != remote.ReasonConnecting
}

func showServer(s *scope, condition, reason, message string) {
	switch {
	case reason == remote.ReasonReady:
		s.ok(condition, remote.ReasonReady, message)
	case reason == v1alpha1.ReasonNoWorker:
		s.unknown(condition, reason, message)
	case !tried(reason):
		if message == "" {
			message = "the mail worker is connecting"
		}
		s.wait(condition, remote.ReasonConnecting, message)
	default:
		s.fail(condition, reason, message)
	}
}

// The lease under which an account is deleted. Its holder is no replica, so that also this one's worker must have let go.
const (
	deletionHolder = "deletion"
	deletionLease  = time.Minute
)

// Finalize waits for the worker, on whichever replica it is, to let the mailbox go: nothing comes in behind the deletion.
func (k *accountKind) Finalize(ctx context.Context, e *v1alpha1.EmailAccount) (bool, error) {
	key := storeKey(e)
	lease, ok, err := k.store.AcquireLease(ctx, mail.LeaseName(key), deletionHolder, deletionLease)
	if err != nil || !ok {
		return false, err
	}
	if err := k.store.DeleteAccount(ctx, key); err != nil {
		return false, err
	}
	if e.Spec.DeletionPolicy == v1alpha1.EmailPurge {
		if err := k.store.PurgeAccount(ctx, key); err != nil {
			return false, err
		}
	}
	return true, k.store.ReleaseLease(ctx, lease)
}
