// Package e2e runs Ringmaster as its users do, by kubectl, SIP phones, mails and the desk API, on a real control plane, Asterisk,
// Dovecot, Postfix and PostgreSQL. One environment serves all specs; each cleans up behind itself.
package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// center is the namespace with the PBX. Specs that need no PBX make centers of their own.
const center = env.CenterNamespace

// patience is how long anything that happens by itself may take, on a machine busy with other tests.
const patience = 2 * time.Minute

var (
	stack *env.Stack
	// cluster acts as administrator.
	cluster client.Client
	// authorities are behind every TLS server, in PEM.
	authorities []byte
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "End to end")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	dir, err := os.MkdirTemp("", "rm-e2e-") // short: Unix sockets live in it
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, dir)
	stack, err = env.Up(ctx, dir, env.StackOptions{}, env.Progress(GinkgoWriter))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() error { return stack.Down() })

	Expect(v1alpha1.AddToScheme(clientgoscheme.Scheme)).To(Succeed())
	cluster, err = client.New(stack.Control.Config, client.Options{Scheme: clientgoscheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	authorities, err = os.ReadFile(stack.Vars["RINGMASTER_CA"])
	Expect(err).NotTo(HaveOccurred())
}, NodeTimeout(5*time.Minute))

// What a failed spec leaves to read.
var _ = JustAfterEach(func(ctx SpecContext) {
	if !CurrentSpecReport().Failed() || stack == nil {
		return
	}
	for _, args := range [][]string{
		{"get", "agents,teams,queues,emailaccounts,pbxes", "-A", "-o", "wide"},
		{"get", "events", "-A"},
	} {
		out, err := stack.Env.Kubectl(context.WithoutCancel(ctx), stack.Control, nil, args...)
		if err != nil {
			out = err.Error()
		}
		AddReportEntry("kubectl "+args[1], tail(out, 60))
	}
	for _, file := range []string{stack.Manager.LogFile(), stack.PBXlet.LogFile(), filepath.Join(stack.Asterisk.LogDir, "messages.log")} {
		raw, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			raw = []byte(err.Error())
		}
		AddReportEntry(file, tail(string(raw), 60))
	}
})
