package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// reply is an answer of the interaction under a Message-ID.
func reply(id, agent, messageID string) store.Message {
	return store.Message{InteractionID: id, Namespace: ns, Agent: agent, MessageID: messageID, From: "support@example.com", To: []string{"carla@example.net"},
		Bcc: []string{"boss@example.com"}, Subject: "Re: broken", Text: "try again"}
}

func testDrafts(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice", "bob")
	id, agent := c.open()
	_, err := c.GetDraft(c.ctx, ns, id)
	wantErr(t, err, store.ErrNotFound)
	draft := store.Draft{InteractionID: id, Namespace: ns, Agent: agent, Body: []byte(`{"text":"Hel"}`)}
	wantErr(t, second(c.PutDraft(c.ctx, draft, 7)), store.ErrVersion)
	first, err := c.PutDraft(c.ctx, draft, 0)
	if err != nil || first.Version < 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	wantErr(t, second(c.PutDraft(c.ctx, draft, 0)), store.ErrVersion)
	draft.Body = []byte(`{"text":"Hello"}`)
	next, err := c.PutDraft(c.ctx, draft, first.Version)
	if err != nil || next.Version <= first.Version {
		t.Fatalf("%+v, %v", next, err)
	}
	wantErr(t, second(c.PutDraft(c.ctx, draft, first.Version)), store.ErrVersion)
	got, err := c.GetDraft(c.ctx, ns, id)
	if diff := cmp.Diff(next, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	_, err = c.GetDraft(c.ctx, "other", id)
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, c.DeleteDraft(c.ctx, ns, id, agent, first.Version), store.ErrVersion)
	wantErr(t, c.DeleteDraft(c.ctx, ns, id, "mallory", 0), store.ErrConflict)
	c.must(c.DeleteDraft(c.ctx, ns, id, agent, next.Version))
	wantErr(t, c.DeleteDraft(c.ctx, ns, id, agent, 0), store.ErrNotFound)

	stranger := draft
	stranger.Agent = "mallory"
	wantErr(t, second(c.PutDraft(c.ctx, stranger, 0)), store.ErrConflict)
	clk.advance(time.Second)
	again, err := c.PutDraft(c.ctx, draft, 0)
	if err != nil || again.Version <= next.Version {
		t.Fatalf("a new draft has an old version: %+v, %v", again, err)
	}
	_, err = c.AddReply(c.ctx, reply(id, agent, "a@host"), []byte("raw"), store.ReplyExtras{})
	c.must(err)
	_, err = c.GetDraft(c.ctx, ns, id)
	wantErr(t, err, store.ErrNotFound) // it was sent
	_, err = c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{})
	c.must(err)
	wantErr(t, second(c.PutDraft(c.ctx, draft, 0)), store.ErrConflict)
}

func testUploads(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice", "bob")
	id, agent := c.open()
	file := store.Upload{InteractionID: id, Namespace: ns, Agent: agent, Name: "a\x00.pdf", ContentType: "application/pdf"}
	content := []byte("\x00\xff%PDF")
	up, err := c.AddUpload(c.ctx, file, content)
	if err != nil || up.ID == "" || up.Name != "a.pdf" || up.Size != int64(len(content)) {
		t.Fatalf("%+v, %v", up, err)
	}
	got, back, err := c.UploadContent(c.ctx, ns, id, up.ID)
	if diff := cmp.Diff(up, got); err != nil || diff != "" || string(back) != string(content) {
		t.Fatalf("%v %q (-want +got):\n%s", err, back, diff)
	}
	for _, of := range [][2]string{{"other", id}, {ns, "another"}} {
		_, _, err := c.UploadContent(c.ctx, of[0], of[1], up.ID)
		wantErr(t, err, store.ErrNotFound)
	}
	stranger := file
	stranger.Agent = "mallory"
	wantErr(t, second(c.AddUpload(c.ctx, stranger, content)), store.ErrConflict)
	wantErr(t, second(c.AddUpload(c.ctx, file, make([]byte, store.MaxUpload+1))), store.ErrTooMuch)
	big, err := c.AddUpload(c.ctx, file, make([]byte, store.MaxUpload))
	c.must(err)
	wantErr(t, second(c.AddUpload(c.ctx, file, make([]byte, store.MaxUploadBytes-store.MaxUpload))), store.ErrTooMuch)
	wantErr(t, c.DeleteUpload(c.ctx, ns, id, big.ID, "mallory"), store.ErrConflict)
	c.must(c.DeleteUpload(c.ctx, ns, id, big.ID, agent))
	wantErr(t, c.DeleteUpload(c.ctx, ns, id, big.ID, agent), store.ErrNotFound)
	for range store.MaxUploads - 1 {
		_, err := c.AddUpload(c.ctx, file, nil)
		c.must(err)
	}
	wantErr(t, second(c.AddUpload(c.ctx, file, nil)), store.ErrTooMuch)

	wantErr(t, second(c.AddReply(c.ctx, reply(id, agent, "a@host"), []byte("raw"), store.ReplyExtras{Uploads: []string{up.ID, big.ID}})), store.ErrConflict)
	_, err = c.AddReply(c.ctx, reply(id, agent, "b@host"), []byte("raw"), store.ReplyExtras{Uploads: []string{up.ID}})
	c.must(err)
	left, err := c.ListUploads(c.ctx, ns, id)
	if err != nil || len(left) != store.MaxUploads-1 {
		t.Fatalf("%d uploads are left, %v", len(left), err)
	}
	clk.advance(7*24*time.Hour + time.Second)
	_, err = c.AddUpload(c.ctx, file, nil)
	c.must(err)
	if left, err = c.ListUploads(c.ctx, ns, id); err != nil || len(left) != 1 {
		t.Fatalf("%d uploads are left after a week, %v", len(left), err)
	}
}

func testReplyKeys(t *testing.T, open Open) {
	clk := newClock()
	c := newCenter(t, open(t, clk.option()), 0, "alice", "bob")
	id, agent := c.open()
	extras := store.ReplyExtras{Key: "k1", Digest: "d1"}
	_, err := c.ReplyUnder(c.ctx, key(agent), extras)
	wantErr(t, err, store.ErrNotFound)

	// The same answer from several places at once is one.
	var wait sync.WaitGroup
	sent := make([]string, 8)
	for n := range sent {
		wait.Go(func() {
			m, err := c.AddReply(c.ctx, reply(id, agent, id+string(rune('a'+n))+"@host"), []byte("raw"), extras)
			if err != nil {
				t.Error(err)
			}
			sent[n] = m.ID
		})
	}
	wait.Wait()
	for _, m := range sent {
		if m != sent[0] {
			t.Fatalf("sent twice: %v", sent)
		}
	}
	if i := c.get(id); i.MessageCount != 2 {
		t.Fatalf("%d messages", i.MessageCount)
	}
	_, err = c.CloseInteraction(c.ctx, ns, id, agent, store.Disposal{})
	c.must(err)
	again, err := c.AddReply(c.ctx, reply(id, agent, "late@host"), []byte("raw"), extras)
	if err != nil || again.ID != sent[0] || cmp.Diff([]string{"boss@example.com"}, again.Bcc) != "" {
		t.Fatalf("again, after closing: %+v, %v", again, err)
	}
	if found, err := c.ReplyUnder(c.ctx, key(agent), extras); err != nil || found.ID != sent[0] {
		t.Fatalf("found %+v, %v", found, err)
	}
	other := store.ReplyExtras{Key: "k1", Digest: "d2"}
	wantErr(t, second(c.ReplyUnder(c.ctx, key(agent), other)), store.ErrKeyReused)
	wantErr(t, second(c.AddReply(c.ctx, reply(id, agent, "other@host"), []byte("raw"), other)), store.ErrKeyReused)
	wantErr(t, second(c.ReplyUnder(c.ctx, key("somebody"), extras)), store.ErrNotFound)

	clk.advance(24*time.Hour + time.Second)
	id, agent = c.open()
	_, err = c.AddReply(c.ctx, reply(id, agent, "next@host"), []byte("raw"), store.ReplyExtras{Key: "k2"})
	c.must(err)
	wantErr(t, second(c.ReplyUnder(c.ctx, key(agent), extras)), store.ErrNotFound)
}
