package e2e

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

// How calls themselves behave is tested in test/calls on rendered files. These specs are about the way from a manifest and the desk to them.
var _ = Describe("An agent's calls", func() {
	AfterEach(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))

	It("follow the client settings: pause, forwarding, and what is forbidden", func(ctx SpecContext) {
		apply(ctx, center,
			signIn("paula", `extension: "1811"`, "phonebar: {callForwarding: {unconditional: Allowed}}", "loginState: Paused"),
			agent("quin", `extension: "1812"`), agent("ralf", `extension: "1813"`))
		awaitReady(ctx, center, "agent/paula", "agent/quin", "agent/ralf")
		paula, quin, ralf := registered(ctx, "paula"), registered(ctx, "quin"), registered(ctx, "ralf")

		By("login in pause, which refuses direct calls")
		d := atDesk(ctx, center, "paula")
		Eventually(rows(ctx, center, "agents", "paula")).Should(shows("PRESENCE", "Paused", "PHONE", "Registered"))
		Eventually(func() error { _, err := quin.Call(ctx, "1811"); return refusal(err) }).Should(Succeed())
		rung := paula.Rings()
		Expect(refusal(quin.Register(ctx))).NotTo(Succeed(), "quin's own phone is not concerned")
		Expect(d.SetPresence(ctx, desk.PresenceReady, "")).To(Succeed())
		Eventually(func() error { return called(ctx, quin, "1811") }).Should(Succeed())
		Expect(paula.Rings()).To(Equal(rung + 1))

		By("forwarding")
		Expect(d.Forward(ctx, "1813")).To(Succeed())
		Eventually(func() int { _ = called(ctx, quin, "1811"); return ralf.Rings() }).Should(BeNumerically(">", 0))
		Expect(d.Forward(ctx, "*711812")).To(problem(http.StatusForbidden, desk.CodeNumberForbidden))

		By("the center forbidding the number that is set already")
		kubectl(ctx, "patch", "contactcenter", "--type=merge", "-n", center, "-p", `{"spec":{"voice":{"forbiddenForwardPrefixes":["181"]}}}`, "acme")
		DeferCleanup(func(ctx SpecContext) {
			kubectl(ctx, "patch", "contactcenter", "--type=merge", "-n", center, "-p", `{"spec":{"voice":null}}`, "acme")
		})
		Eventually(func() (string, error) {
			p, err := d.Profile(ctx)
			return strings.Join(p.Client.ForbiddenPrefixes, ","), err
		}).Should(Equal("181"))
		Expect(d.Forward(ctx, "1812")).To(problem(http.StatusForbidden, desk.CodeNumberForbidden))
		before := paula.Rings()
		Eventually(func() int { _ = called(ctx, quin, "1811"); return paula.Rings() }).Should(BeNumerically(">", before), "it rings at paula's again")
	}, SpecTimeout(patience*3))

	It("are recorded, and the desk pauses, resumes and begins another file", func(ctx SpecContext) {
		apply(ctx, center, signIn("rita", `extension: "1821"`, "sip: {recording: {format: Wav}}"), agent("sven", `extension: "1822"`))
		awaitReady(ctx, center, "agent/rita", "agent/sven")
		rita, sven := registered(ctx, "rita"), registered(ctx, "sven")
		d := atDesk(ctx, center, "rita")
		events, err := d.Events(ctx, "")
		Expect(err).NotTo(HaveOccurred())

		call := talk(ctx, sven, "1821")
		Expect(rita.Rings()).To(Equal(1))
		var active desk.Call
		Eventually(func() (string, error) {
			calls, err := d.Calls(ctx, "state=Ringing,Up")
			if err != nil || len(calls) != 1 {
				return "", err
			}
			active = calls[0]
			return string(active.Recording.State), nil
		}).Should(Equal("On"))
		Expect(active.Party.Number).To(Equal("1822"))
		Eventually(heard(events, "recording.started")).Should(BeTrue())

		for _, step := range []struct{ verb, state string }{{"pause", "Paused"}, {"resume", "On"}, {"restart", "On"}} {
			_, err := d.Record(ctx, active.ID, step.verb)
			Expect(err).NotTo(HaveOccurred(), step.verb)
			Eventually(recordingOf(ctx, d)).Should(Equal(step.state), step.verb)
		}
		_, err = d.Record(ctx, active.ID, "restart")
		Expect(err).To(problem(http.StatusConflict, desk.CodeRecordingLimit))
		Eventually(rows(ctx, center, "pbxes", "main")).Should(shows("CALLS", "2"), "both ends are agents")
		Expect(call.Hangup(ctx)).To(Succeed())

		Eventually(recordings).WithArguments("1821").Should(HaveLen(2))
		Eventually(func() (int, error) { calls, err := d.Calls(ctx, "state=Ringing,Up"); return len(calls), err }).Should(BeZero())
		past, err := d.Calls(ctx, "")
		Expect(err).NotTo(HaveOccurred())
		Expect(past[0].Recording.Files).To(Equal(2))
		_, err = d.Record(ctx, active.ID, "start")
		Expect(deskError(err).Status).To(Or(Equal(http.StatusConflict), Equal(http.StatusNotFound)))

		By("downloading what was recorded")
		files, err := recordings("1821")
		Expect(err).NotTo(HaveOccurred())
		list, err := d.Recordings(ctx, "number=1822")
		Expect(err).NotTo(HaveOccurred())
		Expect(list).To(HaveLen(1))
		Expect(list[0].ID).To(Equal(active.ID))
		for n, file := range files {
			Expect(list[0].Files[n].Name).To(Equal(filepath.Base(file)))
			want, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			got, err := d.Recording(ctx, active.ID, n)
			Expect(err).NotTo(HaveOccurred())
			Expect(bytes.Equal(got, want)).To(BeTrue(), "%d bytes, of %d on disk", len(got), len(want))
		}
		kubectl(ctx, "patch", "agent", "rita", "-n", center, "--type=merge", "-p", `{"spec":{"permissions":{"downloads":{"recordings":"Denied"}}}}`)
		Eventually(func() error { _, err := d.Recording(ctx, active.ID, 0); return err }).Should(problem(http.StatusForbidden, desk.CodePermissionDenied))
		kubectl(ctx, "patch", "agent", "rita", "-n", center, "--type=merge", "-p", `{"spec":{"permissions":null,"role":"Admin"}}`)
		Eventually(func() (int, error) { list, err := d.RecordingDownloads(ctx, active.ID); return len(list), err }).Should(Equal(len(files)))
		Expect(os.Remove(files[0])).To(Succeed())
		Eventually(func() error { _, err := d.Recording(ctx, active.ID, 0); return err }).Should(problem(http.StatusNotFound, desk.CodeNotFound))
	}, SpecTimeout(patience*2))

	It("show in the status of agent and queue", func(ctx SpecContext) {
		apply(ctx, center, secret("tess", "agent", "password: "+goodPassword, `pin: "4712"`),
			agent("tess", `extension: "1831"`, "passwordSecretRef: {name: tess, key: password}", "sip: {codecs: [ulaw, opus]}",
				"voicemail: {state: Enabled, pinSecretRef: {name: tess, key: pin}, greeting: Silent}"),
			agent("udo", `extension: "1832"`),
			queueOf("figures", "690", "{agentRef: {name: tess}}", "")+"\n", "")
		kubectl(ctx, "patch", "queue", "figures", "-n", center, "--type=merge", "-p", `{"spec":{"serviceLevel":{"threshold":"20s","target":80}}}`)
		awaitReady(ctx, center, "agent/tess", "agent/udo", "queue/figures")
		tess, udo := registered(ctx, "tess"), registered(ctx, "udo")
		kubectl(ctx, "wait", "--for=condition=Registered", "--timeout="+patience.String(), "agent/tess", "-n", center)
		kubectl(ctx, "wait", "--for=condition=ClientConsistent", "--timeout="+patience.String(), "agent/tess", "-n", center)
		kubectl(ctx, "wait", "--for=condition=CodecsAvailable", "--timeout="+patience.String(), "agent/tess", "-n", center)
		d := atDesk(ctx, center, "tess")

		served(ctx, udo, "690", tess)
		Eventually(func() string {
			return kubectl(ctx, "get", "queue/figures", "-n", center, "-o", "jsonpath={.status.calls.completed} {.status.calls.serviceLevelMet}")
		}).Should(Equal("1 Met"))

		tess.SetMode(phone.Busy)
		call, err := udo.Call(ctx, "1831") // a tone, and then silence
		Expect(err).NotTo(HaveOccurred())
		sent, _ := call.Audio()
		Eventually(func() int { now, _ := call.Audio(); return now }).Should(BeNumerically(">", sent+150))
		Expect(call.Hangup(ctx)).To(Succeed())
		Eventually(func() string {
			return kubectl(ctx, "get", "agent/tess", "-n", center, "-o", "jsonpath={.status.voicemail.unread}")
		}).Should(Equal("1"))
		Eventually(tess.MessagesWaiting).Should(Equal(1))
		box, err := d.Voicemail(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(box.Unread).To(Equal(1))
	}, SpecTimeout(patience*3))
})

func recordingOf(ctx context.Context, d *deskclient.Client) func() (string, error) {
	return func() (string, error) {
		calls, err := d.Calls(ctx, "state=Ringing,Up")
		if err != nil || len(calls) == 0 {
			return "", err
		}
		return string(calls[0].Recording.State), nil
	}
}

// recordings are the files of an extension on the PBX.
func recordings(extension string) ([]string, error) {
	return filepath.Glob(filepath.Join(stack.Asterisk.SpoolDir, "monitor", "ringmaster", extension, "*.wav"))
}

// heard drains a stream of events and tells whether one of a kind was among them.
func heard(events <-chan deskclient.Event, kind string) func() bool {
	found := false
	return func() bool {
		for {
			select {
			case e, open := <-events:
				if !open {
					return found
				}
				found = found || e.Kind == kind
			default:
				return found
			}
		}
	}
}
