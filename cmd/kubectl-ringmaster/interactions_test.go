package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ringmaster-dev/ringmaster/internal/operatorapi"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/kubeaccess"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// operators is an operator API before a real API server, with a store of its own.
type operators struct {
	t         *testing.T
	cp        *env.ControlPlane
	client    kubernetes.Interface
	db        *store.DB
	namespace string
	server    *httptest.Server
	caFile    string
	ca        []byte
}

func newOperators(t *testing.T) *operators {
	t.Helper()
	o := &operators{t: t, cp: env.Control(t)}
	var err error
	o.client, err = kubernetes.NewForConfig(o.cp.Config)
	o.must(err)
	ns, err := o.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "plugin-"}}, metav1.CreateOptions{})
	o.must(err)
	o.namespace = ns.Name
	o.db = storetest.SQLite(t)

	access, err := kubeaccess.New(o.cp.Config, slog.New(slog.DiscardHandler))
	o.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = access.Start(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	o.server = httptest.NewUnstartedServer(operatorapi.New(operatorapi.Options{
		Store: o.db, Access: access, Logger: slog.New(slog.DiscardHandler),
		Audit: func(context.Context, store.Key) (wire.Audit, error) {
			return wire.Audit{Mailbox: "INBOX", UIDValidity: 3, Mails: []wire.AuditedMail{
				{UID: 1, Verdict: wire.MailIngested, InteractionID: "i1"}, {UID: 2, Verdict: wire.MailFiltered, Why: "a filter"}, {UID: 9, Verdict: wire.MailMissing, Why: "gone"},
			}}, nil
		},
	}))
	o.server.TLS = &tls.Config{Certificates: []tls.Certificate{o.certificate()}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	o.server.StartTLS()
	t.Cleanup(o.server.Close)
	return o
}

func (o *operators) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// certificate is valid for the Service and for this machine, and its own authority.
func (o *operators) certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	o.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"ringmaster-operator.ringmaster-system.svc"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	o.must(err)
	o.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	o.caFile = filepath.Join(o.t.TempDir(), "ca.crt")
	o.must(os.WriteFile(o.caFile, o.ca, 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// account is a kubeconfig of a new ServiceAccount, which may what role allows in the namespace.
func (o *operators) account(name string, rules ...rbacv1.PolicyRule) string {
	o.t.Helper()
	ctx, meta := o.t.Context(), metav1.ObjectMeta{Name: name, Namespace: o.namespace}
	_, err := o.client.CoreV1().ServiceAccounts(o.namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	o.must(err)
	_, err = o.client.RbacV1().Roles(o.namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	o.must(err)
	_, err = o.client.RbacV1().RoleBindings(o.namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: o.namespace}},
	}, metav1.CreateOptions{})
	o.must(err)
	kubeconfig, err := o.cp.TokenKubeconfig(ctx, o.namespace, name)
	o.must(err)
	return kubeconfig
}

// mail puts an interaction into the queue and returns its id.
func (o *operators) mail() string {
	o.t.Helper()
	ctx, account := o.t.Context(), store.Key{Namespace: o.namespace, Name: "support"}
	o.must(o.db.PutQueue(ctx, store.Queue{
		Key: store.Key{Namespace: o.namespace, Name: "mail"}, Channel: store.ChannelEmail, Strategy: string(routing.RRMemory), OfferTimeout: time.Minute,
		Members: []store.QueueMember{{Agent: "alice"}},
	}))
	o.must(o.db.PutAgent(ctx, store.Agent{Key: store.Key{Namespace: o.namespace, Name: "alice"}, Username: "alice", Active: true}))
	o.must(o.db.PutAccount(ctx, store.Account{Key: account, Label: "S", Address: "support@example.com", Queue: "mail", Active: true}))
	lease, _, err := o.db.AcquireLease(ctx, "support", "test", time.Hour)
	o.must(err)
	results, err := o.db.Ingest(ctx, lease, account, []store.IngestMail{{
		Mailbox: "INBOX", UIDValidity: 1, UID: 1, Kind: store.IngestMessage, SHA256: "1", Raw: []byte("x"),
		Message: store.Message{Account: "support", Direction: store.Inbound, State: store.MessageStored, From: "carla@example.com"},
	}})
	o.must(err)
	return results[0].InteractionID
}

func (o *operators) args(kubeconfig string, args ...string) []string {
	return append(args, "--kubeconfig", kubeconfig, "-n", o.namespace, "--manager-url", o.server.URL, "--manager-ca", o.caFile)
}

func TestInteractionsAndWhy(t *testing.T) {
	o := newOperators(t)
	id := o.mail()

	// An administrator with a client certificate.
	admin := o.cp.Kubeconfig
	poll(t, func() error { // the cluster's authority is read beside
		got := run(t, "", o.args(admin, "interactions")...)
		if got.status != 0 {
			return fmt.Errorf("%s", got.stderr)
		}
		got.check(t, 0, id+"  Queued  support  mail   -      1", "")
		return nil
	})
	run(t, "", o.args(admin, "interactions", "--state", "Open")...).check(t, 0, "ID  STATE", "")
	got := run(t, "", o.args(admin, "why", id)...)
	got.check(t, 0, "Ingested", "")
	got.check(t, 0, "now: in queue mail with 1 members: 1 SignedOut", "")
	got.check(t, 0, "alice   0        SignedOut", "")
	run(t, "", o.args(admin, "why", "nobody")...).check(t, exitFailure, "", "there is no such object")
	run(t, "", o.args(admin, "why", id, "--as", "somebody")...).check(t, exitFailure, "", "by their own credentials only")

	// People with tokens, each with the rights of their role.
	reader := o.account("reader", rbacv1.PolicyRule{APIGroups: []string{"ringmaster.dev"}, Resources: []string{"interactions"}, Verbs: []string{"list"}})
	run(t, "", o.args(reader, "interactions")...).check(t, 0, id, "")
	run(t, "", o.args(reader, "why", id)...).check(t, exitFailure, "", "reader may not get interactions.ringmaster.dev in namespace "+o.namespace)
	run(t, "", o.args(o.account("stranger"), "interactions")...).check(t, exitFailure, "", "may not list interactions.ringmaster.dev")

	auditor := o.account("auditor", rbacv1.PolicyRule{APIGroups: []string{"ringmaster.dev"}, Resources: []string{"emailaccounts/audit"}, Verbs: []string{"get"}})
	audited := run(t, "", o.args(auditor, "mail", "audit", "support")...)
	audited.check(t, 0, "2    Filtered  -            a filter\n9    Missing   -            gone\n", "")
	audited.check(t, 0, "INBOX, UIDVALIDITY 3: 3 mails, 1 ingested, 1 filtered, 0 quarantined, 1 missing", "")
	run(t, "", o.args(auditor, "mail", "audit", "support", "--all")...).check(t, 0, "1    Ingested  i1", "")
	run(t, "", o.args(reader, "mail", "audit", "support")...).check(t, exitFailure, "", "reader may not get emailaccounts/audit.ringmaster.dev")

	// A certificate of somebody else's authority, and none at all.
	forged := o.forge(reader)
	run(t, "", o.args(forged, "interactions")...).check(t, exitFailure, "", "no credentials that the API server knows")
}

// forge is the kubeconfig with a token that nobody gave.
func (o *operators) forge(kubeconfig string) string {
	o.t.Helper()
	text, err := os.ReadFile(kubeconfig)
	o.must(err)
	var out []string
	for line := range strings.Lines(string(text)) {
		if at := strings.Index(line, "token: "); at >= 0 {
			line = line[:at] + "token: eyJhbGciOiJSUzI1NiJ9.e30.AAAA\n"
		}
		out = append(out, line)
	}
	file := filepath.Join(o.t.TempDir(), "forged")
	o.must(os.WriteFile(file, []byte(strings.Join(out, "")), 0o600))
	return file
}

// Without addresses: the authority is that of the webhooks, and kubectl port-forward is the way. A stand-in for kubectl says where that
// leads, because there is no node here; everything else is real.
func TestWayToTheManager(t *testing.T) {
	o := newOperators(t)
	id := o.mail()
	bin := t.TempDir()
	said := filepath.Join(bin, "arguments")
	script := fmt.Sprintf("#!/bin/sh\necho \"$@\" >%s\necho 'Forwarding from %s -> 8445'\nexec sleep 60\n", said, o.server.Listener.Addr())
	o.must(os.WriteFile(filepath.Join(bin, "kubectl"), []byte(script), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	reader := o.account("reader", rbacv1.PolicyRule{APIGroups: []string{"ringmaster.dev"}, Resources: []string{"interactions"}, Verbs: []string{"get", "list"}})
	args := []string{"why", id, "--kubeconfig", reader, "-n", o.namespace}
	run(t, "", args...).check(t, exitFailure, "", "finding the authority of the manager (or give --manager-ca)")

	hooks := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: webhookSettings}, Webhooks: []admissionv1.ValidatingWebhook{{
		Name: "agents.ringmaster.dev", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone),
		ClientConfig: admissionv1.WebhookClientConfig{CABundle: o.ca, URL: new("https://127.0.0.1:1")},
	}}}
	_, err := o.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), hooks, metav1.CreateOptions{})
	o.must(err)
	t.Cleanup(func() {
		_ = o.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(context.WithoutCancel(t.Context()), webhookSettings, metav1.DeleteOptions{})
	})
	poll(t, func() error {
		got := run(t, "", "why", id, "--kubeconfig", o.cp.Kubeconfig, "-n", o.namespace)
		if got.status != 0 || !strings.Contains(got.stdout, "Ingested") {
			return fmt.Errorf("%s", got.stderr)
		}
		return nil
	})
	given, err := os.ReadFile(said)
	o.must(err)
	want := "port-forward --address 127.0.0.1 --kubeconfig=" + o.cp.Kubeconfig + " --namespace ringmaster-system service/ringmaster-operator :443\n"
	if string(given) != want {
		t.Errorf("kubectl %s", bytes.TrimSpace(given))
	}

	o.must(os.WriteFile(filepath.Join(bin, "kubectl"), []byte("#!/bin/sh\necho 'error: no pods' >&2\nexit 1\n"), 0o700))
	run(t, "", args...).check(t, exitFailure, "", "error: no pods")
	// Another server at that address gets neither a token nor an answer.
	other := httptest.NewTLSServer(nil)
	defer other.Close()
	run(t, "", append(args, "--manager-url", other.URL, "--manager-ca", o.caFile)...).check(t, exitFailure, "", "certificate signed by unknown authority")
	run(t, "", append(args, "--manager-url", "http://127.0.0.1", "--manager-ca", o.caFile)...).check(t, exitFailure, "", "must begin with https://")
}

func poll(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
