package controllers

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// logoReader finds the logo of an account that has one. A *contentError says that it cannot be had.
type logoReader func(ctx context.Context, e *v1alpha1.EmailAccount) ([]byte, error)

// logoOf reads logos for the desk: those with a URL as they were fetched before.
func logoOf(c client.Reader, found func(context.Context, store.Key) (store.Logo, error)) logoReader {
	return func(ctx context.Context, e *v1alpha1.EmailAccount) ([]byte, error) {
		if ref := e.Spec.Template.Logo.ConfigMapKeyRef; ref != nil {
			return configuredLogo(ctx, c, e.Namespace, *ref)
		}
		logo, err := found(ctx, storeKey(e))
		if ignoreAbsent(err) != nil {
			return nil, err
		}
		if logo.URL != e.Spec.Template.Logo.URL {
			return nil, &contentError{reason: v1alpha1.ReasonProgressing, message: "the picture is not fetched yet", passing: true}
		}
		return logo.Content, nil
	}
}

func configuredLogo(ctx context.Context, c client.Reader, namespace string, ref v1alpha1.ConfigMapKeyReference) ([]byte, error) {
	logo, err := configMapContent(ctx, c, namespace, ref, v1alpha1.MaxLogo)
	if err != nil {
		return nil, err
	}
	return logo, checkLogo(logo, fmt.Sprintf("key %s of ConfigMap %s", ref.Key, ref.Name))
}

// checkLogo refuses what mail programs do not show.
func checkLogo(logo []byte, what string) error {
	_, err := message.LogoType(logo)
	if err == nil {
		return nil
	}
	reason := v1alpha1.ReasonInvalid
	if errors.Is(err, message.ErrDrawing) {
		reason = v1alpha1.ReasonPictureUnsupported
	}
	return &contentError{reason: reason, message: what + " is " + err.Error()}
}

// logos fetches what accounts name by URL into the store, where the desk of every replica finds it.
type logos struct {
	reader client.Reader
	store  store.Logos
	files  *fetcher
}

func newLogos(c client.Reader, s store.Logos, files *downloader) *logos {
	return &logos{reader: c, store: s, files: newFetcher(files)}
}

// tidy removes what an account no longer names.
func (l *logos) tidy(ctx context.Context, e *v1alpha1.EmailAccount) error {
	if t := e.Spec.Template; t != nil && t.Logo != nil && t.Logo.URL != "" {
		return nil
	}
	l.files.settle(storeKey(e), "", nil)
	return l.store.DeleteLogo(ctx, storeKey(e))
}

// keep is a logoReader that fetches what is not there; what is it does not read again.
func (l *logos) keep(ctx context.Context, e *v1alpha1.EmailAccount) ([]byte, error) {
	logo := e.Spec.Template.Logo
	if logo.ConfigMapKeyRef != nil {
		return configuredLogo(ctx, l.reader, e.Namespace, *logo.ConfigMapKeyRef)
	}
	known, err := l.store.LogoURL(ctx, storeKey(e))
	if known == logo.URL || ignoreAbsent(err) != nil {
		return nil, err
	}
	content, err := l.fetch(ctx, e)
	l.files.settle(storeKey(e), logo.URL, err)
	if errors.Is(err, errBusy) {
		return nil, &contentError{reason: v1alpha1.ReasonProgressing, message: "the picture is fetched when others have been", passing: true}
	}
	return content, err
}

func (l *logos) fetch(ctx context.Context, e *v1alpha1.EmailAccount) ([]byte, error) {
	url := e.Spec.Template.Logo.URL
	content, err := l.files.get(ctx, storeKey(e), url, v1alpha1.MaxLogo)
	if err != nil {
		return nil, err
	}
	if err := checkLogo(content, "what the url gave"); err != nil {
		return nil, err
	}
	return content, l.store.PutLogo(ctx, storeKey(e), store.Logo{URL: url, Content: content})
}
