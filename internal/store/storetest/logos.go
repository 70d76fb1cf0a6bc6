package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testLogos(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	c.must(c.PutAccount(c.ctx, store.Account{Key: key("logos"), Label: "LOGO", Address: "logos@example.com", Queue: "mail"}))
	account := key("logos")
	none := func() {
		t.Helper()
		_, err := c.LogoURL(c.ctx, account)
		wantErr(t, err, store.ErrNotFound)
		_, err = c.GetLogo(c.ctx, account)
		wantErr(t, err, store.ErrNotFound)
	}
	is := func(want store.Logo) {
		t.Helper()
		got, err := c.GetLogo(c.ctx, account)
		c.must(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if url, err := c.LogoURL(c.ctx, account); err != nil || url != want.URL {
			t.Fatalf("%q, %v", url, err)
		}
	}
	first := store.Logo{URL: "https://example.com/a.png", Content: []byte{0x89, 'P', 0}}
	second := store.Logo{URL: "https://example.com/b.png", Content: []byte{0xff, 0xd8}}
	none()
	wantErr(t, c.PutLogo(c.ctx, key("nobody"), first), store.ErrNotFound)
	c.must(c.PutLogo(c.ctx, account, first))
	is(first)
	c.must(c.PutLogo(c.ctx, account, second))
	is(second)
	c.must(c.DeleteLogo(c.ctx, account))
	c.must(c.DeleteLogo(c.ctx, account))
	none()
	c.must(c.PutLogo(c.ctx, account, first))
	c.must(c.DeleteAccount(c.ctx, account))
	none()
}
