package cel

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

// People who have a built-in role in a namespace have it for the contact center too, for every kind and in that namespace only.
func TestRolesOfPeople(t *testing.T) {
	c := newClient(t)
	kubectl(t, nil, "apply", "-f", "../../config/rbac/human_roles.yaml")
	namespace, elsewhere := newNamespace(t, c), newNamespace(t, c)
	users := map[string]string{"admin": "adele", "edit": "edith", "view": "vera"}
	for role, user := range users {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		}
		if err := c.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
	}
	var crds apiextensionsv1.CustomResourceDefinitionList
	if err := c.List(t.Context(), &crds); err != nil {
		t.Fatal(err)
	}
	for _, crd := range crds.Items {
		resource := crd.Spec.Names.Plural
		for _, rule := range []struct{ verb, subresource, may string }{
			{"get", "", "admin edit view"}, {"list", "", "admin edit view"}, {"watch", "", "admin edit view"}, {"get", "status", "admin edit view"},
			{"create", "", "admin edit"}, {"update", "", "admin edit"}, {"patch", "", "admin edit"}, {"delete", "", "admin edit"},
			{"deletecollection", "", "admin"}, {"update", "status", ""}, {"patch", "status", ""},
		} {
			for role, user := range users {
				NewWithT(t).Eventually(func() (bool, error) {
					return may(t, c, user, namespace, rule.verb, resource, rule.subresource)
				}).WithTimeout(timeout).Should(Equal(contains(rule.may, role)), fmt.Sprintf("%s: %s %s/%s", role, rule.verb, resource, rule.subresource))
			}
		}
		if ok, err := may(t, c, users["admin"], elsewhere, "get", resource, ""); ok || err != nil {
			t.Errorf("the admin of one namespace may get %s in another (%v)", resource, err)
		}
	}
}

func may(t *testing.T, c client.Client, user, namespace, verb, resource, subresource string) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: verb, Group: "ringmaster.dev", Resource: resource, Subresource: subresource,
		},
	}}
	err := c.Create(t.Context(), review)
	return review.Status.Allowed, err
}

// kubectl runs the real one and fails the test when it does.
func kubectl(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	out, err := env.Temp(t).Kubectl(t.Context(), env.Control(t), stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
