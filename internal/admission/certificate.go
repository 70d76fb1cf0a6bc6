package admission

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// ExpiresSoon is how long before its end a certificate is warned about. Authorities that renew by themselves do so a
// month before the end of three, or earlier.
const ExpiresSoon = 15 * 24 * time.Hour

var certificatePath = specPath.Child("tls", "secretRef")

// pbxUses are the values a PBX takes out of Secrets.
func pbxUses(pbx *v1alpha1.PBX) []use {
	if pbx.Spec.TLS == nil {
		return nil
	}
	return []use{{
		what: "certificate of PBX " + pbx.Name, field: certificatePath, name: pbx.Spec.TLS.SecretRef.Name,
		keys: []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey}, judge: judgeCertificate,
	}}
}

func judgeCertificate(data map[string][]byte) *fault {
	_, err := security.CheckCertificate(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey], "", time.Now())
	switch {
	case err == nil:
		return nil
	case errors.Is(err, security.ErrCertificateExpired):
		return &fault{corev1.TLSCertKey, v1alpha1.ReasonCertificateExpired, err.Error()}
	case errors.Is(err, security.ErrKeyMismatch):
		return &fault{corev1.TLSPrivateKeyKey, v1alpha1.ReasonInvalid, err.Error()}
	}
	return &fault{corev1.TLSCertKey, v1alpha1.ReasonInvalid, err.Error()}
}

// PBXWarnings say what clients will not like about the certificate of a PBX.
func (c Checker) PBXWarnings(ctx context.Context, pbx *v1alpha1.PBX) ([]string, error) {
	if pbx.Spec.TLS == nil {
		return nil, nil
	}
	var secret corev1.Secret
	name := pbx.Spec.TLS.SecretRef.Name
	if err := c.Reader.Get(ctx, client.ObjectKey{Namespace: pbx.Namespace, Name: name}, &secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("get Secret %s: %w", name, err)
	}
	if !labelled(&secret) {
		return nil, nil
	}
	return certificateWarnings(certificatePath.String(), secret.Data, pbx), nil
}

// SecretWarnings say the same of a Secret that becomes the certificate of PBXes.
func (c Checker) SecretWarnings(ctx context.Context, secret *corev1.Secret) ([]string, error) {
	if !labelled(secret) {
		return nil, nil
	}
	var pbxes v1alpha1.PBXList
	if err := c.Reader.List(ctx, &pbxes, client.InNamespace(secret.Namespace), client.MatchingFields{IndexSecret: secret.Name}); err != nil {
		return nil, fmt.Errorf("list PBXes by Secret: %w", err)
	}
	var warnings []string
	for i := range pbxes.Items {
		warnings = append(warnings, certificateWarnings("data["+corev1.TLSCertKey+"]", secret.Data, &pbxes.Items[i])...)
	}
	return warnings, nil
}

func certificateWarnings(field string, data map[string][]byte, pbx *v1alpha1.PBX) []string {
	now, host := time.Now(), pbx.Spec.AdvertisedAddress
	info, err := security.CheckCertificate(data[corev1.TLSCertKey], data[corev1.TLSPrivateKeyKey], host, now)
	if err != nil {
		return nil // it is refused
	}
	var warnings []string
	if info.SelfSigned {
		warnings = append(warnings, fmt.Sprintf("%s: SelfSigned: browsers and most phones refuse the certificate of PBX %s until they are told to trust it", field, pbx.Name))
	}
	if !info.CoversHost {
		warnings = append(warnings, fmt.Sprintf("%s: NameMismatch: the certificate of PBX %s is not for its advertisedAddress %s", field, pbx.Name, host))
	}
	if left := info.NotAfter.Sub(now); left < ExpiresSoon {
		warnings = append(warnings, fmt.Sprintf("%s: the certificate of PBX %s expires in %d days, at %s",
			field, pbx.Name, int(left.Hours()/24), info.NotAfter.UTC().Format(time.RFC3339)))
	}
	return warnings
}
