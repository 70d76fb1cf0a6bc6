package controllers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func sumOf(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// A set whose attachments come from a ConfigMap and a web server, and what is said of those that cannot be had.
func TestCannedAttachments(t *testing.T) {
	file, fetches := []byte("price list"), 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file":
			fetches++
			_, _ = w.Write(file)
		case "/large":
			_, _ = w.Write(make([]byte, v1alpha1.MaxCannedFile+1))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), clientgoscheme.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "files"}, Data: map[string]string{"text": "hello"}, BinaryData: map[string][]byte{"binary": {0, 255}},
	}).Build()
	db := storetest.SQLite(t)
	k := &cannedKind{Reader: reader, store: db, files: newDownloader(func(netip.Addr) bool { return true })}

	from := func(name, key string) v1alpha1.CannedAttachment {
		return v1alpha1.CannedAttachment{Name: name, ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "files", Key: key}}
	}
	web := func(name, path, sum string) v1alpha1.CannedAttachment {
		return v1alpha1.CannedAttachment{Name: name, URL: server.URL + path, SHA256: sum}
	}
	set := &v1alpha1.CannedAnswerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "all"}}
	set.Spec.Scope = v1alpha1.ScopeGlobal
	pass := func(reason string, attachments ...v1alpha1.CannedAttachment) {
		t.Helper()
		set.Spec.Items = []v1alpha1.CannedAnswer{{Key: "hello", Value: "Hello", Attachments: attachments}}
		s := newScope(nil, 1)
		if err := k.Reconcile(t.Context(), set, s); err != nil {
			t.Fatal(err)
		}
		s.summarize(set.CommonStatus())
		if c := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionAttachmentsReady); c == nil || c.Reason != reason {
			t.Fatalf("condition %+v, want %s", c, reason)
		}
	}
	pass(v1alpha1.ReasonSucceeded, from("a.txt", "text"), from("b", "binary"), web("c.PDF", "/file", sumOf(file)))
	want := map[string]int64{sumOf([]byte("hello")): 5, sumOf([]byte{0, 255}): 2, sumOf(file): int64(len(file))}
	got, err := db.CannedFileSizes(t.Context(), storeKey(set))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if content, err := db.GetCannedFile(t.Context(), storeKey(set), sumOf(file)); err != nil || !bytes.Equal(content, file) {
		t.Fatalf("content %q, %v", content, err)
	}
	pass(v1alpha1.ReasonSucceeded, web("c.PDF", "/file", sumOf(file)))
	if fetches != 1 {
		t.Fatalf("fetched %d times", fetches)
	}
	if got, _ := db.CannedFileSizes(t.Context(), storeKey(set)); len(got) != 1 {
		t.Fatalf("kept %v", got)
	}
	pass(v1alpha1.ReasonContentMissing, from("a", "nothing"))
	pass(v1alpha1.ReasonContentChanged, web("c", "/file", sumOf([]byte("other"))))
	pass(v1alpha1.ReasonContentTooLong, web("c", "/large", sumOf(nil)))
	pass(v1alpha1.ReasonDownloadFailed, web("c", "/nothing", sumOf(nil)))
	k.files = newDownloader(notLocal)
	pass(v1alpha1.ReasonDownloadFailed, web("c", "/file", sumOf([]byte("new"))))
	if set.Status.ItemCount != 1 {
		t.Fatal("the answer went with its attachment")
	}
}

// Texts come from ConfigMaps as well; an answer without its text is left out.
func TestCannedValues(t *testing.T) {
	texts := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "texts"},
		Data:       map[string]string{"good": "Dear {{ customer.name }}", "open": "{{ customer", "empty": "", "long": strings.Repeat("x", v1alpha1.MaxCannedValue+1)},
		BinaryData: map[string][]byte{"bytes": {0xff, 0xfe}, "zero": []byte("a\x00b")},
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), clientgoscheme.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	db := storetest.SQLite(t)
	k := &cannedKind{Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(texts).Build(), store: db, files: newDownloader(notLocal)}
	for name, reason := range map[string]string{
		"good": v1alpha1.ReasonSucceeded, "open": v1alpha1.ReasonInvalid, "empty": v1alpha1.ReasonInvalid, "long": v1alpha1.ReasonContentTooLong,
		"bytes": v1alpha1.ReasonInvalid, "zero": v1alpha1.ReasonInvalid, "gone": v1alpha1.ReasonContentMissing,
	} {
		t.Run(name, func(t *testing.T) {
			set := &v1alpha1.CannedAnswerSet{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
			set.Spec.Scope = v1alpha1.ScopeGlobal
			set.Spec.Items = []v1alpha1.CannedAnswer{{Key: "other", Value: "Hello"}, {
				Key: "from", ValueFrom: &v1alpha1.CannedValueSource{ConfigMapKeyRef: v1alpha1.ConfigMapKeyReference{Name: "texts", Key: name}},
			}}
			if diff := cmp.Diff([]string{"texts"}, cannedConfigMaps(set)); diff != "" {
				t.Errorf("watched (-want +got):\n%s", diff)
			}
			s := newScope(nil, 1)
			if err := k.Reconcile(t.Context(), set, s); err != nil {
				t.Fatal(err)
			}
			s.summarize(set.CommonStatus())
			if c := meta.FindStatusCondition(set.Status.Conditions, v1alpha1.ConditionValuesReady); c == nil || c.Reason != reason {
				t.Fatalf("condition %+v, want %s", c, reason)
			}
			want := map[bool]int32{true: 2, false: 1}[reason == v1alpha1.ReasonSucceeded]
			if set.Status.ItemCount != want {
				t.Errorf("%d items, want %d", set.Status.ItemCount, want)
			}
		})
	}
}

// A server may send the manager around on itself, and nowhere else.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("other")) }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/there":
			http.Redirect(w, r, other.URL+"/file", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			_, _ = w.Write([]byte("file"))
		}
	}))
	defer server.Close()
	d := newDownloader(func(netip.Addr) bool { return true })
	for path, want := range map[string]string{"/here": "file", "/there": "", "/round": ""} {
		content, err := d.get(t.Context(), server.URL+path, 10)
		if string(content) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", path, content, err)
		}
	}
}

func TestLocalAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": false, "::1": false, "169.254.169.254": false, "fe80::1": false, "0.0.0.0": false, "224.0.0.1": false,
		"192.0.2.1": true, "10.0.0.1": true, "2001:db8::1": true,
	} {
		if notLocal(netip.MustParseAddr(address)) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
}
