package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/test/env"
	"github.com/ringmaster-dev/ringmaster/test/phone"
)

var _ = Describe("Several PBXes", func() {
	It("serve the same agents, and one that fails does not touch the others", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		second, pbxlet := secondPBX(ctx, "second")
		apply(ctx, center, agent("xena", `extension: "1901"`), agent("yann", `extension: "1902"`), voiceQueue("both", "695"))
		awaitReady(ctx, center, "agent/xena", "agent/yann", "queue/both", "pbx/main", "pbx/second")
		data := getSecret(ctx, center, "xena-sip").Data
		Expect(string(data["servers"])).To(Equal(stack.Asterisk.SIPAddr + "," + second.SIPAddr))

		xena, yann := registered(ctx, "xena"), registered(ctx, "yann")
		at2 := map[string]*phone.Phone{}
		for _, name := range []string{"xena", "yann"} {
			data := getSecret(ctx, center, name+"-sip").Data
			data["server"] = []byte(second.SIPAddr)
			at2[name] = registerPhone(ctx, data)
		}
		Expect(talk(ctx, xena, "1902").Hangup(ctx)).To(Succeed())
		Expect(talk(ctx, at2["xena"], "1902").Hangup(ctx)).To(Succeed())
		Expect(yann.Rings()).To(Equal(1))
		Expect(at2["yann"].Rings()).To(Equal(1), "a PBX rings the phones that are registered with it")

		By("one down: the others serve on, and the status says which")
		Expect(second.Kill9()).To(Succeed())
		Eventually(rows(ctx, center, "pbxes", "second")).Should(shows("READY", "False", "REASON", "AsteriskDown"))
		Expect(rows(ctx, center, "pbxes", "main")()).To(shows("READY", "True"))
		apply(ctx, center, agent("zoe", `extension: "1903"`))
		kubectl(ctx, "wait", "--for=create", "secret/zoe-sip", "-n", center, "--timeout="+patience.String())
		late := phoneOf(ctx, "zoe")
		Eventually(func() error { return late.Register(ctx) }).Should(Succeed(), "main has the new agent")
		Expect(talk(ctx, xena, "1902").Hangup(ctx)).To(Succeed())
		Expect(kubectl(ctx, "get", "agent/zoe", "-n", center, "-o", `jsonpath={.status.conditions[?(@.type=="SIPProvisioned")].message}`)).To(ContainSubstring("second"))

		By("coming back with what it missed")
		Expect(second.Restart(ctx)).To(Succeed())
		awaitReady(ctx, center, "agent/zoe", "pbx/second")
		zoe := getSecret(ctx, center, "zoe-sip").Data
		zoe["server"] = []byte(second.SIPAddr)
		registerPhone(ctx, zoe)

		By("its pbxlet away, while agents come and go")
		Expect(pbxlet.Stop()).To(Succeed())
		Eventually(rows(ctx, center, "pbxes", "second")).Should(shows("CONNECTED", "Unknown"))
		kubectl(ctx, "delete", "agent/zoe", "-n", center, "--timeout="+patience.String())
		Expect(refusal(phoneFrom(zoe, stack.Asterisk.SIPAddr).Register(ctx))).To(Succeed())
		Expect(phoneFrom(zoe, second.SIPAddr).Register(ctx)).To(Succeed(), "it goes on with what it has")
		Expect(pbxlet.Restart(ctx)).To(Succeed())
		Eventually(func() error { return refusal(phoneFrom(zoe, second.SIPAddr).Register(ctx)) }).Should(Succeed())
		awaitReady(ctx, center, "pbx/second")
	}, SpecTimeout(patience*4))

	It("have a certificate that is renewed without dropping a call", func(ctx SpecContext) {
		DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
		second, _ := secondPBX(ctx, "secure")
		apply(ctx, center, tlsSecret(second, "first"))
		kubectl(ctx, "patch", "pbx", "secure", "-n", center, "--type=merge", "-p", fmt.Sprintf(
			`{"spec":{"tls":{"secretRef":{"name":"secure-tls"}},"transports":{"tls":{"port":%s}},"outbound":{"context":"nowhere"}}}`, portOf(second.SIPTLSAddr)))
		Eventually(func() string { return servedBy(second.SIPTLSAddr) }).ShouldNot(BeEmpty(), "a running Asterisk takes a new listener")
		awaitReady(ctx, center, "pbx/secure")
		kubectl(ctx, "wait", "--for=condition=CertificateTrusted", "--timeout="+patience.String(), "pbx/secure", "-n", center)
		Eventually(func() string {
			return kubectl(ctx, "get", "pbx/secure", "-n", center, "-o", `jsonpath={.status.conditions[?(@.type=="ContextsPresent")].reason}`)
		}).Should(Equal("ContextMissing"))

		apply(ctx, center, agent("tilda", `extension: "1911"`, "sip: {transport: TLS}"), agent("ulf", `extension: "1912"`))
		awaitReady(ctx, center, "agent/ulf")
		Eventually(func() string {
			return kubectl(ctx, "get", "agent/tilda", "-n", center, "-o", `jsonpath={.status.conditions[?(@.type=="SIPProvisioned")].reason}`)
		}).Should(Equal("TransportNotOffered"), "main has no TLS")
		ulf := getSecret(ctx, center, "ulf-sip").Data
		ulf["server"] = []byte(second.SIPAddr)
		caller := registerPhone(ctx, ulf)
		other := getSecret(ctx, center, "tilda-sip").Data
		Expect(string(other["server"])).To(Equal(second.SIPTLSAddr))
		secure, err := phone.New(phone.Options{
			Server: second.SIPTLSAddr, Transport: "tls", User: "1911", AuthUser: "tilda", Password: string(other["password"]), RootCAs: second.CA.Pool(),
		})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(secure.Close)
		Expect(secure.Register(ctx)).To(Succeed())
		call := talk(ctx, caller, "1911")

		By("renewing it")
		before := servedBy(second.SIPTLSAddr)
		apply(ctx, center, tlsSecret(second, "renewed"))
		Eventually(func() string { return servedBy(second.SIPTLSAddr) }).ShouldNot(Equal(before))
		Eventually(func() string {
			return kubectl(ctx, "get", "pbx/secure", "-n", center, "-o", "jsonpath={.status.certificate.sha256}")
		}).Should(Equal(servedBy(second.SIPTLSAddr)))
		hears(call)
		Expect(call.Hangup(ctx)).To(Succeed())
		Expect(secure.Register(ctx)).To(Succeed())
	}, SpecTimeout(patience*4))
})

// secondPBX is another Asterisk of the center with its pbxlet, until the spec has ended.
func secondPBX(ctx context.Context, name string) (*env.AsteriskServer, *env.Process) {
	GinkgoHelper()
	asterisk, err := stack.Env.StartAsterisk(ctx, env.AsteriskOptions{Name: name})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(asterisk.Stop)
	port := portOf(asterisk.SIPAddr)
	apply(ctx, center, fmt.Sprintf(`apiVersion: ringmaster.dev/v1alpha1
kind: PBX
metadata: {name: %s}
spec: {advertisedAddress: 127.0.0.1, bindAddress: 127.0.0.1, transports: {udp: {port: %s}, tcp: {port: %s}}}`, name, port, port))
	DeferCleanup(func(ctx SpecContext) {
		kubectl(ctx, "delete", "pbx/"+name, "-n", center, "--timeout="+patience.String())
		kubectl(ctx, "delete", "secrets", name+"-tls", "-n", center, "--ignore-not-found")
	}, NodeTimeout(patience))
	pbxlet, err := stack.Env.StartPBXlet(ctx, stack.Control, asterisk, center, name)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(pbxlet.Stop)
	awaitReady(ctx, center, "pbx/"+name)
	return asterisk, pbxlet
}

// phoneFrom is set up from a SIP Secret that may be gone already.
func phoneFrom(data map[string][]byte, server string) *phone.Phone {
	GinkgoHelper()
	data["server"] = []byte(server)
	return newPhone(data)
}

// tlsSecret holds a new certificate for the PBX secure.
func tlsSecret(a *env.AsteriskServer, name string) string {
	GinkgoHelper()
	cert, key, err := a.CA.Issue("secure-"+name, pkix.Name{CommonName: "localhost"})
	Expect(err).NotTo(HaveOccurred())
	read := func(file string) string {
		raw, err := os.ReadFile(filepath.Clean(file))
		Expect(err).NotTo(HaveOccurred())
		return base64.StdEncoding.EncodeToString(raw)
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {name: secure-tls, labels: {ringmaster.dev/credential: tls}}\ndata: {tls.crt: %s, tls.key: %s}",
		read(cert), read(key))
}

// servedBy is the SHA-256 of the certificate a listener shows, "" when there is none.
func servedBy(addr string) string {
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only looked at
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

func portOf(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }
