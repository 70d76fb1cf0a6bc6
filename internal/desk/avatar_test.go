package desk_test

import (
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Everybody of the center sees a colleague's picture, and fetches it again only when it is another.
func TestAvatar(t *testing.T) {
	f := newFixture(t)
	bob := f.login("bob")
	const path = "/v1/agents/alice/avatar"
	f.want(404, desk.CodeNotFound, bob, "GET", path, nil)
	f.want(404, desk.CodeNotFound, bob, "GET", "/v1/agents/nobody/avatar", nil)
	put := func(sum, kind, content string) {
		t.Helper()
		f.ok(f.store.PutAvatar(t.Context(), agentKey("alice"), store.Avatar{Source: sum, SHA256: sum, ContentType: kind, Content: []byte(content)}))
	}
	put("aa", "image/png", "\x89PNG")
	a := f.want(200, "", bob, "GET", path, nil)
	h := a.header
	if string(a.raw) != "\x89PNG" || h.Get("Content-Type") != "image/png" || h.Get("ETag") != `"aa"` || h.Get("Cache-Control") != "private, no-cache" ||
		h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q %v", a.raw, h)
	}
	for _, has := range []string{`"aa"`, `W/"aa"`, `"zz", "aa"`, "*"} {
		if a := f.want(304, "", bob, "GET", path, nil, "If-None-Match", has); len(a.raw) > 0 || a.header.Get("ETag") != `"aa"` {
			t.Errorf("%s: %q %v", has, a.raw, a.header)
		}
	}
	put("bb", "image/jpeg", "\xff\xd8\xff")
	if a := f.want(200, "", bob, "GET", path, nil, "If-None-Match", `"aa"`); string(a.raw) != "\xff\xd8\xff" || a.header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("%q %v", a.raw, a.header)
	}
	// Another center's are not there.
	other := store.Key{Namespace: "elsewhere", Name: "zoe"}
	f.ok(f.store.PutAgent(t.Context(), store.Agent{Key: other, Username: "zoe", Active: true}))
	f.ok(f.store.PutAvatar(t.Context(), other, store.Avatar{Source: "x", SHA256: "x", ContentType: "image/png", Content: []byte("x")}))
	f.want(404, desk.CodeNotFound, bob, "GET", "/v1/agents/zoe/avatar", nil)
}
