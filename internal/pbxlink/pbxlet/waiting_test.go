package pbxlet_test

import (
	"fmt"
	"testing"
)

// TestDeletedQueueLetsItsCallersGo: app_queue keeps them for ever.
func TestDeletedQueueLetsItsCallersGo(t *testing.T) {
	r := newRig(t)
	c := queueCenter(r, "1002")
	other := c.Queues[0]
	other.Key, other.Name, other.Number = "Queue/other", "other", "601"
	c.Queues = append(c.Queues, other)
	r.apply(c)
	goes, err := r.registered("1001").Call(r.soon(), "600")
	if err != nil {
		t.Fatal(err)
	}
	stays, err := r.registered("1003").Call(r.soon(), "601")
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("both wait", func() error {
		r.manager.events.mu.Lock()
		defer r.manager.events.mu.Unlock()
		if f := r.manager.events.figures; f["support"].Waiting != 1 || f["other"].Waiting != 1 {
			return fmt.Errorf("%+v", f)
		}
		return nil
	})

	c.Queues = c.Queues[1:]
	r.apply(c)
	select {
	case <-goes.Done():
	case <-r.soon().Done():
		t.Error("the caller waits in a queue that is not there")
	}
	select {
	case <-stays.Done():
		t.Error("the caller of the other queue was hung up")
	default:
	}
	if err := stays.Hangup(r.soon()); err != nil {
		t.Error(err)
	}
}
