package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

var _ = Describe("A thousand agents applied in one go", func() {
	const (
		count   = 1000
		ready   = 4 * time.Minute
		reloads = 3
		settled = 12 * time.Second // statuses follow what happens within ten
		idle    = time.Minute
	)

	It("are Ready after few reloads, and then nothing is written", func(ctx SpecContext) {
		ranges := func(ctx context.Context, spec string) {
			kubectl(ctx, "patch", "contactcenter", "acme", "-n", center, "--type=merge", "-p", `{"spec":{"extensions":`+spec+`}}`)
		}
		// The numbers of the samples stay free for others.
		ranges(ctx, `{"ranges":[{"from":"20000","to":"29999"},{"from":"1000","to":"1999"}]}`)
		DeferCleanup(func(ctx SpecContext) {
			clean(ctx, center)
			ranges(ctx, `{"ranges":[{"from":"1000","to":"1999"}]}`)
		}, NodeTimeout(ready))
		file := filepath.Join(stack.Env.Dir, "thousand.yaml")
		var manifests []string
		for n := range count {
			manifests = append(manifests, signIn(fmt.Sprintf("agent%04d", n)))
		}
		Expect(os.WriteFile(file, []byte(strings.Join(manifests, "\n---\n")), 0o600)).To(Succeed())

		before, begin := reloadCount(), time.Now()
		kubectl(ctx, "apply", "--server-side", "-n", center, "-f", file)
		applied := time.Since(begin)
		Eventually(readyAgents).WithArguments(ctx).WithTimeout(ready).WithPolling(500 * time.Millisecond).Should(Equal(count))
		took, used := time.Since(begin), reloadCount()-before
		AddReportEntry("applied", applied.Round(time.Second).String())
		AddReportEntry("all Ready", took.Round(time.Second).String())
		AddReportEntry("reloads of Asterisk", used)
		GinkgoWriter.Printf("applied in %s, all Ready after %s, %d reloads\n", applied, took, used)
		// A flood is held for a minute at most, and a machine busy with other tests needs minutes to apply it, with pauses that look like its end.
		Expect(used).To(BeNumerically("<=", max(reloads, 2+int(applied/(20*time.Second)))))
		Expect(registered(ctx, fmt.Sprintf("agent%04d", count/2)).Unregister(ctx)).To(Succeed())

		By("a minute in which nothing happens")
		// Statuses follow the registration just seen within ten seconds.
		Eventually(rows(ctx, center, "agents", fmt.Sprintf("agent%04d", count/2))).Should(shows("PHONE", "Unregistered"))
		last, since := writes(ctx), time.Now()
		Eventually(func() time.Duration {
			if now := writes(ctx); len(growth(last, now)) > 0 {
				last, since = now, time.Now()
			}
			return time.Since(since)
		}).WithPolling(time.Second).Should(BeNumerically(">", settled), "statuses have followed")
		was, versions := writes(ctx), resourceVersions(ctx)
		Consistently(func() map[string]float64 { return growth(was, writes(ctx)) }).
			WithTimeout(idle).WithPolling(5 * time.Second).Should(BeEmpty())
		Expect(resourceVersions(ctx)).To(Equal(versions))

		By("deleting all of them again")
		before, begin = reloadCount(), time.Now()
		kubectl(ctx, "delete", "-n", center, "-f", file, "--wait=false")
		Eventually(func() (int, error) {
			var list v1alpha1.AgentList
			err := cluster.List(ctx, &list, client.InNamespace(center))
			return len(list.Items), err
		}).WithTimeout(ready).WithPolling(500 * time.Millisecond).Should(BeZero())
		used = reloadCount() - before
		AddReportEntry("deleted", time.Since(begin).Round(time.Second).String())
		AddReportEntry("reloads of Asterisk while deleting", used)
		GinkgoWriter.Printf("deleted in %s, %d reloads\n", time.Since(begin), used)
		Expect(used).To(BeNumerically("<", 30), "not one for each")
		Eventually(rows(ctx, center, "pbxes", "main")).Should(shows("ENDPOINTS", "0", "READY", "True"))
	}, SpecTimeout(15*time.Minute))
})

// reloadCount is how often Asterisk has reloaded its SIP configuration, as its own log says.
func reloadCount() int {
	GinkgoHelper()
	raw, err := os.ReadFile(filepath.Join(stack.Asterisk.LogDir, "messages.log"))
	Expect(err).NotTo(HaveOccurred())
	return strings.Count(string(raw), "Reloading module 'res_pjsip.so'")
}

func readyAgents(ctx context.Context) (n int, err error) {
	var list v1alpha1.AgentList
	err = cluster.List(ctx, &list, client.InNamespace(center))
	for _, a := range list.Items {
		if meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
			n++
		}
	}
	return n, err
}

// writes counts the API server's mutating requests by verb and resource. Leases are what a living manager renews, reviews
// store nothing, and Ringmaster's events are those of events.k8s.io: Kubernetes itself repeats in the older ones that the
// volume of config/default finds no disk here.
func writes(ctx context.Context) map[string]float64 {
	GinkgoHelper()
	counts := map[string]float64{}
	for line := range strings.Lines(kubectl(ctx, "get", "--raw", "/metrics")) {
		if !strings.HasPrefix(line, "apiserver_request_total{") {
			continue
		}
		labels, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		verb, group, resource := label(labels, "verb"), label(labels, "group"), label(labels, "resource")
		if slices.Contains([]string{"GET", "LIST", "WATCH", "CONNECT"}, verb) {
			continue
		}
		switch group + "/" + resource {
		case "coordination.k8s.io/leases", "authentication.k8s.io/tokenreviews", "authorization.k8s.io/subjectaccessreviews", "/events":
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		Expect(err).NotTo(HaveOccurred())
		counts[verb+" "+group+"/"+resource+" "+label(labels, "subresource")] += n
	}
	Expect(counts).NotTo(BeEmpty())
	return counts
}

func label(labels, name string) string {
	_, rest, _ := strings.Cut(labels, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func growth(before, after map[string]float64) map[string]float64 {
	grown := map[string]float64{}
	for key, n := range after {
		if n > before[key] {
			grown[key] = n - before[key]
		}
	}
	return grown
}

// resourceVersions of everything of the center.
func resourceVersions(ctx context.Context) map[string]string {
	GinkgoHelper()
	versions := map[string]string{}
	for _, list := range []client.ObjectList{
		&v1alpha1.AgentList{}, &v1alpha1.QueueList{}, &v1alpha1.TeamList{}, &v1alpha1.EmailAccountList{}, &v1alpha1.PBXList{},
		&v1alpha1.ContactCenterList{}, &corev1.SecretList{}, &corev1.EventList{},
	} {
		Expect(cluster.List(ctx, list, client.InNamespace(center))).To(Succeed())
		Expect(meta.EachListItem(list, func(o runtime.Object) error {
			m := o.(client.Object)
			versions[fmt.Sprintf("%T/%s", o, m.GetName())] = m.GetResourceVersion()
			return nil
		})).To(Succeed())
	}
	return versions
}
