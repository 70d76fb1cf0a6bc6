package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestSummary(t *testing.T) {
	const condition = v1alpha1.ConditionSIPProvisioned
	for name, c := range map[string]struct {
		pass                 func(s *scope)
		ready                metav1.ConditionStatus
		reason               string
		reconciling, stalled bool
		wantRequeue          bool
	}{
		"all fine":              {func(s *scope) { s.ok(condition, "Provisioned", "") }, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, false, false, false},
		"a note does not count": {func(s *scope) { s.note("Registered", metav1.ConditionFalse, "NotRegistered", "") }, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, false, false, false},
		"own words":             {func(s *scope) { s.ready("Deactivated", "off") }, metav1.ConditionTrue, "Deactivated", false, false, false},
		"waiting":               {func(s *scope) { s.wait(condition, "WaitingForPBX", "") }, metav1.ConditionUnknown, "WaitingForPBX", true, false, false},
		"not known":             {func(s *scope) { s.unknown(condition, "Disconnected", "") }, metav1.ConditionUnknown, "Disconnected", true, false, false},
		"broken outside":        {func(s *scope) { s.fail(condition, "Rejected", "") }, metav1.ConditionFalse, "Rejected", false, false, false},
		"stalled beats waiting": {func(s *scope) {
			s.wait(condition, "WaitingForPBX", "")
			s.stall("ExtensionAllocated", "RangeFull", "")
			s.fail("InSync", "Rejected", "")
		}, metav1.ConditionFalse, "RangeFull", false, true, true},
		"the pass itself failed": {func(s *scope) { s.failed(errors.New("boom")) }, metav1.ConditionUnknown, v1alpha1.ReasonUnavailable, true, false, false},
		"paused":                 {func(s *scope) { s.pause() }, metav1.ConditionUnknown, v1alpha1.ReasonPaused, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScope(nil, 3)
			c.pass(s)
			var status v1alpha1.CommonStatus
			s.summarize(&status)
			is := ready(&status)
			if is.Status != c.ready || is.Reason != c.reason {
				t.Errorf("Ready is %s %s, want %s %s", is.Status, is.Reason, c.ready, c.reason)
			}
			if got := meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReconciling); got != c.reconciling {
				t.Errorf("Reconciling %v", got)
			}
			if got := meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled); got != c.stalled {
				t.Errorf("Stalled %v", got)
			}
			if (s.requeueAfter > 0) != c.wantRequeue {
				t.Errorf("requeue after %s", s.requeueAfter)
			}
		})
	}
}

// TestConditionInvariants: whatever the passes find, Ready is there, Reconciling and Stalled are only there while True and never
// together, and a pass that finds everything fine leaves nothing behind that an earlier one found.
func TestConditionInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var status v1alpha1.CommonStatus
		for range rapid.IntRange(1, 6).Draw(t, "passes") {
			s := newScope(status.Conditions, 1)
			kinds := rapid.SliceOf(rapid.IntRange(0, 7)).Draw(t, "findings")
			for i, k := range kinds {
				name := []string{"A", "B", "C"}[i%3]
				[]func(){
					func() { s.ok(name, "Ok", "") }, func() { s.note(name, metav1.ConditionFalse, "Note", "") },
					func() { s.wait(name, "Wait", "") }, func() { s.unknown(name, "Unknown", "") },
					func() { s.fail(name, "Fail", "") }, func() { s.stall(name, "Stall", strings.Repeat("é", 2000)) },
					func() { s.failed(context.DeadlineExceeded) }, func() { s.pause() },
				}[k]()
			}
			s.summarize(&status)
			checkConditions(t, status.Conditions)
			for _, c := range status.Conditions {
				if len(c.Message) > maxMessage {
					t.Fatalf("message of %s has %d bytes", c.Type, len(c.Message))
				}
			}
		}
		s := newScope(status.Conditions, 1)
		s.summarize(&status)
		if len(status.Conditions) != 1 || status.Conditions[0].Type != v1alpha1.ConditionReady {
			t.Fatalf("left behind: %+v", status.Conditions)
		}
	})
}

func checkConditions(t interface{ Fatalf(string, ...any) }, conditions []metav1.Condition) {
	if meta.FindStatusCondition(conditions, v1alpha1.ConditionReady) == nil {
		t.Fatalf("no Ready")
	}
	reconciling := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	stalled := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	if reconciling != nil && stalled != nil {
		t.Fatalf("Reconciling and Stalled together")
	}
	for _, c := range []*metav1.Condition{reconciling, stalled} {
		if c != nil && c.Status != metav1.ConditionTrue {
			t.Fatalf("%s is %s", c.Type, c.Status)
		}
	}
}

func TestRequeueTakesTheEarliestWish(t *testing.T) {
	s := newScope(nil, 1)
	s.requeue(time.Hour)
	s.requeue(time.Minute)
	s.requeue(2 * time.Hour)
	if s.requeueAfter < 54*time.Second || s.requeueAfter > 66*time.Second {
		t.Errorf("requeue after %s, want a minute give or take a tenth", s.requeueAfter)
	}
}

// besideReady wants a condition that is told and does not count for Ready.
func besideReady(t *testing.T, s *scope, want metav1.Condition) {
	t.Helper()
	var status v1alpha1.CommonStatus
	s.summarize(&status)
	got := meta.FindStatusCondition(status.Conditions, want.Type)
	if got == nil || got.Status != want.Status || got.Reason != want.Reason || got.Message != want.Message {
		t.Fatalf("%+v", got)
	}
	if is := ready(&status); is.Status != metav1.ConditionTrue {
		t.Fatalf("it counts for Ready: %+v", is)
	}
}
