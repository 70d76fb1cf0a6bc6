package controllers

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// An account stores its contacts in its own list, else in the center's, and its condition says whether there is one.
func TestContactListOfAccounts(t *testing.T) {
	scheme := runtime.NewScheme()
	must(t, v1alpha1.AddToScheme(scheme))
	list := &v1alpha1.ContactList{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "customers"}}
	going := &v1alpha1.ContactList{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "going", Finalizers: []string{"test"}}}
	k := &accountKind{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(list, going).Build()}
	must(t, k.Delete(t.Context(), going))
	ref := func(name string) *v1alpha1.ObjectReference {
		if name == "" {
			return nil
		}
		return &v1alpha1.ObjectReference{Name: name}
	}
	for name, test := range map[string]struct {
		own, center, want string
		reason            string // of the condition; empty: it is not there
	}{
		"none":            {},
		"its own":         {own: "customers", want: "customers", reason: v1alpha1.ReasonSucceeded},
		"the center's":    {center: "customers", want: "customers", reason: v1alpha1.ReasonSucceeded},
		"its own first":   {own: "vip", center: "customers", want: "vip", reason: v1alpha1.ReasonReferenceMissing},
		"being deleted":   {own: "going", want: "going", reason: v1alpha1.ReasonReferenceMissing},
		"center's is not": {center: "vip", want: "vip", reason: v1alpha1.ReasonReferenceMissing},
	} {
		t.Run(name, func(t *testing.T) {
			e, center := opsAccount(), &v1alpha1.ContactCenter{}
			e.Spec.ContactListRef, center.Spec.Email.ContactListRef = ref(test.own), ref(test.center)
			if got, _ := contactListOf(e, center); got != test.want {
				t.Errorf("list %q, want %q", got, test.want)
			}
			s := newScope(nil, 1)
			must(t, k.showContactList(t.Context(), e, center, s))
			s.summarize(e.CommonStatus())
			got := ""
			if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionContactListFound); c != nil {
				got = c.Reason
			}
			if ready := meta.IsStatusConditionTrue(e.Status.Conditions, v1alpha1.ConditionReady); got != test.reason || !ready {
				t.Errorf("reason %q, want %q; Ready %t", got, test.reason, ready)
			}
		})
	}
}

// contactLists notes what is asked of a store.
type contactLists struct{ asked []string }

func (c *contactLists) PutContactList(_ context.Context, l store.ContactList) error {
	c.asked = append(c.asked, "put "+l.DisplayName)
	return nil
}

func (c *contactLists) DeleteContactList(context.Context, store.Key) error {
	c.asked = append(c.asked, "delete")
	return nil
}

func (c *contactLists) PurgeContacts(context.Context, store.Key) error {
	c.asked = append(c.asked, "purge")
	return nil
}

func (c *contactLists) CountContacts(context.Context, store.Key) (int64, error) { return 3, nil }

func TestContactListLife(t *testing.T) {
	for policy, want := range map[v1alpha1.ContactDeletionPolicy][]string{
		v1alpha1.ContactsRetain: {"put customers", "delete"},
		v1alpha1.ContactsPurge:  {"put customers", "delete", "purge"}, // in this order: nobody comes in behind
	} {
		c := &contactLists{}
		k := &contactListKind{store: c}
		l := &v1alpha1.ContactList{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "customers"}, Spec: v1alpha1.ContactListSpec{DeletionPolicy: policy}}
		s := newScope(nil, 1)
		must(t, k.Reconcile(t.Context(), l, s))
		s.summarize(l.CommonStatus())
		if l.Status.Contacts != 3 || !meta.IsStatusConditionTrue(l.Status.Conditions, v1alpha1.ConditionReady) {
			t.Errorf("status %+v", l.Status)
		}
		if done, err := k.Finalize(t.Context(), l); !done || err != nil {
			t.Errorf("finalized %t, %v", done, err)
		}
		if d := cmp.Diff(want, c.asked); d != "" {
			t.Errorf("%s (-want +got):\n%s", policy, d)
		}
	}
}
