package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/customer"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
)

// mail is a conversation from a customer's mail to its end.
func (s *show) mail(ctx context.Context) error {
	const subject = "Where is my order 4711?"
	casey := customer.Mailbox{
		Addr: s.stack.Vars["RINGMASTER_IMAPS"], User: "casey@example.test", Password: s.stack.Dovecot.Password("casey"), CA: s.ca,
	}
	if err := customer.Send(s.stack.Vars["RINGMASTER_SMTP"], casey.User, "support@example.test", subject,
		"Hello, I ordered a lamp two weeks ago."); err != nil {
		return err
	}
	sent := time.Now()
	say("casey@example.test writes: %s", subject)
	offer, err := s.desks["alice"].WaitForOffer(ctx, subject)
	if err != nil {
		return fmt.Errorf("waiting for the offer: %w", err)
	}
	say("after %s it is on Alice's desk, not on Bob's, who is paused", time.Since(sent).Round(10*time.Millisecond))
	receipt, err := casey.WaitFor(ctx, "We have your mail: "+subject)
	if err != nil {
		return err
	}
	say("in Casey's mailbox: %s, which RoutingFlow incoming sent at once", receipt.Subject)
	if err := s.answer(ctx, offer.ID); err != nil {
		return err
	}
	answer, err := casey.WaitFor(ctx, "Re: "+subject)
	if err != nil {
		return err
	}
	if !strings.Contains(answer.Text, "arrives tomorrow") || !strings.Contains(answer.HTML, "arrives tomorrow") || answer.InReplyTo == "" || len(answer.Inline) != 1 {
		return fmt.Errorf("the answer is not the one Alice sent, or does not look like the account's letters: %+v", answer)
	}
	say("in Casey's mailbox: %s, from %s, in the same thread, with the company's logo", answer.Subject, answer.From)
	return s.conclude(ctx, offer.ID)
}

// answer with the text that lies ready for it.
func (s *show) answer(ctx context.Context, id string) error {
	const key = "on-its-way"
	alice := s.desks["alice"]
	if err := alice.Command(ctx, id, "accept"); err != nil {
		return err
	}
	detail, err := alice.Interaction(ctx, id)
	if err != nil {
		return err
	}
	say("Alice accepts and reads: %q", strings.TrimSpace(detail.Messages[0].Text))
	texts, err := alice.CannedAnswers(ctx, id)
	if err != nil {
		return err
	}
	if texts[key] == "" {
		return fmt.Errorf("there is no canned answer %s", key)
	}
	say("she sends her canned answer %s", key)
	_, err = alice.Reply(ctx, id, texts[key])
	return err
}

// conclude shows that a conversation with this mailbox is not closed before it is said what it was about.
func (s *show) conclude(ctx context.Context, id string) error {
	const disposition = "Order/Delivery"
	alice := s.desks["alice"]
	err := alice.Command(ctx, id, "close")
	if problem := (*deskclient.Error)(nil); !errors.As(err, &problem) || problem.Status != http.StatusConflict || problem.Code != string(desk.CodeDispositionRequired) {
		return fmt.Errorf("closing without a disposition was not refused as it should be: %w", err)
	}
	say("Alice closes it: refused, the mailbox wants to know what it was about")
	if err := alice.Close(ctx, id, disposition); err != nil {
		return err
	}
	detail, err := alice.Interaction(ctx, id)
	if err != nil {
		return err
	}
	if detail.State != "Closed" || detail.Disposition != disposition {
		return fmt.Errorf("the interaction is %s with disposition %q", detail.State, detail.Disposition)
	}
	say("Alice closes it as %s: closed", disposition)
	return nil
}
