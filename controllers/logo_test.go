package controllers

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// A logo with a URL is fetched once and goes out with answers; what cannot be had is named, and asked for again in a while only.
func TestFetchedLogo(t *testing.T) {
	d := newMailDesk(t)
	account := store.Account{Key: store.Key{Namespace: ns, Name: "ops"}, Label: "OPS", Address: "ops@example.test", Queue: "mail"}
	d.must(d.PutAccount(t.Context(), account))
	asked, served := atomic.Int32{}, map[string][]byte{
		"/a.png": pictureOf(t, 30, true), "/b.jpg": pictureOf(t, 20, false), "/page": []byte("<html>"), "/logo.svg": []byte("<svg/>"),
		"/big": make([]byte, v1alpha1.MaxLogo+1),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if content, ok := served[r.URL.Path]; ok {
			_, _ = w.Write(content)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "company"}, BinaryData: map[string][]byte{"logo": pictureOf(t, 10, true)}}
	e := opsAccount()
	scheme := runtime.NewScheme()
	must(t, errors.Join(v1alpha1.AddToScheme(scheme), clientgoscheme.AddToScheme(scheme)))
	reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects(e, config).Build()
	anywhere := newLogos(reader, d, newDownloader(func(netip.Addr) bool { return true }))
	guarded := newLogos(reader, d, newDownloader(notLocal))
	for _, step := range []struct {
		name, path string
		key        string
		logos      *logos
		busy       bool
		reason     string
		sent       []byte
		stored     string
		asks       int32
	}{
		{name: "from this machine", path: "/a.png", logos: guarded, reason: "DownloadFailed"},
		{name: "others are downloading", path: "/a.png", busy: true, reason: "Progressing"},
		{name: "fetched", path: "/a.png", reason: "Succeeded", sent: served["/a.png"], stored: "/a.png", asks: 1},
		{name: "once", path: "/a.png", reason: "Succeeded", sent: served["/a.png"], stored: "/a.png"},
		{name: "another address", path: "/b.jpg", reason: "Succeeded", sent: served["/b.jpg"], stored: "/b.jpg", asks: 1},
		{name: "not found", path: "/c.png", reason: "DownloadFailed", stored: "/b.jpg", asks: 1},
		{name: "not asked each time", path: "/c.png", reason: "DownloadFailed", stored: "/b.jpg"},
		{name: "a page", path: "/page", reason: "Invalid", stored: "/b.jpg", asks: 1},
		{name: "still a page", path: "/page", reason: "Invalid", stored: "/b.jpg"},
		{name: "a drawing", path: "/logo.svg", reason: "UnsupportedPicture", stored: "/b.jpg", asks: 1},
		{name: "too large", path: "/big", reason: "ContentTooLarge", stored: "/b.jpg", asks: 1},
		{name: "ConfigMap", key: "logo", reason: "Succeeded", sent: config.BinaryData["logo"]},
		{name: "fetched again", path: "/a.png", reason: "Succeeded", sent: served["/a.png"], stored: "/a.png", asks: 1},
		{name: "none"},
	} {
		t.Run(step.name, func(t *testing.T) {
			e.Spec.Template = nil
			if step.path != "" {
				e.Spec.Template = &v1alpha1.EmailTemplate{Logo: &v1alpha1.EmailLogo{URL: server.URL + step.path}}
			} else if step.key != "" {
				ref := &v1alpha1.ConfigMapKeyReference{Name: "company", Key: step.key}
				e.Spec.Template = &v1alpha1.EmailTemplate{Logo: &v1alpha1.EmailLogo{ConfigMapKeyRef: ref}}
			}
			must(t, reader.Update(t.Context(), e))
			k := &accountKind{Client: reader, logos: anywhere}
			if step.logos != nil {
				k.logos = step.logos
			}
			if step.busy {
				k.logos.files.slots <- struct{}{}
				k.logos.files.slots <- struct{}{}
			}
			before, s := asked.Load(), newScope(nil, 1)
			must(t, k.showTemplate(t.Context(), e, s))
			if step.busy {
				<-k.logos.files.slots
				<-k.logos.files.slots
			}
			s.summarize(e.CommonStatus())
			got := ""
			if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionTemplateReady); c != nil {
				got = c.Reason
				if strings.Contains(c.Message, "<html>") {
					t.Errorf("it repeats what came: %s", c.Message)
				}
			}
			if got != step.reason || asked.Load()-before != step.asks {
				t.Errorf("reason %q after %d requests, want %q after %d", got, asked.Load()-before, step.reason, step.asks)
			}
			stored, err := d.GetLogo(t.Context(), storeKey(e))
			must(t, ignoreAbsent(err))
			if stored.URL != "" {
				stored.URL = strings.TrimPrefix(stored.URL, server.URL)
			}
			if diff := cmp.Diff(store.Logo{URL: step.stored, Content: served[step.stored]}, stored); diff != "" {
				t.Errorf("stored (-want +got):\n%.300s", diff)
			}
			m, raw, err := DeskSide{Reader: reader, Logos: d}.Compose(t.Context(), desk.ReplyInput{
				Account:     account,
				Interaction: store.Interaction{ID: "0190a8a0-1111-7000-8000-000000000001", Customer: "carol@example.org"},
				Agent:       store.Agent{DisplayName: "Alice"}, Text: "hello",
			})
			must(t, err)
			var sent []byte
			if len(m.Attachments) > 0 {
				_, sent, err = message.Attachment(raw, 0)
				must(t, err)
			}
			if !bytes.Equal(sent, step.sent) {
				t.Errorf("%d bytes went out, want %d", len(sent), len(step.sent))
			}
		})
	}
}
