package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/letter"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// byInvitable finds the agents who may be waiting for an invitation.
const byInvitable = "invitation.possible"

func invitable(o client.Object) []string {
	a := o.(*v1alpha1.Agent)
	return flag(a.Spec.PasswordSecretRef == nil && a.Status.Invitation.State != v1alpha1.InvitationSent)
}

// invitations of a center that can be sent now.
type invitations struct {
	center  *v1alpha1.ContactCenter
	account *v1alpha1.EmailAccount
	texts   *v1alpha1.MessageTemplate
}

// readyInvitations is nil when none can be sent; reason and message then say why.
func readyInvitations(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter) (_ *invitations, reason, fault string, err error) {
	texts, reason, fault, err := letter.Invitation(ctx, c, center)
	if err != nil || reason != "" {
		return nil, reason, fault, err
	}
	account, err := systemMailer(ctx, c, center)
	if err != nil {
		return nil, "", "", err
	}
	if account == nil {
		return nil, v1alpha1.ReasonSystemMailNotReady, "the account of spec.systemMail cannot send; condition " + v1alpha1.ConditionSystemMailReady + " says why", nil
	}
	return &invitations{center, account, texts}, "", "", nil
}

// mail to an agent, with a link of its own. askedAt is zero for one that is sent by itself.
func (i *invitations) mail(a *v1alpha1.Agent, now, askedAt time.Time) (store.InvitationMail, error) {
	spec := i.center.Spec.Invitations
	token, ttl := security.NewToken(), letter.InvitationTTL(spec)
	who := letter.PersonOf(a)
	n := letter.Begin(i.account, who)
	n.At, n.ID = time.Now(), "invitation/"+storeKey(a).String()
	m := store.InvitationMail{
		Agent: storeKey(a), TokenHash: security.TokenHash(token), TTL: ttl, AskedAt: askedAt,
		Mail: store.SystemMail{Namespace: a.Namespace, Account: i.account.Name, Recipient: who.Email},
	}
	if err := letter.Fill(&n, i.texts, i.center, who, letter.NewLink(spec.LinkBaseURL, token, now.Add(ttl))); err != nil {
		return m, err
	}
	var err error
	m.Mail.Raw, err = message.BuildNotice(n)
	return m, err
}

// invite mails the agent a link to set the first password, once, and another when the annotation asks for one. Whether the agent is new is
// decided at the first pass and kept in the store, which neither the manifest nor a backup of the cluster undoes.
func (k *agentKind) invite(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, s *scope) error {
	first := store.Invitation{State: store.InvitationNone}
	switch spec := center.Spec.Invitations; {
	case a.Status.Invitation.SentTime != nil:
		first = store.Invitation{State: store.InvitationSent, SentAt: a.Status.Invitation.SentTime.Time}
	case spec != nil && spec.SendOnCreate != v1alpha1.SendNever && a.Spec.PasswordSecretRef == nil:
		first.State = store.InvitationDue
	}
	known, err := k.store.DecideInvitation(ctx, storeKey(a), first)
	if err != nil {
		return fmt.Errorf("deciding about the invitation: %w", err)
	}
	status := &a.Status.Invitation
	status.Message = ""
	due, err := k.invitationDue(ctx, a, center, known)
	if err != nil {
		return err
	}
	if due {
		if known, status.Message, err = k.sendInvitation(ctx, a, center, known, time.Time{}); err != nil {
			return err
		}
		if status.Message != "" && letter.Obstacle(a) == "" {
			s.requeue(10 * time.Minute) // the net below the watches
		}
	}
	if asked := a.Annotations[v1alpha1.InviteAnnotation]; clip(asked, 64) != status.LastHandledInvite {
		if known, status.Refused, err = k.inviteByHand(ctx, a, center, known, asked); err != nil {
			return err
		}
		status.LastHandledInvite = clip(asked, 64)
	}
	showInvitation(status, known)
	return nil
}

// invitationDue: the agent is new, without a password, and nobody has said Never since.
func (k *agentKind) invitationDue(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, known store.Invitation) (bool, error) {
	spec := center.Spec.Invitations
	if known.State != store.InvitationDue || a.Spec.PasswordSecretRef != nil || spec != nil && spec.SendOnCreate == v1alpha1.SendNever {
		return false, nil
	}
	_, err := k.store.GetCredential(ctx, storeKey(a))
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

func showInvitation(status *v1alpha1.AgentInvitationStatus, known store.Invitation) {
	status.State, status.SentTime = "", nil
	if !known.SentAt.IsZero() {
		status.State, status.SentTime = v1alpha1.InvitationSent, seconds(known.SentAt)
	} else if status.Message != "" {
		status.State = v1alpha1.InvitationWaiting
	}
}

// inviteByHand sends what the annotation asks for. refused says why it did not.
func (k *agentKind) inviteByHand(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, known store.Invitation, asked string) (_ store.Invitation, refused string, err error) {
	if asked == "" {
		return known, "", nil
	}
	if at, err := time.Parse(time.RFC3339, asked); err == nil {
		return k.sendInvitation(ctx, a, center, known, at)
	}
	return known, "the annotation " + v1alpha1.InviteAnnotation + " is no RFC 3339 time", nil
}

// sendInvitation says what is in the way, if something is. What somebody else sent meanwhile is not.
func (k *agentKind) sendInvitation(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, known store.Invitation, askedAt time.Time) (_ store.Invitation, obstacle string, err error) {
	if obstacle := letter.Obstacle(a); obstacle != "" {
		return known, obstacle, nil
	}
	way, reason, fault, err := readyInvitations(ctx, k.Client, center)
	switch {
	case err != nil:
		return known, "", err
	case reason != "":
		return known, reason + ": " + fault, nil
	}
	now, err := k.store.Now(ctx)
	if err != nil {
		return known, "", fmt.Errorf("asking for the time: %w", err)
	}
	mail, err := way.mail(a, now, askedAt)
	switch {
	case errors.Is(err, message.ErrBadAddress):
		return known, "spec.email is not an address that mail can be sent to", nil
	case errors.Is(err, message.ErrBadSender):
		return known, "the address of EmailAccount " + way.account.Name + " is not one that mail can be sent from", nil
	case err != nil:
		return known, "", fmt.Errorf("writing the invitation: %w", err)
	}
	known, sent, err := k.store.SendInvitation(ctx, mail)
	if err != nil {
		return known, "", fmt.Errorf("sending the invitation: %w", err)
	}
	// The very wish may have been met by a pass whose status this one has not seen.
	if !sent && !askedAt.IsZero() && !known.AskedAt.Equal(askedAt) {
		return known, "an invitation was sent after the time of the annotation", nil
	}
	return known, "", nil
}

// showInvitations sets InvitationsReady. It does not count for Ready: administrators can set passwords.
func showInvitations(ctx context.Context, c client.Reader, center *v1alpha1.ContactCenter, s *scope) error {
	_, reason, fault, err := readyInvitations(ctx, c, center)
	switch {
	case err != nil:
		return err
	case reason != "":
		s.note(v1alpha1.ConditionInvitationsReady, metav1.ConditionFalse, reason, fault)
	case center.Spec.Invitations.SendOnCreate == v1alpha1.SendNever:
		s.ok(v1alpha1.ConditionInvitationsReady, v1alpha1.ReasonSucceeded, "agents are invited by hand")
	default:
		s.ok(v1alpha1.ConditionInvitationsReady, v1alpha1.ReasonSucceeded, "new agents without a password are invited")
	}
	return nil
}

// invitableBy maps a template or an account to the agents who may wait for an invitation that needs it.
func (w *wiring) invitableBy(ctx context.Context, o client.Object) []reconcile.Request {
	var centers v1alpha1.ContactCenterList
	if err := w.c.List(ctx, &centers, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return nil
	}
	for i := range centers.Items {
		spec := centers.Items[i].Spec
		if spec.Invitations == nil {
			continue
		}
		needed := spec.Invitations.TemplateRef.Name
		if _, account := o.(*v1alpha1.EmailAccount); account && spec.SystemMail != nil {
			needed = spec.SystemMail.EmailAccountRef.Name
		}
		if needed != o.GetName() {
			continue
		}
		var agents v1alpha1.AgentList
		if err := w.c.List(ctx, &agents, client.InNamespace(o.GetNamespace()), client.MatchingFields{byInvitable: selecting}); err != nil {
			return nil
		}
		return listed(&agents)
	}
	return nil
}
