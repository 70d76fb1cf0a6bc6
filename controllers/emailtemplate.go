package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
)

// byLayoutRef finds accounts by the MessageTemplate of their layout.
const byLayoutRef = "template.layoutRef"

func layoutRef(o client.Object) []string {
	if t := o.(*v1alpha1.EmailAccount).Spec.Template; t != nil && t.LayoutRef != nil {
		return nonEmpty(t.LayoutRef.Name)
	}
	return nil
}

func logoConfigMap(o client.Object) []string {
	if t := o.(*v1alpha1.EmailAccount).Spec.Template; t != nil && t.Logo != nil && t.Logo.ConfigMapKeyRef != nil {
		return nonEmpty(t.Logo.ConfigMapKeyRef.Name)
	}
	return nil
}

// accountsOfLayout maps a template to the accounts whose answers look like it.
func (w *wiring) accountsOfLayout(ctx context.Context, o client.Object) []reconcile.Request {
	var accounts v1alpha1.EmailAccountList
	if err := w.c.List(ctx, &accounts, client.InNamespace(o.GetNamespace()), client.MatchingFields{byLayoutRef: o.GetName()}); err != nil {
		return nil
	}
	return listed(&accounts)
}

// answerLayout is what answers look like, nil for plain text. What cannot be had is named in the problems, and answers go out without it.
func answerLayout(ctx context.Context, c client.Reader, e *v1alpha1.EmailAccount, logoOf logoReader) (*message.Layout, []*contentError, error) {
	t := e.Spec.Template
	if t == nil {
		return nil, nil, nil
	}
	var problems []*contentError
	layout := &message.Layout{FontFamily: t.FontFamily, FontSize: int(t.FontSize)}
	if t.Logo != nil {
		logo, err := logoOf(ctx, e)
		if problem := (*contentError)(nil); errors.As(err, &problem) {
			problems = append(problems, &contentError{reason: problem.reason, message: "spec.template.logo: " + problem.message, passing: problem.passing})
		} else if err != nil {
			return nil, nil, err
		} else {
			layout.Logo = logo
		}
	}
	if t.LayoutRef == nil {
		return layout, problems, nil
	}
	source, err := layoutSource(ctx, c, e.Namespace, t.LayoutRef.Name)
	if problem := (*contentError)(nil); errors.As(err, &problem) {
		return nil, append(problems, &contentError{reason: problem.reason, message: "spec.template.layoutRef: " + problem.message}), nil
	} else if err != nil {
		return nil, nil, err
	}
	layout.Source = source
	return layout, problems, nil
}

// layoutSource reads the HTML of a layout. A *contentError says that it cannot be used.
func layoutSource(ctx context.Context, c client.Reader, namespace, name string) (string, error) {
	var m v1alpha1.MessageTemplate
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &m)
	switch {
	case apierrors.IsNotFound(err) || err == nil && !m.DeletionTimestamp.IsZero():
		return "", &contentError{reason: v1alpha1.ReasonReferenceMissing, message: "MessageTemplate " + name + " does not exist"}
	case err != nil:
		return "", fmt.Errorf("reading MessageTemplate %s: %w", name, err)
	case m.Spec.Type != v1alpha1.MessageLayout:
		return "", &contentError{reason: v1alpha1.ReasonTemplateWrongType, message: "MessageTemplate " + name + " is not of type Layout"}
	case m.Spec.Body.HTML == "":
		return "", &contentError{reason: v1alpha1.ReasonReferenceInvalid, message: "MessageTemplate " + name + " has no body.html"}
	}
	if err := (message.Layout{Source: m.Spec.Body.HTML}).Check(); err != nil {
		return "", &contentError{reason: v1alpha1.ReasonReferenceInvalid, message: fmt.Sprintf("body.html of MessageTemplate %s: %s", name, err)}
	}
	return m.Spec.Body.HTML, nil
}

// showTemplate says whether answers look as they should. They go out in any case, so it does not count for Ready.
func (k *accountKind) showTemplate(ctx context.Context, e *v1alpha1.EmailAccount, s *scope) error {
	if err := k.logos.tidy(ctx, e); err != nil {
		return err
	}
	if e.Spec.Template == nil {
		return nil
	}
	layout, problems, err := answerLayout(ctx, k.Client, e, k.logos.keep)
	if err != nil {
		return fmt.Errorf("reading the template of answers: %w", err)
	}
	if len(problems) == 0 {
		s.note(v1alpha1.ConditionTemplateReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "answers have their layout and logo")
		return nil
	}
	messages := make([]string, 0, len(problems))
	for _, p := range problems {
		messages = append(messages, p.message)
		switch {
		case p.reason == v1alpha1.ReasonProgressing:
			s.requeue(soon)
		case p.passing:
			s.requeue(retryDownload)
		}
	}
	without := "answers go out without the logo: "
	if layout == nil {
		without = "answers go out as text alone: "
	}
	s.note(v1alpha1.ConditionTemplateReady, metav1.ConditionFalse, problems[0].reason, without+strings.Join(messages, "; "))
	return nil
}

// layout of an answer. An account that is being deleted has none.
func (d DeskSide) layout(ctx context.Context, in desk.ReplyInput) (*message.Layout, error) {
	var e v1alpha1.EmailAccount
	if err := d.Reader.Get(ctx, types.NamespacedName(in.Account.Key), &e); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the account: %w", err)
	}
	layout, _, err := answerLayout(ctx, d.Reader, &e, logoOf(d.Reader, d.Logos.GetLogo))
	return layout, err
}
