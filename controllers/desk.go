package controllers

import (
	"context"
	"errors"
	"fmt"
	netmail "net/mail"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// DeskSide answers from Kubernetes what the desk API asks beside the store.
type DeskSide struct {
	Reader client.Reader
	// Logos that were fetched for answers.
	Logos store.Logos
}

var (
	_ desk.SIPSecrets    = DeskSide{}
	_ desk.ReplyComposer = DeskSide{}
)

// SIPSecret implements desk.SIPSecrets.
func (d DeskSide) SIPSecret(ctx context.Context, agent store.Key) (desk.SIPSecret, error) {
	var a v1alpha1.Agent
	if err := d.Reader.Get(ctx, types.NamespacedName(agent), &a); err != nil {
		return desk.SIPSecret{}, fmt.Errorf("reading the agent: %w", err)
	}
	var s corev1.Secret
	if err := d.Reader.Get(ctx, types.NamespacedName{Namespace: agent.Namespace, Name: a.SIPSecretName()}, &s); err != nil {
		return desk.SIPSecret{}, fmt.Errorf("reading the SIP secret: %w", err)
	}
	if len(s.Data[sipPassword]) == 0 || len(s.Data[sipServer]) == 0 {
		return desk.SIPSecret{}, errors.New("the SIP secret is not complete yet")
	}
	return desk.SIPSecret{
		Username: string(s.Data[sipUsername]), Password: string(s.Data[sipPassword]), Realm: string(s.Data[sipRealm]),
		Server: string(s.Data[sipServer]), WSSURL: string(s.Data[sipURL]),
	}, nil
}

// PasswordRules are the rules of a contact center for passwords changed at the desk. Without a ContactCenter the strict defaults hold.
func (d DeskSide) PasswordRules(ctx context.Context, namespace string) (desk.PasswordRules, error) {
	center, err := onlyCenter(ctx, d.Reader, namespace)
	if err != nil && !errors.Is(err, errNoCenter) {
		return desk.PasswordRules{}, err
	}
	rules := desk.PasswordRules{Policy: admission.PolicyOf(center), History: 1}
	if center != nil {
		rules.History = int(center.Spec.Security.PasswordPolicy.HistorySize)
		rules.MaxAttempts = int(value(center.Spec.Security.Lockout.MaxAttempts, defaultMaxAttempts))
		if center.Spec.Security.Suite == v1alpha1.Disabled {
			rules.History = 0
		}
	}
	rules.Age = passwordAge(center)
	return rules, nil
}

// Compose implements desk.ReplyComposer.
func (d DeskSide) Compose(ctx context.Context, in desk.ReplyInput) (store.Message, []byte, error) {
	from, err := d.fromName(ctx, in)
	if err != nil {
		return store.Message{}, nil, err
	}
	layout, err := d.layout(ctx, in)
	if err != nil {
		return store.Message{}, nil, err
	}
	m, raw, err := message.BuildReply(message.Reply{
		Layout: layout, Variables: desk.Variables(in.Account, in.Interaction, in.Agent),
		InteractionID: in.Interaction.ID, Account: in.Account.Key, Agent: in.Agent.Name,
		From:     netmail.Address{Name: from, Address: in.Account.Address},
		To:       netmail.Address{Name: in.Interaction.Name, Address: in.Interaction.Customer},
		Original: in.Original, Subject: in.Interaction.Subject, Cc: in.Cc, Bcc: in.Bcc, Forward: in.Forward, Files: in.Files, Text: in.Text, At: time.Now(),
	})
	if errors.Is(err, message.ErrNoRecipient) || errors.Is(err, message.ErrBadAddress) || errors.Is(err, message.ErrTextTooLong) ||
		errors.Is(err, message.ErrFilesTooLarge) {
		err = fmt.Errorf("%w: %w", desk.ErrNotSendable, err)
	}
	return m, raw, err
}

// fromName is the sender's name that the customer sees.
func (d DeskSide) fromName(ctx context.Context, in desk.ReplyInput) (string, error) {
	center, err := onlyCenter(ctx, d.Reader, in.Account.Namespace)
	if err != nil && !errors.Is(err, errNoCenter) {
		return "", err
	}
	if center == nil || center.Spec.Email.FromName != v1alpha1.FromAlias {
		return in.Account.DisplayName, nil
	}
	return displayName(in.Agent.Alias, in.Agent.DisplayName), nil
}
