package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/picture"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// avatars brings agents' pictures into the store, for the desk.
type avatars struct {
	reader client.Reader
	store  store.Avatars
	files  *fetcher
}

func newAvatars(c client.Reader, s store.Avatars, files *downloader) *avatars {
	return &avatars{reader: c, store: s, files: newFetcher(files)}
}

// madeTo is in what the store knows of a picture's source, so that pictures of another size are made anew.
var madeTo = fmt.Sprintf("%d/", picture.MaxSide)

// keep makes the store's picture the one of the spec, and says when it cannot. The one before stays then.
func (v *avatars) keep(ctx context.Context, a *v1alpha1.Agent, s *scope) error {
	const condition = v1alpha1.ConditionAvatarReady
	if a.Spec.Avatar == nil {
		v.files.settle(storeKey(a), "", nil)
		return v.store.DeleteAvatar(ctx, storeKey(a))
	}
	err := v.fetch(ctx, a)
	v.files.settle(storeKey(a), a.Spec.Avatar.URL, err)
	problem := (*contentError)(nil)
	switch {
	case errors.Is(err, errBusy):
		s.note(condition, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "the picture is fetched when others have been")
		s.requeue(soon)
	case errors.As(err, &problem):
		s.note(condition, metav1.ConditionFalse, problem.reason, "spec.avatar: "+problem.message)
		if problem.passing {
			s.requeue(retryDownload)
		}
	case err != nil:
		return err
	default:
		s.ok(condition, v1alpha1.ReasonSucceeded, "the desk has the picture")
	}
	return nil
}

// fetch does nothing when the store has what the spec says.
func (v *avatars) fetch(ctx context.Context, a *v1alpha1.Agent) error {
	known, err := v.store.AvatarOf(ctx, storeKey(a))
	if ignoreAbsent(err) != nil {
		return err
	}
	var content []byte
	source := madeTo + "url/" + a.Spec.Avatar.URL
	if ref := a.Spec.Avatar.ConfigMapKeyRef; ref != nil {
		if content, err = configMapContent(ctx, v.reader, a.Namespace, *ref, v1alpha1.MaxAvatar); err != nil {
			return err
		}
		source = madeTo + "sum/" + digestOf(content)
	}
	if known.Source == source {
		return nil
	}
	if content == nil {
		if content, err = v.files.get(ctx, storeKey(a), a.Spec.Avatar.URL, v1alpha1.MaxAvatar); err != nil {
			return err
		}
	}
	clean, mediaType, err := picture.Clean(content)
	switch {
	case errors.Is(err, picture.ErrTooLarge) || len(clean) > v1alpha1.MaxAvatar:
		return &contentError{reason: v1alpha1.ReasonContentTooLong, message: "the picture has too many pixels"}
	case err != nil:
		return &contentError{reason: v1alpha1.ReasonNoPicture, message: err.Error()}
	}
	avatar := store.Avatar{Source: source, SHA256: digestOf(clean), ContentType: mediaType, Content: clean}
	if err := v.store.PutAvatar(ctx, storeKey(a), avatar); err != nil {
		return fmt.Errorf("keeping the avatar: %w", err)
	}
	return nil
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func avatarConfigMap(o client.Object) []string {
	if v := o.(*v1alpha1.Agent).Spec.Avatar; v != nil && v.ConfigMapKeyRef != nil {
		return nonEmpty(v.ConfigMapKeyRef.Name)
	}
	return nil
}
