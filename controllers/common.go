package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// soon is the pause before an object is looked at again that waits for something no watch reports.
const soon = 5 * time.Second

// stallOn reports every problem as the reason why the condition does not hold, the first one wins.
func stallOn(s *scope, problems []admission.Problem, condition string) bool {
	if len(problems) == 0 {
		return false
	}
	messages := make([]string, 0, len(problems))
	for _, p := range problems {
		messages = append(messages, p.String())
	}
	s.stall(condition, problems[0].Reason, strings.Join(messages, "; "))
	return true
}

// splitProblems separates the problems of one field from the others.
func splitProblems(problems []admission.Problem, field string) (of, others []admission.Problem) {
	for _, p := range problems {
		if strings.HasPrefix(p.Field.String(), field) {
			of = append(of, p)
		} else {
			others = append(others, p)
		}
	}
	return of, others
}

// reportTaken turns the store's refusal of a value that another object holds into a condition.
func reportTaken(s *scope, err error, condition, reason string) bool {
	var taken *store.TakenError
	if !errors.As(err, &taken) {
		return false
	}
	s.stall(condition, reason, taken.Error())
	if !taken.Until.IsZero() {
		s.requeue(max(time.Until(taken.Until), soon))
	}
	return true
}

// errNoCenter: the namespace has no ContactCenter.
var errNoCenter = errors.New("the namespace has no ContactCenter")

// onlyCenter is the ContactCenter of the namespace: the oldest, if somebody made two.
func onlyCenter(ctx context.Context, c client.Reader, namespace string) (*v1alpha1.ContactCenter, error) {
	center, err := admission.Checker{Reader: c}.Center(ctx, namespace)
	if err == nil && center == nil {
		err = errNoCenter
	}
	return center, err
}

// theCenter is onlyCenter with its absence reported in the object's conditions.
func theCenter(ctx context.Context, c client.Reader, namespace string, s *scope) (*v1alpha1.ContactCenter, bool, error) {
	center, err := onlyCenter(ctx, c, namespace)
	if errors.Is(err, errNoCenter) {
		s.missing(v1alpha1.ReasonContactCenterMissing, fmt.Sprintf("namespace %s has no ContactCenter; create one", namespace))
		return nil, false, nil
	}
	return center, err == nil, err
}

func storeKey(o metav1.Object) store.Key {
	return store.Key{Namespace: o.GetNamespace(), Name: o.GetName()}
}

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// linkKey names a PBX on the link.
func linkKey(o metav1.Object) string { return o.GetNamespace() + "/" + o.GetName() }

// seconds is a time as Kubernetes keeps it.
func seconds(t time.Time) *metav1.Time {
	v := metav1.NewTime(t.Truncate(time.Second))
	return &v
}

// clip shortens s to at most n bytes, at the end of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// count is a number of things as a status keeps it.
func count(n int) int32 {
	return int32(min(n, 1<<30)) //nolint:gosec // bounded
}
