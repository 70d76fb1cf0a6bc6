package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

func TestCenterNotices(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	pbx := func(name string, days int) v1alpha1.PBX {
		p := v1alpha1.PBX{ObjectMeta: metav1.ObjectMeta{Name: name}}
		p.Status.Certificate = &v1alpha1.PBXCertificate{NotAfter: &metav1.Time{Time: now.AddDate(0, 0, days)}}
		return p
	}
	account := func(name, imap, smtp string) v1alpha1.EmailAccount {
		e := v1alpha1.EmailAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for condition, reason := range map[string]string{v1alpha1.ConditionIMAPReady: imap, v1alpha1.ConditionSMTPReady: smtp} {
			e.Status.Conditions = append(e.Status.Conditions, metav1.Condition{Type: condition, Reason: reason, LastTransitionTime: metav1.Time{Time: now.AddDate(0, 0, -2)}})
		}
		return e
	}
	without := v1alpha1.PBX{ObjectMeta: metav1.ObjectMeta{Name: "without"}}
	notices, next := centerNotices(
		[]v1alpha1.PBX{pbx("later", 100), pbx("soon", 30), without, pbx("over", -1), pbx("next", 40)},
		[]v1alpha1.EmailAccount{account("fine", remote.ReasonReady, remote.ReasonReady), account("refused", remote.ReasonAuthenticationFailed, remote.ReasonReady),
			account("sends", remote.ReasonReady, remote.ReasonAuthorizationRequired)}, now)
	at := func(days int) metav1.Time { return metav1.Time{Time: now.AddDate(0, 0, days)} }
	want := []v1alpha1.CenterNotice{
		{Type: v1alpha1.NoticeAuthorizationRequired, Object: "EmailAccount/sends", Time: at(-2)},
		{Type: v1alpha1.NoticeCertificateExpires, Object: "PBX/over", Time: at(-1)},
		{Type: v1alpha1.NoticeCertificateExpires, Object: "PBX/soon", Time: at(30)},
	}
	if diff := cmp.Diff(want, notices); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if want := now.AddDate(0, 0, 10); !next.Equal(want) {
		t.Errorf("next look at %s, want %s", next, want)
	}
	if _, next := centerNotices(nil, nil, now); !next.IsZero() {
		t.Errorf("next look at %s", next)
	}
	many := make([]v1alpha1.PBX, maxNotices+1)
	for i := range many {
		many[i] = pbx("p", 1)
	}
	if notices, _ := centerNotices(many, nil, now); len(notices) != maxNotices {
		t.Errorf("%d notices", len(notices))
	}

	// What the center looks at again.
	soon, over, plain, refused := pbx("a", 30), pbx("a", -1), account("a", "", ""), account("a", remote.ReasonAuthorizationRequired, "")
	if !certificateChanged.Update(event.UpdateEvent{ObjectOld: &soon, ObjectNew: &over}) || certificateChanged.Update(event.UpdateEvent{ObjectOld: &soon, ObjectNew: &soon}) {
		t.Error("certificates")
	}
	if !authorizationChanged.Update(event.UpdateEvent{ObjectOld: &plain, ObjectNew: &refused}) || authorizationChanged.Update(event.UpdateEvent{ObjectOld: &refused, ObjectNew: &refused}) {
		t.Error("authorizations")
	}
}
