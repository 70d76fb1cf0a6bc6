package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testMailLocations(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0)
	first, bad, filtered := c.mail(), c.mail(), c.mail()
	bad.Kind, bad.Message.State, bad.Detail = store.IngestQuarantined, store.MessageQuarantined, "no header"
	filtered.Kind, filtered.Raw = store.IngestFiltered, nil
	again := first // the same content under another UID
	again.UID += 100
	results, err := c.Ingest(c.ctx, c.lease, key("support"), []store.IngestMail{first, bad, filtered, again})
	c.must(err)
	got, err := c.MailLocations(c.ctx, key("support"), first.Mailbox, first.UIDValidity)
	c.must(err)
	want := map[uint32]store.MailLocation{
		first.UID:    {InteractionID: results[0].InteractionID, State: store.MessageStored},
		bad.UID:      {InteractionID: results[1].InteractionID, State: store.MessageQuarantined, Detail: "no header"},
		filtered.UID: {},
		again.UID:    {InteractionID: results[0].InteractionID, State: store.MessageStored},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, other := range []struct {
		account store.Key
		epoch   uint32
	}{{key("support"), first.UIDValidity + 1}, {key("sales"), first.UIDValidity}} {
		if got, err := c.MailLocations(c.ctx, other.account, first.Mailbox, other.epoch); err != nil || len(got) != 0 {
			t.Errorf("%+v: %v, %v", other, got, err)
		}
	}
}
