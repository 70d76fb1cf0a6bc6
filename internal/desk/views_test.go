package desk_test

import (
	"html"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
)

const newsletter = `From: Zoe <zoe@customer.example>
To: info@example.com
Message-ID: <letter@customer.example>
Subject: News
MIME-Version: 1.0
Content-Type: text/html

<script>alert(1)</script><p onclick="x()">Grand opening <img src="https://news.example/logo.png" alt="Logo"></p></body>
`

func TestMessageView(t *testing.T) {
	f := newFixture(t)
	f.ok(f.store.DeleteQueue(t.Context(), queueKey))
	f.assign("alice")
	alice := f.login("alice")
	id := f.receiveRaw(newsletter)
	detail := f.want(200, "", alice, "GET", "/v1/interactions/"+id, nil)
	mid, _ := detail.at("messages", 0, "id").(string)
	path := "/v1/interactions/" + id + "/messages/" + mid + "/html"
	const none, pictures = "default-src 'none'; base-uri 'none'; form-action 'none'", "; img-src http: https:"
	for query, want := range map[string]struct{ policy, body string }{
		"":              {none, "<p>Grand opening </p>"},
		"?remote=block": {none, "<p>Grand opening </p>"},
		"?remote=allow": {none + pictures, `<p>Grand opening <img src="https://news.example/logo.png" alt="Logo"></p>`},
	} {
		a := f.want(200, "", alice, "GET", path+query, nil)
		_, rest, _ := strings.Cut(string(a.raw), `<meta http-equiv="Content-Security-Policy" content="`)
		policy, rest, _ := strings.Cut(rest, `"></head><body>`)
		body, _, _ := strings.Cut(rest, "</body>")
		if d := cmp.Diff([]string{want.policy, want.body}, []string{html.UnescapeString(policy), strings.TrimSpace(body)}); d != "" {
			t.Errorf("%s (-want +got):\n%s", query, d)
		}
		if got := a.header.Values("Content-Security-Policy"); len(got) != 1 || !strings.HasPrefix(got[0], want.policy+"; frame-ancestors 'none'; sandbox allow-popups") {
			t.Errorf("%s: the header says %q", query, got)
		}
		if got := a.header.Get("Content-Type"); got != "text/html; charset=utf-8" {
			t.Errorf("%s: %s", query, got)
		}
	}
	f.want(422, desk.CodeValidation, alice, "GET", path+"?remote=yes", nil)
	f.want(404, desk.CodeNotFound, f.login("bob"), "GET", path, nil)
	f.want(404, desk.CodeNotFound, alice, "GET", "/v1/interactions/"+f.receive("Another")+"/messages/"+mid+"/html", nil)
}
