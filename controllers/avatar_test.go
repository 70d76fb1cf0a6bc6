package controllers

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func pictureOf(t *testing.T, width int, asPNG bool) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, width, 5))
	var out bytes.Buffer
	err := jpeg.Encode(&out, m, nil)
	if asPNG {
		out.Reset()
		err = png.Encode(&out, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestAvatars: where a picture comes from, what is none, and that one that is there stays until another one is.
func TestAvatars(t *testing.T) {
	d := newMailDesk(t)
	served, asked := map[string][]byte{"/a.jpg": pictureOf(t, 30, false), "/page": []byte("<html>"), "/big": make([]byte, v1alpha1.MaxAvatar+1)}, atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if content, ok := served[r.URL.Path]; ok {
			_, _ = w.Write(content)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "pictures", Labels: map[string]string{v1alpha1.ContentLabel: ""}},
		BinaryData: map[string][]byte{"alice": pictureOf(t, 20, true), "svg": []byte("<svg/>")}}
	v := newAvatars(fake.NewClientBuilder().WithObjects(config).Build(), d.DB, newDownloader(func(netip.Addr) bool { return true }))
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "alice"}}
	url := func(path string) *v1alpha1.AgentAvatar { return &v1alpha1.AgentAvatar{URL: server.URL + path} }
	key := func(key string) *v1alpha1.AgentAvatar {
		return &v1alpha1.AgentAvatar{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "pictures", Key: key}}
	}
	for _, step := range []struct {
		name   string
		avatar *v1alpha1.AgentAvatar
		busy   bool
		reason string // of the condition, "" none
		width  int    // of the picture that is there, 0 none
		kind   string
		asks   int32
	}{
		{name: "none", width: 0},
		{name: "ConfigMap", avatar: key("alice"), reason: "Succeeded", width: 20, kind: "image/png"},
		{name: "no such key", avatar: key("bob"), reason: "ContentMissing", width: 20, kind: "image/png"},
		{name: "no picture", avatar: key("svg"), reason: "NoPicture", width: 20, kind: "image/png"},
		{name: "others are downloading", avatar: url("/a.jpg"), busy: true, reason: "Progressing", width: 20, kind: "image/png"},
		{name: "address", avatar: url("/a.jpg"), reason: "Succeeded", width: 30, kind: "image/jpeg", asks: 1},
		{name: "once", avatar: url("/a.jpg"), reason: "Succeeded", width: 30, kind: "image/jpeg"},
		{name: "not found", avatar: url("/b.jpg"), reason: "DownloadFailed", width: 30, kind: "image/jpeg", asks: 1},
		{name: "not asked each time", avatar: url("/b.jpg"), reason: "DownloadFailed", width: 30, kind: "image/jpeg"},
		{name: "a page", avatar: url("/page"), reason: "NoPicture", width: 30, kind: "image/jpeg", asks: 1},
		{name: "still a page", avatar: url("/page"), reason: "NoPicture", width: 30, kind: "image/jpeg"},
		{name: "too large", avatar: url("/big"), reason: "ContentTooLarge", width: 30, kind: "image/jpeg", asks: 1},
		{name: "ConfigMap again", avatar: key("alice"), reason: "Succeeded", width: 20, kind: "image/png"},
		{name: "none again", width: 0},
	} {
		agent.Spec.Avatar = step.avatar
		if step.busy {
			v.files.slots <- struct{}{}
			v.files.slots <- struct{}{}
		}
		before, s := asked.Load(), newScope(nil, 1)
		d.must(v.keep(t.Context(), agent, s))
		if step.busy {
			<-v.files.slots
			<-v.files.slots
		}
		var status v1alpha1.CommonStatus
		s.summarize(&status)
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionAvatarReady)
		if (c != nil) != (step.reason != "") || c != nil && (c.Reason != step.reason || (c.Status == metav1.ConditionTrue) != (c.Reason == v1alpha1.ReasonSucceeded)) {
			t.Errorf("%s: condition %+v", step.name, c)
		}
		if is := ready(&status); is.Status != metav1.ConditionTrue {
			t.Errorf("%s: it counts for Ready: %+v", step.name, is)
		}
		if n := asked.Load() - before; n != step.asks {
			t.Errorf("%s: asked %d times", step.name, n)
		}
		a, err := d.GetAvatar(t.Context(), store.Key{Namespace: ns, Name: "alice"})
		d.must(ignoreAbsent(err))
		got, _, _ := image.DecodeConfig(bytes.NewReader(a.Content))
		if got.Width != step.width || a.ContentType != step.kind {
			t.Errorf("%s: %s, %d wide", step.name, a.ContentType, got.Width)
		}
	}
}
