package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

func TestRoutingRules(t *testing.T) {
	d := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	center := v1alpha1.CenterRouting{MaxAssignmentAge: d(time.Hour)}
	for name, tc := range map[string]struct {
		replies  v1alpha1.EmailReplies
		center   v1alpha1.CenterRouting
		transfer v1alpha1.EmailTransfer
		want     routing.Rules
	}{
		"nothing said": {want: routing.Rules{Model: routing.ModelAssigned, MaxAssignmentAge: 2160 * time.Hour}},
		"Assigned": {
			replies: v1alpha1.EmailReplies{
				Model: v1alpha1.RoutingAssigned, ReplyPriority: v1alpha1.RepliesFirst, AssignedAgentTimeout: d(4 * time.Hour),
				TimeoutAction: v1alpha1.EndRouting, InactivityTimeout: d(72 * time.Hour),
			},
			center: center,
			want: routing.Rules{Model: routing.ModelAssigned, RepliesFirst: true, AssignedAgentTimeout: 4 * time.Hour, EndRouting: true,
				InactivityTimeout: 72 * time.Hour, MaxAssignmentAge: time.Hour},
		},
		"transfers": {
			center: center,
			transfer: v1alpha1.EmailTransfer{
				ToQueue:   v1alpha1.TimedTransfer{State: v1alpha1.Allowed, Timeout: d(time.Minute)},
				ToAgent:   v1alpha1.TimedTransfer{State: v1alpha1.Denied},
				ToAccount: v1alpha1.AccountTransfer{State: v1alpha1.Allowed, AccountRefs: []v1alpha1.ObjectReference{{Name: "sales"}}},
			},
			want: routing.Rules{Model: routing.ModelAssigned, MaxAssignmentAge: time.Hour, TransferToQueue: time.Minute, TransferToAccounts: []string{"sales"}},
		},
		"Legacy by default": {
			replies: v1alpha1.EmailReplies{Model: v1alpha1.RoutingLegacy, ReplyPriority: v1alpha1.RepliesFIFO, TimeoutAction: v1alpha1.ReturnToLastQueue},
			center:  center,
			want: routing.Rules{Model: routing.ModelLegacy, AssignedAgentWait: 10 * time.Second, AssignedQueueWait: 10 * time.Second,
				MaxAssignmentAge: time.Hour},
		},
		"Legacy": {
			replies: v1alpha1.EmailReplies{Model: v1alpha1.RoutingLegacy, Legacy: &v1alpha1.LegacyRouting{
				AssignedAgentWait: d(time.Second), AssignedQueueWait: d(2147483 * time.Second)}},
			center: center,
			want: routing.Rules{Model: routing.ModelLegacy, AssignedAgentWait: time.Second, AssignedQueueWait: 2147483 * time.Second,
				MaxAssignmentAge: time.Hour},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := &v1alpha1.EmailAccount{Spec: v1alpha1.EmailAccountSpec{Transfer: tc.transfer, Routing: v1alpha1.EmailRouting{EmailReplies: tc.replies}}}
			got := routingRules(e, &v1alpha1.ContactCenter{Spec: v1alpha1.ContactCenterSpec{Routing: tc.center}})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
}
