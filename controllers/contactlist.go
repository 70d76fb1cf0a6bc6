package controllers

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// contactListKind records a ContactList and shows how many contacts it has.
type contactListKind struct{ store contactStore }

type contactStore interface {
	PutContactList(ctx context.Context, l store.ContactList) error
	DeleteContactList(ctx context.Context, key store.Key) error
	PurgeContacts(ctx context.Context, list store.Key) error
	CountContacts(ctx context.Context, list store.Key) (int64, error)
}

func (k *contactListKind) NeedsFinalizer() bool { return true }

func (k *contactListKind) Reconcile(ctx context.Context, l *v1alpha1.ContactList, s *scope) error {
	key := storeKey(l)
	if err := k.store.PutContactList(ctx, store.ContactList{Key: key, DisplayName: displayName(l.Spec.DisplayName, l.Name)}); err != nil {
		return fmt.Errorf("recording the list: %w", err)
	}
	n, err := k.store.CountContacts(ctx, key)
	if err != nil {
		return fmt.Errorf("counting contacts: %w", err)
	}
	l.Status.Contacts = n
	s.ready(v1alpha1.ReasonSucceeded, "accounts may store their contacts here")
	return nil
}

// Finalize lets nobody in any more before it purges.
func (k *contactListKind) Finalize(ctx context.Context, l *v1alpha1.ContactList) (bool, error) {
	key := storeKey(l)
	err := k.store.DeleteContactList(ctx, key)
	if err == nil && l.Spec.DeletionPolicy == v1alpha1.ContactsPurge {
		err = k.store.PurgeContacts(ctx, key)
	}
	return err == nil, err
}

// contactListOf is the name of the list that an account's contacts go to, its own or the center's; empty: they go nowhere.
func contactListOf(e *v1alpha1.EmailAccount, center *v1alpha1.ContactCenter) (name, field string) {
	switch {
	case e.Spec.ContactListRef != nil:
		return e.Spec.ContactListRef.Name, "spec.contactListRef"
	case center.Spec.Email.ContactListRef != nil:
		return center.Spec.Email.ContactListRef.Name, "spec.email.contactListRef of the ContactCenter"
	}
	return "", ""
}

// showContactList says whether the account's contacts are stored. Mail is fetched and answered without, so it does not count for Ready.
func (k *accountKind) showContactList(ctx context.Context, e *v1alpha1.EmailAccount, center *v1alpha1.ContactCenter, s *scope) error {
	name, field := contactListOf(e, center)
	if name == "" {
		return nil
	}
	var l v1alpha1.ContactList
	err := k.Get(ctx, types.NamespacedName{Namespace: e.Namespace, Name: name}, &l)
	switch {
	case apierrors.IsNotFound(err) || err == nil && !l.DeletionTimestamp.IsZero():
		s.note(v1alpha1.ConditionContactListFound, metav1.ConditionFalse, v1alpha1.ReasonReferenceMissing,
			field+": ContactList "+name+" does not exist; who writes becomes no contact until it does")
	case err != nil:
		return fmt.Errorf("reading ContactList %s: %w", name, err)
	default:
		s.note(v1alpha1.ConditionContactListFound, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "who writes becomes a contact of ContactList "+name)
	}
	return nil
}

// +kubebuilder:rbac:groups=ringmaster.dev,resources=contactlists,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=ringmaster.dev,resources=contactlists/status,verbs=patch

func (w *wiring) addContactLists() error {
	return w.build("contactlist").For(&v1alpha1.ContactList{}, builder.WithPredicates(ours)).
		WatchesRawSource(w.contactLists.source()).
		Complete(newLoop[v1alpha1.ContactList](w, &contactListKind{store: w.o.Store}))
}
