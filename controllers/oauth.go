package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// mailOAuth resolves where an account's access tokens come from.
func mailOAuth(ctx context.Context, c client.Reader, e *v1alpha1.EmailAccount, o *v1alpha1.OAuth2Authentication) (*oauth.Config, error) {
	where := oauth.EndpointsOf(o)
	cfg := &oauth.Config{
		Owner: storeKey(e).String(), TokenURL: where.TokenURL, ClientID: o.ClientID, Scopes: where.Scopes,
		BasicAuthentication: where.BasicAuthentication,
	}
	versions := sha256.New()
	if ref := o.ClientSecretRef; ref != nil {
		secret, err := mailSecret(ctx, c, e.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		cfg.ClientSecret = remote.Secret(secret.Data[ref.Key])
		versions.Write(secret.Data[ref.Key])
	}
	if ref := o.RefreshTokenSecretRef; ref != nil {
		secret, err := mailSecret(ctx, c, e.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		cfg.Refresh = &oauth.SecretKey{Namespace: e.Namespace, Name: ref.Name, Key: ref.Key}
		fmt.Fprintf(versions, "\n%s", rootOf(secret, ref.Key))
	}
	if o.Endpoints != nil && o.Endpoints.CASecretRef != nil {
		ref := o.Endpoints.CASecretRef
		secret, err := mailSecret(ctx, c, e.Namespace, ref.Name)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = string(secret.Data[ref.Key])
	}
	cfg.Version = hex.EncodeToString(versions.Sum(nil))
	return cfg, nil
}

// rotated is what a Secret's annotation says of a refresh token that Ringmaster wrote: the digest of the present one, and of the one that an
// administrator wrote, from which it descends. An account begins anew when the latter changes, and not with every rotation.
type rotated struct {
	Root string `json:"root"`
	Now  string `json:"now"`
}

// rotations reads the annotation; one that cannot be read says nothing.
func rotations(s *corev1.Secret) map[string]rotated {
	all := map[string]rotated{}
	if err := json.Unmarshal([]byte(s.Annotations[v1alpha1.RotatedAnnotation]), &all); err != nil {
		return map[string]rotated{}
	}
	return all
}

// rootOf identifies what an administrator wrote.
func rootOf(s *corev1.Secret, key string) string {
	now := digest(s.Data[key])
	if r, ok := rotations(s)[key]; ok && r.Now == now {
		return r.Root
	}
	return now
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// TokenVault keeps refresh tokens in Secrets that are labelled as credentials.
type TokenVault struct {
	// Reader asks the API server itself: what a cache says may be a token that was used up.
	Reader client.Reader
	Writer client.Writer
}

var _ oauth.Vault = TokenVault{}

// RefreshToken implements oauth.Vault.
func (v TokenVault) RefreshToken(ctx context.Context, at oauth.SecretKey) (remote.Secret, error) {
	s, err := v.secret(ctx, at)
	if err != nil {
		return "", err
	}
	return remote.Secret(s.Data[at.Key]), nil
}

func (v TokenVault) secret(ctx context.Context, at oauth.SecretKey) (*corev1.Secret, error) {
	var s corev1.Secret
	if err := v.Reader.Get(ctx, types.NamespacedName{Namespace: at.Namespace, Name: at.Name}, &s); err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", at.Name, err)
	}
	if _, ok := s.Labels[v1alpha1.CredentialLabel]; !ok || len(s.Data[at.Key]) == 0 {
		return nil, errors.New("the Secret " + at.Name + " is not labelled as a credential, or has no such key")
	}
	return &s, nil
}

// Rotate implements oauth.Vault. The write is refused when the Secret changed since it was read; then it is read again.
func (v TokenVault) Rotate(ctx context.Context, at oauth.SecretKey, old, new remote.Secret) error {
	for {
		s, err := v.secret(ctx, at)
		if err != nil {
			return err
		}
		switch string(s.Data[at.Key]) {
		case new.Reveal():
			return nil // an earlier write whose answer was lost
		case old.Reveal():
		default:
			return oauth.ErrReplaced
		}
		err = v.Writer.Patch(ctx, rotatedSecret(s, at.Key, new), client.MergeFromWithOptions(s, client.MergeFromWithOptimisticLock{}))
		if !apierrors.IsConflict(err) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

func rotatedSecret(s *corev1.Secret, key string, token remote.Secret) *corev1.Secret {
	changed := s.DeepCopy()
	all := rotations(s)
	all[key] = rotated{Root: rootOf(s, key), Now: digest([]byte(token.Reveal()))}
	b, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings
	}
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[v1alpha1.RotatedAnnotation] = string(b)
	changed.Data[key] = []byte(token.Reveal())
	return changed
}
