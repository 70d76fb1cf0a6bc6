package controllers

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// severity is what a condition means for Ready.
type severity int

const (
	// fine: nothing to do.
	fine severity = iota
	// info: worth showing, does not count for Ready.
	info
	// waiting: expected to become fine without anybody's doing.
	waiting
	// broken: an outside part fails; retried, but somebody should look.
	broken
	// stalled: stays as it is until somebody changes something.
	stalled
)

// maxMessage is the longest condition message we write.
const maxMessage = 1024

// scope collects what one pass finds out about one object; conditions are computed from it in one place.
type scope struct {
	conditions   []metav1.Condition
	worst        severity
	why          metav1.Condition
	generation   int64
	requeueAfter time.Duration
	old          []metav1.Condition
	paused       bool
	readyReason  string
	readyMessage string
	happened     []happening
}

// happening is something that is over when it is seen, so that no condition shows it.
type happening struct{ eventType, reason, message string }

func newScope(old []metav1.Condition, generation int64) *scope {
	return &scope{old: old, generation: generation}
}

func (s *scope) set(sev severity, status metav1.ConditionStatus, condition, reason, message string) {
	message = clip(message, maxMessage)
	c := metav1.Condition{Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: s.generation}
	s.conditions = append(s.conditions, c)
	if sev > info && sev > s.worst {
		s.worst, s.why = sev, c
	}
}

// tell records an event once the status of this pass is written.
func (s *scope) tell(reason, message string) {
	s.happened = append(s.happened, happening{corev1.EventTypeNormal, reason, clip(message, maxMessage)})
}

// warn is tell for what somebody may have to do something about.
func (s *scope) warn(reason, message string) {
	s.happened = append(s.happened, happening{corev1.EventTypeWarning, reason, clip(message, maxMessage)})
}

// ok: the condition holds.
func (s *scope) ok(condition, reason, message string) {
	s.set(fine, metav1.ConditionTrue, condition, reason, message)
}

// note: the condition does not hold (or is not known), and that does not count for Ready.
func (s *scope) note(condition string, status metav1.ConditionStatus, reason, message string) {
	s.set(info, status, condition, reason, message)
}

// wait: the condition does not hold yet.
func (s *scope) wait(condition, reason, message string) {
	s.set(waiting, metav1.ConditionFalse, condition, reason, message)
}

// unknown: the part that knows cannot be asked.
func (s *scope) unknown(condition, reason, message string) {
	s.set(waiting, metav1.ConditionUnknown, condition, reason, message)
}

// keep leaves the condition as it was, because what it depends on cannot be known yet, and asks again soon.
func (s *scope) keep(condition string) {
	s.requeue(soon)
	old := meta.FindStatusCondition(s.old, condition)
	switch {
	case old == nil:
		s.unknown(condition, v1alpha1.ReasonProgressing, "not known yet")
	case old.Status == metav1.ConditionTrue:
		s.set(fine, old.Status, condition, old.Reason, old.Message)
	default:
		s.set(waiting, old.Status, condition, old.Reason, old.Message)
	}
}

// keepNote leaves a condition that does not count for Ready as it was, because what it depends on cannot be known now.
func (s *scope) keepNote(condition string) {
	if old := meta.FindStatusCondition(s.old, condition); old != nil {
		s.set(info, old.Status, condition, old.Reason, old.Message)
	}
}

// fail: an outside part refuses or does not answer; it is tried again.
func (s *scope) fail(condition, reason, message string) {
	s.set(broken, metav1.ConditionFalse, condition, reason, message)
}

// stall: only a change by somebody helps.
func (s *scope) stall(condition, reason, message string) {
	s.set(stalled, metav1.ConditionFalse, condition, reason, message)
	// References heal by watches; the slow poll is the net below them.
	s.requeue(10 * time.Minute)
}

// invalid stalls on a rule of the specification that err names with its field; it returns nil, for the pass has done what it can.
func (s *scope) invalid(condition string, err error) error {
	s.stall(condition, v1alpha1.ReasonInvalid, "spec."+err.Error())
	return nil
}

// missing: the object waits for another one that a watch reports.
func (s *scope) missing(reason, message string) {
	if waiting > s.worst {
		s.worst = waiting
		s.why = metav1.Condition{Reason: reason, Message: message}
	}
}

// ready replaces reason and message of a Ready that is True.
func (s *scope) ready(reason, message string) { s.readyReason, s.readyMessage = reason, message }

// requeue asks for another pass after d ±10 %, the earliest wish wins.
func (s *scope) requeue(d time.Duration) {
	s.within(d + time.Duration((rand.Float64()-0.5)*0.2*float64(d))) //nolint:gosec // jitter needs no secrecy
}

// within asks for another pass after d at the latest, without jitter: for what happens at a time.
func (s *scope) within(d time.Duration) {
	if s.requeueAfter == 0 || d < s.requeueAfter {
		s.requeueAfter = d
	}
}

// failed records a temporary error of the pass itself.
func (s *scope) failed(err error) {
	reason, message := v1alpha1.ReasonUnavailable, err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		message = "a part that this object needs did not answer in time; trying again"
	}
	s.missing(reason, message)
}

// pause leaves everything as it is and says so.
func (s *scope) pause() { s.paused = true }

// summarize writes the conditions: the ones of this pass, then Ready, Reconciling and Stalled.
// Conditions that this pass did not set are dropped, except after an early end, when nothing newer is known.
func (s *scope) summarize(status *v1alpha1.CommonStatus) {
	conditions := append([]metav1.Condition(nil), s.old...)
	if s.paused {
		s.put(&conditions, metav1.ConditionUnknown, v1alpha1.ConditionReady, v1alpha1.ReasonPaused,
			"reconciling is paused by the annotation "+v1alpha1.PausedAnnotation)
		meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionReconciling)
		meta.RemoveStatusCondition(&conditions, v1alpha1.ConditionStalled)
		status.Conditions = conditions
		return
	}
	seen := map[string]bool{v1alpha1.ConditionReady: true}
	for _, c := range s.conditions {
		seen[c.Type] = true
		meta.SetStatusCondition(&conditions, c)
	}
	s.putReady(&conditions, seen)
	if s.worst < waiting {
		for _, c := range s.old {
			if !seen[c.Type] {
				meta.RemoveStatusCondition(&conditions, c.Type)
			}
		}
	}
	status.Conditions = conditions
}

func (s *scope) putReady(conditions *[]metav1.Condition, seen map[string]bool) {
	present := map[string]bool{}
	switch s.worst {
	case stalled:
		s.put(conditions, metav1.ConditionFalse, v1alpha1.ConditionReady, s.why.Reason, s.why.Message)
		s.put(conditions, metav1.ConditionTrue, v1alpha1.ConditionStalled, s.why.Reason, s.why.Message)
		present[v1alpha1.ConditionStalled] = true
	case broken:
		s.put(conditions, metav1.ConditionFalse, v1alpha1.ConditionReady, s.why.Reason, s.why.Message)
	case waiting:
		s.put(conditions, metav1.ConditionUnknown, v1alpha1.ConditionReady, s.why.Reason, s.why.Message)
		s.put(conditions, metav1.ConditionTrue, v1alpha1.ConditionReconciling, s.why.Reason, s.why.Message)
		present[v1alpha1.ConditionReconciling] = true
	default:
		reason, message := s.readyReason, s.readyMessage
		if reason == "" {
			reason = v1alpha1.ReasonSucceeded
		}
		s.put(conditions, metav1.ConditionTrue, v1alpha1.ConditionReady, reason, message)
	}
	for _, t := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling} {
		seen[t] = true
		if !present[t] {
			meta.RemoveStatusCondition(conditions, t)
		}
	}
}

func (s *scope) put(conditions *[]metav1.Condition, status metav1.ConditionStatus, condition, reason, message string) {
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: condition, Status: status, Reason: reason, Message: message, ObservedGeneration: s.generation,
	})
}

// ready finds the Ready condition.
func ready(status *v1alpha1.CommonStatus) *metav1.Condition {
	return meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
}
