package admission

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestTelephoneRules(t *testing.T) {
	for name, test := range map[string]struct {
		others    []client.Object
		telephone *v1alpha1.Telephone
		admission []string
		reconcile []string
	}{
		"alone":  {telephone: deskPhone("desk7", -1)},
		"itself": {others: []client.Object{deskPhone("desk7", 5)}, telephone: deskPhone("desk7", 5)},
		"older telephone": {
			others:    []client.Object{deskPhone("desk7", 9)},
			telephone: deskPhone("desk8", 5, signsInAs("desk7")),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Telephone desk7`},
			reconcile: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Telephone desk7`},
		},
		"younger telephone": {
			others:    []client.Object{deskPhone("desk7", 3)},
			telephone: deskPhone("desk8", 5, signsInAs("desk7")),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Telephone desk7`},
		},
		"older agent": {
			others:    []client.Object{agent("alice", 9, username("desk7"))},
			telephone: deskPhone("desk7", 5),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Agent alice`},
			reconcile: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Agent alice`},
		},
		"an agent of the same second comes first": {
			others:    []client.Object{agent("desk7", 5)},
			telephone: deskPhone("desk7", 5),
			admission: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Agent desk7`},
			reconcile: []string{`UsernameTaken spec.username: Duplicate value: username "desk7" belongs to Agent desk7`},
		},
		"another namespace": {
			others:    []client.Object{&v1alpha1.Telephone{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "desk7"}}},
			telephone: deskPhone("desk8", 5, signsInAs("desk7")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := reader(t, test.others...)
			problems, err := Checker{Reader: r}.Telephone(t.Context(), test.telephone)
			checkProblems(t, problems, err, test.admission)
			problems, err = Checker{Reader: r, Rivals: OlderHolder}.Telephone(t.Context(), test.telephone)
			checkProblems(t, problems, err, test.reconcile)
		})
	}
}
