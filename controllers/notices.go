package controllers

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

const (
	// noticeBefore is how long before its end a certificate is announced.
	noticeBefore = 30 * 24 * time.Hour
	// maxNotices is how many a status has.
	maxNotices = 50
)

// centerNotices are what has to be renewed in a center, the soonest first, and when the next one is due; zero for never.
func centerNotices(pbxes []v1alpha1.PBX, accounts []v1alpha1.EmailAccount, now time.Time) (notices []v1alpha1.CenterNotice, next time.Time) {
	for i := range pbxes {
		c := pbxes[i].Status.Certificate
		if c == nil || c.NotAfter == nil {
			continue
		}
		if due := c.NotAfter.Add(-noticeBefore); now.Before(due) {
			if next.IsZero() || due.Before(next) {
				next = due
			}
			continue
		}
		notices = append(notices, v1alpha1.CenterNotice{Type: v1alpha1.NoticeCertificateExpires, Object: "PBX/" + pbxes[i].Name, Time: *c.NotAfter})
	}
	for i := range accounts {
		if since := refusedAuthorization(&accounts[i]); since != nil {
			notices = append(notices, v1alpha1.CenterNotice{Type: v1alpha1.NoticeAuthorizationRequired, Object: "EmailAccount/" + accounts[i].Name, Time: *since})
		}
	}
	slices.SortFunc(notices, func(a, b v1alpha1.CenterNotice) int {
		return cmp.Or(a.Time.Compare(b.Time.Time), cmp.Compare(a.Object, b.Object))
	})
	return notices[:min(len(notices), maxNotices)], next
}

// refusedAuthorization is since when the account's provider wants to be asked again; nil while it does not.
func refusedAuthorization(e *v1alpha1.EmailAccount) *metav1.Time {
	for _, condition := range []string{v1alpha1.ConditionIMAPReady, v1alpha1.ConditionSMTPReady} {
		if c := meta.FindStatusCondition(e.Status.Conditions, condition); c != nil && c.Reason == remote.ReasonAuthorizationRequired {
			return &c.LastTransitionTime
		}
	}
	return nil
}

// certificateChanged passes PBXes that come, go, or serve another certificate.
var certificateChanged = predicate.Or(bornOrGone, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, after := e.ObjectOld.(*v1alpha1.PBX).Status.Certificate, e.ObjectNew.(*v1alpha1.PBX).Status.Certificate
	return (before == nil) != (after == nil) || before != nil && !before.NotAfter.Equal(after.NotAfter)
}})

// authorizationChanged passes accounts that come, go, or whose provider's mind changes.
var authorizationChanged = predicate.Or(bornOrGone, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	return !refusedAuthorization(e.ObjectOld.(*v1alpha1.EmailAccount)).Equal(refusedAuthorization(e.ObjectNew.(*v1alpha1.EmailAccount)))
}})
