package controllers

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func layoutTemplate(name string, kind v1alpha1.MessageType, html string) *v1alpha1.MessageTemplate {
	return &v1alpha1.MessageTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: v1alpha1.MessageTemplateSpec{Key: name, Type: kind, Body: v1alpha1.MessageBody{HTML: html}}}
}

// The layout and the logo are in the answer as far as they can be had, and the condition says what is not.
func TestAnswerLayout(t *testing.T) {
	d := newMailDesk(t)
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		t.Fatal(err)
	}
	content := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "company"},
		Data:       map[string]string{"logo.svg": "<svg/>", "logo.txt": "Acme"},
		BinaryData: map[string][]byte{"logo.png": logo.Bytes(), "huge": make([]byte, v1alpha1.MaxLogo+1)}}
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), clientgoscheme.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		layout, logo   string
		reason         string // of the condition; empty: it is not there
		html, embedded bool
	}{
		"no template":         {},
		"both":                {layout: "good", logo: "logo.png", reason: v1alpha1.ReasonSucceeded, html: true, embedded: true},
		"a layout":            {layout: "good", reason: v1alpha1.ReasonSucceeded, html: true},
		"a logo":              {logo: "logo.png", reason: v1alpha1.ReasonSucceeded, html: true, embedded: true},
		"no such layout":      {layout: "nothing", logo: "logo.png", reason: v1alpha1.ReasonReferenceMissing},
		"another type":        {layout: "reply", reason: v1alpha1.ReasonTemplateWrongType},
		"a layout of nothing": {layout: "empty", reason: v1alpha1.ReasonReferenceInvalid},
		"no content":          {layout: "blank", reason: v1alpha1.ReasonReferenceInvalid},
		"no such key":         {layout: "good", logo: "nothing", reason: v1alpha1.ReasonContentMissing, html: true},
		"a drawing":           {layout: "good", logo: "logo.svg", reason: v1alpha1.ReasonPictureUnsupported, html: true},
		"no picture":          {layout: "good", logo: "logo.txt", reason: v1alpha1.ReasonInvalid, html: true},
		"too large":           {layout: "good", logo: "huge", reason: v1alpha1.ReasonContentTooLong, html: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := opsAccount()
			if test.reason != "" {
				e.Spec.Template = &v1alpha1.EmailTemplate{FontSize: 12}
			}
			if test.layout != "" {
				e.Spec.Template.LayoutRef = &v1alpha1.ObjectReference{Name: test.layout}
			}
			if test.logo != "" {
				e.Spec.Template.Logo = &v1alpha1.EmailLogo{ConfigMapKeyRef: &v1alpha1.ConfigMapKeyReference{Name: "company", Key: test.logo}}
			}
			reader := fake.NewClientBuilder().WithScheme(scheme).WithObjects([]client.Object{e, content,
				layoutTemplate("good", v1alpha1.MessageLayout, "<p>{{ content }}</p>{{ agent.name }}"), layoutTemplate("empty", v1alpha1.MessageLayout, ""),
				layoutTemplate("blank", v1alpha1.MessageLayout, "<p>hello</p>"), layoutTemplate("reply", v1alpha1.MessageAutoReply, "{{ content }}")}...).Build()
			s := newScope(nil, 1)
			must(t, (&accountKind{Client: reader, logos: newLogos(reader, d, newDownloader(notLocal))}).showTemplate(t.Context(), e, s))
			s.summarize(e.CommonStatus())
			got := ""
			if c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionTemplateReady); c != nil {
				got = c.Reason
			}
			if got != test.reason {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
			m, raw, err := DeskSide{Reader: reader, Logos: d}.Compose(t.Context(), desk.ReplyInput{
				Account:     store.Account{Key: storeKey(e), Address: "ops@example.com"},
				Interaction: store.Interaction{ID: "0190a8a0-1111-7000-8000-000000000001", Customer: "carol@example.org"},
				Agent:       store.Agent{DisplayName: "Alice <A>"}, Text: "1 < 2",
			})
			must(t, err)
			if m.Text != "1 < 2" || strings.Contains(m.HTML, "1 &lt; 2") != test.html || strings.Contains(m.HTML, "Alice &lt;A&gt;") != (test.html && test.layout != "") {
				t.Errorf("text %q, HTML %q", m.Text, m.HTML)
			}
			if bytes.Contains(raw, []byte("Content-Id: <logo@ringmaster>")) != test.embedded || bytes.Contains(raw, []byte("multipart/alternative")) != test.html {
				t.Errorf("sent:\n%.600s", raw)
			}
		})
	}
}
