package admission

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Rivals says which other holders of a value that must be unique count.
type Rivals int

const (
	// AnyHolder counts every other object: the rule at admission.
	AnyHolder Rivals = iota
	// OlderHolder counts only objects that come first: the rule in a reconcile, where both already exist and exactly one
	// of them must win. An extension in use comes before one that is only asked for; then the older object does, then the
	// one whose kind and name sort first.
	OlderHolder
)

// Checker asks the rules. The zero Rivals is that of admission.
type Checker struct {
	// Reader is the manager's cached client, with the indexes of RegisterIndexes.
	Reader client.Reader
	// Rivals that count.
	Rivals Rivals
}

// claim is an object's hold on a value that must be unique.
type claim struct {
	kind, name string
	created    metav1.Time
	inUse      bool
}

func claimOf(kind string, object client.Object) claim {
	return claim{kind: kind, name: object.GetName(), created: object.GetCreationTimestamp()}
}

func (c claim) String() string { return c.kind + " " + c.name }

func (c claim) compare(o claim) int {
	if c.inUse != o.inUse {
		if c.inUse {
			return -1
		}
		return 1
	}
	return cmp.Or(c.created.Compare(o.created.Time), cmp.Compare(c.kind, o.kind), cmp.Compare(c.name, o.name))
}

// rival returns the first of the other claims that counts against self.
func (c Checker) rival(self claim, others []claim) (claim, bool) {
	others = slices.DeleteFunc(others, func(o claim) bool {
		return o.kind == self.kind && o.name == self.name || c.Rivals == OlderHolder && o.compare(self) > 0
	})
	if len(others) == 0 {
		return claim{}, false
	}
	return slices.MinFunc(others, claim.compare), true
}

// unique is the problem of a value that somebody else holds.
func (c Checker) unique(self claim, others []claim, path *field.Path, reason, what string) []Problem {
	holder, taken := c.rival(self, others)
	if !taken {
		return nil
	}
	return []Problem{{path, field.ErrorTypeDuplicate, reason, fmt.Sprintf("%s belongs to %s", what, holder)}}
}

// Center returns the ContactCenter of a namespace, the one that came first if there are several, and nil if there is none.
func (c Checker) Center(ctx context.Context, namespace string) (*v1alpha1.ContactCenter, error) {
	var list v1alpha1.ContactCenterList
	if err := c.Reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list ContactCenters: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(list.Items, func(a, b v1alpha1.ContactCenter) int {
		return claimOf(kindCenter, &a).compare(claimOf(kindCenter, &b))
	})
	return &first, nil
}

// ContactCenter checks that a namespace has only one.
func (c Checker) ContactCenter(ctx context.Context, center *v1alpha1.ContactCenter) ([]Problem, error) {
	var list v1alpha1.ContactCenterList
	if err := c.Reader.List(ctx, &list, client.InNamespace(center.Namespace)); err != nil {
		return nil, fmt.Errorf("list ContactCenters: %w", err)
	}
	others := make([]claim, 0, len(list.Items))
	for i := range list.Items {
		others = append(others, claimOf(kindCenter, &list.Items[i]))
	}
	return c.unique(claimOf(kindCenter, center), others, field.NewPath("metadata", "namespace"), v1alpha1.ReasonContactCenterAmbiguous,
		fmt.Sprintf("a namespace holds exactly one ContactCenter, and %q", center.Namespace)), nil
}

const (
	kindAgent     = "Agent"
	kindProfile   = "AgentProfile"
	kindQueue     = "Queue"
	kindAccount   = "EmailAccount"
	kindCenter    = "ContactCenter"
	kindTeam      = "Team"
	kindTelephone = "Telephone"
	kindPBX       = "PBX"
	kindTemplate  = "MessageTemplate"
	kindSchedule  = "Schedule"
	kindFlow      = "RoutingFlow"
)
