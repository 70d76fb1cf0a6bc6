package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// certificate checks what spec.tls names and shows it.
func (k *pbxKind) certificate(ctx context.Context, p *v1alpha1.PBX, settings voice.PBX, served string, s *scope) error {
	p.Status.Certificate = nil
	if p.Spec.TLS == nil {
		return nil
	}
	problems, err := k.checker.PBXCredentials(ctx, p)
	if err != nil {
		return fmt.Errorf("checking the certificate's Secret: %w", err)
	}
	stallOn(s, problems, v1alpha1.ConditionCertificateTrusted)
	if settings.Certificate == nil {
		return nil // one of the problems, or the cache is a moment behind and the Secret's watch brings us back
	}
	info, err := security.CheckCertificate(settings.Certificate.CertPEM, settings.Certificate.KeyPEM, p.Spec.AdvertisedAddress, time.Now())
	if info.SHA256 == "" {
		return nil // the problem above
	}
	p.Status.Certificate = &v1alpha1.PBXCertificate{SHA256: served, NotAfter: seconds(info.NotAfter), Names: info.Names[:min(len(info.Names), 32)]}
	if err == nil && len(problems) == 0 {
		showTrust(p, info, s)
	}
	if left := time.Until(info.NotAfter); left > 0 {
		s.requeue(min(max(left, time.Minute), 24*time.Hour))
	}
	return nil
}

// showTrust says whether browsers and phones will accept the certificate.
func showTrust(p *v1alpha1.PBX, info security.CertificateInfo, s *scope) {
	condition := v1alpha1.ConditionCertificateTrusted
	switch {
	case info.SelfSigned:
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonSelfSigned, "it is self-signed: browsers refuse it, and WebRTC agents cannot register")
	case !info.CoversHost:
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNameMismatch, fmt.Sprintf(
			"it is for %s, not for spec.advertisedAddress %s", strings.Join(info.Names, ", "), p.Spec.AdvertisedAddress))
	default:
		s.ok(condition, v1alpha1.ReasonSucceeded, "it is valid until "+info.NotAfter.UTC().Format(time.RFC3339))
	}
}

// showContexts says whether the way out of the center exists at the PBX.
func showContexts(p *v1alpha1.PBX, status linkStatus, s *scope) {
	condition := v1alpha1.ConditionContextsPresent
	switch {
	case p.Spec.Outbound == nil:
		s.ok(condition, v1alpha1.ReasonNoOutbound, "no outbound context is asked for")
	case !status.Connected || !status.AsteriskUp || status.AppliedVersion == "":
		s.keepNote(condition)
	case len(status.MissingContexts) > 0:
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonContextMissing, "the PBX's own dialplan has no context "+
			strings.Join(status.MissingContexts, ", ")+"; numbers outside the center cannot be reached")
	default:
		s.ok(condition, v1alpha1.ReasonSucceeded, "context "+p.Spec.Outbound.Context+" exists")
	}
}
