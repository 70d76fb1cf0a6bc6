package e2e

import (
	"context"
	"fmt"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

var _ = Describe("Extensions", func() {
	const (
		namespace = "extensions"
		count     = 200
	)

	create := func(ctx context.Context, name string) error {
		return cluster.Create(ctx, &v1alpha1.Agent{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.AgentSpec{FullName: "Agent " + name},
		})
	}
	// allocated returns who has which extension, of those that are Ready.
	allocated := func(ctx context.Context) (map[string]string, error) {
		var list v1alpha1.AgentList
		if err := cluster.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		owners := map[string]string{}
		for _, a := range list.Items {
			if meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
				owners[a.Status.Extension] = a.Name
			}
		}
		return owners, nil
	}

	It("are distinct, in range, enough and sticky", func(ctx SpecContext) {
		newCenter(ctx, namespace, `{extensions: {ranges: [{from: "3000", to: "3199"}]}}`)
		var g errgroup.Group
		g.SetLimit(40)
		for n := range count {
			g.Go(func() error { return create(ctx, fmt.Sprintf("agent%03d", n)) })
		}
		Expect(g.Wait()).To(Succeed())
		Eventually(allocated).WithArguments(ctx).WithPolling(time.Second).Should(HaveLen(count))
		owners, err := allocated(ctx)
		Expect(err).NotTo(HaveOccurred())
		for extension := range owners {
			number, err := strconv.Atoi(extension)
			Expect(err).NotTo(HaveOccurred())
			Expect(number).To(And(BeNumerically(">=", 3000), BeNumerically("<=", 3199)))
		}

		By("a range that is full")
		Expect(create(ctx, "late")).To(Succeed())
		Eventually(rows(ctx, namespace, "agents", "late")).Should(shows("EXT", "", "READY", "False", "REASON", v1alpha1.ReasonRangeFull))
		kubectl(ctx, "patch", "contactcenter", "center", "-n", namespace, "--type=merge", "-p",
			`{"spec":{"extensions":{"ranges":[{"from":"3000","to":"3199"},{"from":"500","to":"509"}]}}}`)
		Eventually(rows(ctx, namespace, "agents", "late")).Should(shows("EXT", "500", "READY", "True"))

		By("an agent that comes back")
		before := getAgent(ctx, namespace, "agent042").Status.Extension
		kubectl(ctx, "delete", "agent", "agent042", "-n", namespace, "--timeout="+patience.String())
		Expect(create(ctx, "another")).To(Succeed())
		Eventually(rows(ctx, namespace, "agents", "another")).Should(shows("EXT", "501", "READY", "True"))
		Expect(create(ctx, "agent042")).To(Succeed())
		Eventually(rows(ctx, namespace, "agents", "agent042")).Should(shows("EXT", before, "READY", "True"))
	}, SpecTimeout(patience*2))
})
