package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// givenFigures fail when they are nil, as a store does only when its database is gone.
type givenFigures []store.AccountFigures

func (g givenFigures) ListAccountFigures(context.Context, store.Key) ([]store.AccountFigures, error) {
	if g == nil {
		return nil, errors.New("no connection")
	}
	return g, nil
}

func (g givenFigures) ListQueueFigures(context.Context, store.Key) ([]store.QueueFigures, error) {
	return []store.QueueFigures{{Queue: store.Key{Namespace: ns, Name: "mail"}, Accepted: 4, InTime: 3, Waited: 1500 * time.Millisecond}}, nil
}

func (g givenFigures) Now(context.Context) (time.Time, error) { return time.Unix(1000, 0), nil }

func TestFiguresAsMetrics(t *testing.T) {
	f := NewFigures(givenFigures{
		{Account: store.Key{Namespace: ns, Name: "sales"}, Waiting: 2, Offered: 3, Open: 4, Unread: 5, OldestWaiting: time.Unix(940, 0), OldestFollowUp: time.Unix(100, 0)},
		{Account: store.Key{Namespace: ns, Name: "support"}, Open: 1},
	})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(f)
	gathered := func() []string {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, family := range families {
			for _, m := range family.GetMetric() {
				got = append(got, fmt.Sprintf("%s %s/%s %v", family.GetName(), m.GetLabel()[1].GetValue(), m.GetLabel()[0].GetValue(), m.GetGauge().GetValue()))
			}
		}
		slices.Sort(got)
		return got
	}
	if got := gathered(); got != nil {
		t.Errorf("before anything was read: %q", got)
	}
	if err := f.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ringmaster_email_assigned_waiting_seconds acme/sales 900", "ringmaster_email_assigned_waiting_seconds acme/support 0",
		"ringmaster_email_offered acme/sales 3", "ringmaster_email_offered acme/support 0",
		"ringmaster_email_oldest_waiting_seconds acme/sales 60", "ringmaster_email_oldest_waiting_seconds acme/support 0",
		"ringmaster_email_open acme/sales 4", "ringmaster_email_open acme/support 1",
		"ringmaster_email_queue_accepted acme/mail 4", "ringmaster_email_queue_accepted_in_time acme/mail 3",
		"ringmaster_email_queue_accepted_wait_seconds acme/mail 1.5",
		"ringmaster_email_unread acme/sales 5", "ringmaster_email_unread acme/support 0",
		"ringmaster_email_waiting acme/sales 2", "ringmaster_email_waiting acme/support 0",
	}
	if diff := cmp.Diff(want, gathered()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.store = givenFigures(nil)
	if err := f.refresh(t.Context()); err == nil {
		t.Error("no error")
	}
	if got := gathered(); got != nil {
		t.Errorf("what is not known is shown: %q", got)
	}
}

func TestEmailStats(t *testing.T) {
	at := time.Unix(1000, 0)
	got := emailStats([]store.AccountFigures{{Waiting: 1, Offered: 2, Open: 3, Unread: 4, OldestWaiting: at}})
	if got.Waiting != 1 || got.Offered != 2 || got.Open != 3 || got.Unread != 4 || !got.OldestWaitingTime.Time.Equal(at) || got.OldestFollowUpTime != nil {
		t.Errorf("%+v", got)
	}
	if got := emailStats(nil); got.Waiting != 0 || got.OldestWaitingTime != nil {
		t.Errorf("%+v", got)
	}
}
