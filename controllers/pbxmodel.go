package controllers

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// pbx is the PBX by itself. A certificate that is not there, or whose place at the PBX is not known, leaves it out; then a PBX with TLS
// cannot be rendered, and is not before it can.
func (v voiceModel) pbx(ctx context.Context, pbx *v1alpha1.PBX, rules centerRules) (voice.PBX, error) {
	m := pbxModel(pbx)
	m.ForbiddenPrefixes = rules.forbiddenForward
	if pbx.Spec.TLS == nil {
		return m, nil
	}
	m.StateDir = v.stateDir(linkKey(pbx))
	pair, err := v.keyPair(ctx, types.NamespacedName{Namespace: pbx.Namespace, Name: pbx.Spec.TLS.SecretRef.Name})
	if err != nil && !errors.Is(err, errNotProvisionable) {
		return voice.PBX{}, err
	}
	m.Certificate = pair
	return m, nil
}

func pbxModel(pbx *v1alpha1.PBX) voice.PBX {
	m := voice.PBX{
		Realm:              pbx.Spec.Realm,
		BindAddress:        pbx.Spec.BindAddress,
		AdvertisedAddress:  pbx.Spec.AdvertisedAddress,
		AllowedContexts:    pbx.Spec.Contexts,
		LocalNetworks:      pbx.Spec.LocalNetworks,
		QualifyInterval:    duration(pbx.Spec.QualifyInterval, 0),
		RecordingDirectory: pbx.Spec.Recordings.Directory,
	}
	t := pbx.Spec.Transports
	for _, p := range []struct {
		port *v1alpha1.TransportPort
		to   *int
	}{{t.UDP, &m.UDPPort}, {t.TCP, &m.TCPPort}, {t.TLS, &m.TLSPort}, {t.WS, &m.WSPort}, {t.WSS, &m.WSSPort}} {
		if p.port != nil {
			*p.to = int(p.port.Port)
		}
	}
	if o := pbx.Spec.Outbound; o != nil {
		m.OutboundContext, m.ServicePrefixes = o.Context, o.ServicePrefixes
	}
	for _, c := range pbx.Spec.MusicClasses {
		m.MusicClasses = append(m.MusicClasses, voice.MusicClass{Name: c.Name, Directory: c.Directory})
	}
	return m
}

// keyPair reads a Secret of type kubernetes.io/tls from the cache.
func (v voiceModel) keyPair(ctx context.Context, name types.NamespacedName) (*voice.Certificate, error) {
	cert, err := v.secret(ctx, name, corev1.TLSCertKey)
	if err != nil {
		return nil, err
	}
	key, err := v.secret(ctx, name, corev1.TLSPrivateKeyKey)
	if err != nil {
		return nil, err
	}
	return &voice.Certificate{CertPEM: []byte(cert), KeyPEM: []byte(key)}, nil
}
