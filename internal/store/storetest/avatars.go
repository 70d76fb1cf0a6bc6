package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testAvatars(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice", "bob")
	first := store.Avatar{Source: "url/https://example.com/a.png", SHA256: "aa", ContentType: "image/png", Content: []byte{0x89, 'P', 0}}
	second := store.Avatar{Source: "sum/bb", SHA256: "cc", ContentType: "image/jpeg", Content: []byte{0xff, 0xd8}}
	none := func(name string) {
		t.Helper()
		_, err := c.AvatarOf(c.ctx, key(name))
		wantErr(t, err, store.ErrNotFound)
		_, err = c.GetAvatar(c.ctx, key(name))
		wantErr(t, err, store.ErrNotFound)
	}
	is := func(name string, want store.Avatar) {
		t.Helper()
		got, err := c.GetAvatar(c.ctx, key(name))
		c.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		want.Content = nil
		if got, err = c.AvatarOf(c.ctx, key(name)); err != nil || cmp.Diff(want, got) != "" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	none("alice")
	wantErr(t, c.PutAvatar(c.ctx, key("nobody"), first), store.ErrNotFound)
	none("nobody")
	c.must(c.PutAvatar(c.ctx, key("alice"), first))
	c.must(c.PutAvatar(c.ctx, key("bob"), second))
	is("alice", first)
	is("bob", second)
	c.must(c.PutAvatar(c.ctx, key("alice"), second))
	is("alice", second)
	c.must(c.DeleteAvatar(c.ctx, key("alice")))
	c.must(c.DeleteAvatar(c.ctx, key("alice")))
	none("alice")
	c.must(c.DeleteAgent(c.ctx, key("bob")))
	none("bob")
}
