package controllers

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// TestExpiredPasswordWithdrawsThePhone: where the center says so, and as long as the password is not changed.
func TestExpiredPasswordWithdrawsThePhone(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice-sip"}, Data: map[string][]byte{sipPassword: []byte("Copper-Lantern-58")}}
	model := voiceModel{reader: fake.NewClientBuilder().WithObjects(secret).Build()}
	pbx := &v1alpha1.PBX{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "main"}}
	agent := func(status metav1.ConditionStatus) *v1alpha1.Agent {
		a := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice"}}
		a.Status.Extension = "1001"
		if status != "" {
			a.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPasswordExpired, Status: status}}
		}
		return a
	}
	fresh, expiring, expired := agent(""), agent(metav1.ConditionFalse), agent(metav1.ConditionTrue)
	for _, c := range []struct {
		action v1alpha1.ExpiredPasswordAction
		agent  *v1alpha1.Agent
		gone   bool
	}{
		{v1alpha1.KeepPhone, expired, false}, {"", expired, false},
		{v1alpha1.WithdrawPhone, fresh, false}, {v1alpha1.WithdrawPhone, expiring, false}, {v1alpha1.WithdrawPhone, expired, true},
	} {
		center := &v1alpha1.ContactCenter{}
		center.Spec.Security.ExpiredPasswordAction = c.action
		e, err := model.endpoint(t.Context(), pbx, c.agent, surroundings{centerRules: rulesOf(center)})
		if errors.Is(err, errNotProvisionable) != c.gone || !c.gone && (err != nil || e.Extension != "1001") {
			t.Errorf("%s, %+v: endpoint %q, %v", c.action, c.agent.Status.Conditions, e.Extension, err)
		}
		if rulesOf(center).withdrawn(c.agent) != c.gone {
			t.Errorf("%s, %+v: withdrawn is not %v", c.action, c.agent.Status.Conditions, c.gone)
		}
	}
	// The files of a PBX are written anew when it ends and when it is changed, not when a warning begins.
	for _, c := range []struct {
		before, after *v1alpha1.Agent
		want          bool
	}{{expiring, expired, true}, {expired, fresh, true}, {fresh, expiring, false}} {
		if got := endpointChanged.Update(event.UpdateEvent{ObjectOld: c.before, ObjectNew: c.after}); got != c.want {
			t.Errorf("%+v to %+v: %v", c.before.Status.Conditions, c.after.Status.Conditions, got)
		}
	}
}
