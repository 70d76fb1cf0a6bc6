package controllers

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"path"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/template"
)

// byConfigMap finds Agents, CannedAnswerSets and EmailAccounts by the ConfigMaps they refer to.
const byConfigMap = "content.configMap"

// cannedKind records a CannedAnswerSet, with the content of its attachments, for the desk.
type cannedKind struct {
	client.Reader
	store cannedStore
	files *downloader
}

type cannedStore interface {
	PutCannedAnswerSet(ctx context.Context, s store.CannedAnswerSet) error
	DeleteCannedAnswerSet(ctx context.Context, key store.Key) error
	PutCannedFile(ctx context.Context, set store.Key, sum string, content []byte) error
	CannedFileSizes(ctx context.Context, set store.Key) (map[string]int64, error)
}

func (k *cannedKind) NeedsFinalizer() bool { return true }

func (k *cannedKind) Finalize(ctx context.Context, c *v1alpha1.CannedAnswerSet) (bool, error) {
	err := k.store.DeleteCannedAnswerSet(ctx, storeKey(c))
	return err == nil, err
}

func (k *cannedKind) Reconcile(ctx context.Context, c *v1alpha1.CannedAnswerSet, s *scope) error {
	scope, ref := scopeOf(c.Spec.Scope, c.Spec.EmailAccountRef, c.Spec.QueueRef, c.Spec.ContactListRef)
	set := store.CannedAnswerSet{Key: storeKey(c), Scope: scope, Ref: ref}
	kept, err := k.store.CannedFileSizes(ctx, set.Key)
	if err != nil {
		return err
	}
	files, values := &missingContent{}, &missingContent{}
	for _, item := range c.Spec.Items {
		if _, err := template.Parse(item.Value); err != nil {
			return s.invalid(v1alpha1.ConditionReady, fmt.Errorf("items[%s].value: %w", item.Key, err))
		}
		answer := store.CannedAnswer{Key: item.Key, Value: item.Value, Description: item.Description}
		if item.ValueFrom != nil {
			answer.Value, err = cannedValue(ctx, k.Reader, c.Namespace, item.ValueFrom.ConfigMapKeyRef)
			if err := values.note(item.Key, err); err != nil {
				return err
			}
			if err != nil {
				continue
			}
		}
		for _, a := range item.Attachments {
			file, err := k.attachment(ctx, set.Key, a, kept)
			if err := files.note(a.Name+" of "+item.Key, err); err != nil {
				return err
			}
			if err == nil {
				answer.Attachments = append(answer.Attachments, file)
			}
		}
		set.Items = append(set.Items, answer)
	}
	if err := k.store.PutCannedAnswerSet(ctx, set); err != nil {
		return fmt.Errorf("recording the set: %w", err)
	}
	c.Status.ItemCount = count(len(set.Items))
	files.show(s, v1alpha1.ConditionAttachmentsReady, "every attachment is there")
	values.show(s, v1alpha1.ConditionValuesReady, "every text is there")
	s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("%d canned answers", len(set.Items)))
	return nil
}

// cannedValue reads a text. A *contentError says that there is none.
func cannedValue(ctx context.Context, c client.Reader, namespace string, ref v1alpha1.ConfigMapKeyReference) (string, error) {
	content, err := configMapContent(ctx, c, namespace, ref, v1alpha1.MaxCannedValue)
	if err != nil {
		return "", err
	}
	value := string(content)
	var fault string
	switch _, err := template.Parse(value); {
	case value == "":
		fault = "is empty"
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		fault = "is no text in UTF-8"
	case err != nil:
		fault = "is no template: " + err.Error()
	default:
		return value, nil
	}
	return "", &contentError{reason: v1alpha1.ReasonInvalid, message: fmt.Sprintf("key %s of ConfigMap %s %s", ref.Key, ref.Name, fault)}
}

// attachment makes sure that the store has the content.
func (k *cannedKind) attachment(ctx context.Context, set store.Key, a v1alpha1.CannedAttachment, kept map[string]int64) (store.CannedFile, error) {
	file := store.CannedFile{Attachment: store.Attachment{Name: a.Name, ContentType: contentType(a.Name)}, SHA256: a.SHA256}
	if size, ok := kept[a.SHA256]; ok && a.URL != "" {
		file.Size = size
		return file, nil
	}
	var content []byte
	var err error
	if a.ConfigMapKeyRef != nil {
		content, err = configMapContent(ctx, k.Reader, set.Namespace, *a.ConfigMapKeyRef, v1alpha1.MaxCannedFile)
	} else {
		content, err = k.files.get(ctx, a.URL, v1alpha1.MaxCannedFile)
	}
	if err == nil {
		file.SHA256, err = checkSum(content, a.SHA256)
	}
	if err != nil {
		return file, err
	}
	file.Size = int64(len(content))
	if _, ok := kept[file.SHA256]; ok {
		return file, nil
	}
	kept[file.SHA256] = file.Size
	if err := k.store.PutCannedFile(ctx, set, file.SHA256, content); err != nil {
		return file, fmt.Errorf("keeping an attachment: %w", err)
	}
	return file, nil
}

// contentType by a file's name.
func contentType(name string) string {
	if t := mime.TypeByExtension(strings.ToLower(path.Ext(name))); t != "" {
		return t
	}
	return "application/octet-stream"
}

// missingContent is what of a set cannot be had.
type missingContent struct {
	reason   string
	messages []string
	passing  bool
}

// note remembers a *contentError and hands other errors back.
func (m *missingContent) note(what string, err error) error {
	var c *contentError
	if !errors.As(err, &c) {
		return err
	}
	if m.reason == "" {
		m.reason = c.reason
	}
	m.passing = m.passing || c.passing
	m.messages = append(m.messages, what+": "+c.message)
	return nil
}

func (m *missingContent) show(s *scope, condition, allThere string) {
	switch message := strings.Join(m.messages, "; "); {
	case m.reason == "":
		s.ok(condition, v1alpha1.ReasonSucceeded, allThere)
	case m.passing:
		s.fail(condition, m.reason, message)
		s.requeue(retryDownload)
	default:
		s.stall(condition, m.reason, message)
	}
}

// +kubebuilder:rbac:groups=ringmaster.dev,resources=cannedanswersets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=ringmaster.dev,resources=cannedanswersets/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch

func (w *wiring) addCannedAnswers() error {
	k := &cannedKind{Reader: w.c, store: w.o.Store, files: newDownloader(notLocal)}
	return w.build("cannedanswerset").For(&v1alpha1.CannedAnswerSet{}, builder.WithPredicates(ours)).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(byContent[v1alpha1.CannedAnswerSetList](w.c))).
		Complete(newLoop[v1alpha1.CannedAnswerSet](w, k))
}

// cannedConfigMaps are the ConfigMaps that a set refers to.
func cannedConfigMaps(o client.Object) []string {
	var names []string
	for _, item := range o.(*v1alpha1.CannedAnswerSet).Spec.Items {
		if item.ValueFrom != nil {
			names = append(names, item.ValueFrom.ConfigMapKeyRef.Name)
		}
		for _, a := range item.Attachments {
			if a.ConfigMapKeyRef != nil {
				names = append(names, a.ConfigMapKeyRef.Name)
			}
		}
	}
	return names
}
