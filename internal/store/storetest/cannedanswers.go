package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func testCannedAnswers(t *testing.T, open Open) {
	c := newCenter(t, open(t), 0, "alice")
	file := func(name, sum string, size int64) store.CannedFile {
		return store.CannedFile{Attachment: store.Attachment{Name: name, ContentType: "application/pdf", Size: size}, SHA256: sum}
	}
	support := store.CannedAnswerSet{Key: key("support"), Scope: store.ScopeAccount, Ref: "support", Items: []store.CannedAnswer{
		{Key: "hello", Value: "Ours", Description: "greeting", Attachments: []store.CannedFile{file("a.pdf", "aa", 3), file("b.pdf", "bb", 0)}},
		{Key: "again", Value: "Again", Attachments: []store.CannedFile{file("c.pdf", "aa", 3)}},
	}}
	wantErr(t, c.PutCannedAnswerSet(c.ctx, support), store.ErrNotFound)
	c.must(c.PutCannedFile(c.ctx, key("support"), "aa", []byte("pdf")))
	c.must(c.PutCannedFile(c.ctx, key("support"), "aa", []byte("pdf")))
	c.must(c.PutCannedFile(c.ctx, key("support"), "bb", nil))
	c.must(c.PutCannedFile(c.ctx, key("other"), "aa", []byte("pdf")))
	for _, s := range []store.CannedAnswerSet{
		support, support,
		{Key: key("everywhere"), Scope: store.ScopeGlobal, Items: []store.CannedAnswer{{Key: "hello", Value: "Everybody's"}, {Key: "bye", Value: "Bye"}}},
		{Key: key("mail"), Scope: store.ScopeQueue, Ref: "mail", Items: []store.CannedAnswer{{Key: "bye", Value: "The queue's"}}},
		{Key: key("list"), Scope: store.ScopeContactList, Ref: "customers", Items: []store.CannedAnswer{{Key: "bye", Value: "The list's"}, {Key: "list", Value: "List"}}},
		{Key: key("other"), Scope: store.ScopeAccount, Ref: "other", Items: []store.CannedAnswer{{Key: "other", Value: "Another account's"}}},
		{Key: key("named"), Scope: store.ScopeAccount, Items: []store.CannedAnswer{{Key: "named", Value: "Named"}}},
	} {
		c.must(c.PutCannedAnswerSet(c.ctx, s))
	}
	c.must(c.PutAnswerSettings(c.ctx, key("support"), store.AnswerSettings{CannedAnswerSets: []string{"named"}}))
	c.storesIn("customers")
	id := c.newInteraction()
	values := func(want ...string) {
		t.Helper()
		list, err := c.CannedAnswersOf(c.ctx, ns, id)
		c.must(err)
		var got []string
		for _, a := range list {
			got = append(got, a.Set+": "+a.Value)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
	values("named: Named", "support: Ours", "support: Again", "mail: The queue's", "list: List")
	list, err := c.CannedAnswersOf(c.ctx, ns, id)
	c.must(err)
	if diff := cmp.Diff(support.Items[0].Attachments, list[1].Attachments); diff != "" {
		t.Fatalf("attachments (-want +got):\n%s", diff)
	}
	if content, err := c.GetCannedFile(c.ctx, key("support"), "aa"); err != nil || string(content) != "pdf" {
		t.Fatalf("content %q, %v", content, err)
	}
	support.Items = support.Items[1:]
	c.must(c.PutCannedAnswerSet(c.ctx, support))
	sizes, err := c.CannedFileSizes(c.ctx, key("support"))
	if diff := cmp.Diff(map[string]int64{"aa": 3}, sizes); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	c.must(c.DeleteCannedAnswerSet(c.ctx, key("support")))
	c.must(c.DeleteCannedAnswerSet(c.ctx, key("support")))
	_, err = c.GetCannedFile(c.ctx, key("support"), "aa")
	wantErr(t, err, store.ErrNotFound)
	values("named: Named", "mail: The queue's", "list: List", "everywhere: Everybody's")
}
