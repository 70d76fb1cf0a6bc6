package controllers

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Keys of the Secret <pbx>-link, everything a pbxlet needs to connect; it can be given to a virtual machine by hand.
const (
	linkToken  = "token"
	linkCA     = "ca.crt"
	linkServer = "server"
	linkPBX    = "pbx"
)

// pbxKind makes the link credentials of a PBX and shows what is known of its Asterisk. The configuration itself is the
// work of snapshots.
type pbxKind struct {
	client.Client
	model   voiceModel
	checker admission.Checker
	link    linkView
	store   pbxStore
	// server is the address that pbxlets dial, host:port.
	server string
	// caBundle is what they verify it with, in PEM.
	caBundle func() []byte
}

// pbxStore is what a PBX needs of the store.
type pbxStore interface {
	CountRegistrations(ctx context.Context, pbx store.Key) (int, error)
	SetRegistrations(ctx context.Context, pbx store.Key, regs []store.Registration) error
	SetCalls(ctx context.Context, pbx store.Key, active []store.Call) error
	SetVoicemail(ctx context.Context, pbx store.Key, boxes []store.Voicemail) error
}

func (k *pbxKind) NeedsFinalizer() bool { return true }

func (k *pbxKind) Reconcile(ctx context.Context, p *v1alpha1.PBX, s *scope) error {
	if _, ok, err := theCenter(ctx, k.Client, p.Namespace, s); err != nil || !ok {
		return err
	}
	if ok, err := k.keepLinkSecret(ctx, p, s); err != nil || !ok {
		return err
	}
	status := k.link.Status(linkKey(p))
	settings, err := k.model.pbx(ctx, p, centerRules{})
	if err != nil {
		return err
	}
	if err := k.certificate(ctx, p, settings, status.ServedCertificate, s); err != nil {
		return err
	}
	// What depends on the certificate was judged with it.
	settings.TLSPort, settings.Certificate = 0, nil
	if broken := settings.Validate(); len(broken) > 0 {
		return s.invalid(v1alpha1.ConditionInSync, errors.Join(broken...))
	}
	registered, err := k.store.CountRegistrations(ctx, storeKey(p))
	if err != nil {
		return fmt.Errorf("counting registrations: %w", err)
	}
	p.Status.PBXlet.ConnectedSince = nil
	if status.Connected {
		p.Status.PBXlet.Version = clip(status.PBXletVersion, 80)
		p.Status.PBXlet.ConnectedSince = seconds(status.Since)
		p.Status.AsteriskVersion = clip(status.AsteriskVersion, 80)
		p.Status.AppliedVersion = clip(status.AppliedVersion, 80)
		p.Status.Endpoints = endpoints(status)
		p.Status.Codecs, p.Status.TranscodedCodecs = short(status.Codecs), short(status.Transcodable)
		if !status.AppliedAt.IsZero() {
			p.Status.AppliedAt = seconds(status.AppliedAt)
		}
	}
	p.Status.Registered, p.Status.ActiveCalls = 0, 0
	if status.Connected && status.AsteriskUp {
		p.Status.Registered = count(registered)
		p.Status.ActiveCalls = count(len(k.link.Calls(linkKey(p))))
	}
	if r := status.LastRejection; r != nil {
		p.Status.LastRejection = &v1alpha1.PBXRejection{Version: clip(r.Version, 80), Reason: clip(r.Reason, maxMessage), Time: *seconds(r.At)}
	}
	if k.link.settling(status) {
		s.keep(v1alpha1.ConditionConnected)
		s.keep(v1alpha1.ConditionInSync)
	} else {
		showLink(s, status)
	}
	showContexts(p, status, s)
	s.ready(v1alpha1.ReasonSucceeded, fmt.Sprintf("Asterisk has the present configuration, %d endpoints", p.Status.Endpoints))
	return nil
}

// endpoints of the configuration that was read back.
func endpoints(status linkStatus) int32 {
	n := int32(0)
	for key := range status.AppliedObjects {
		if kind, _ := splitKey(key); kind == agentKeyPrefix || kind == telephoneKeyPrefix {
			n++
		}
	}
	return n
}

// short keeps a list within what the status takes.
func short(names []string) []string { return names[:min(len(names), 64)] }

// showLink turns the state of the link into conditions.
func showLink(s *scope, status linkStatus) {
	switch condition := v1alpha1.ConditionConnected; {
	case !status.Connected:
		s.unknown(condition, v1alpha1.ReasonDisconnected, "no pbxlet is connected; calls go on with the configuration Asterisk has")
		s.unknown(v1alpha1.ConditionInSync, v1alpha1.ReasonDisconnected, "no pbxlet is connected")
		return
	case !status.AsteriskUp:
		s.fail(condition, v1alpha1.ReasonAsteriskDown, "the pbxlet is connected, but its Asterisk does not answer: "+status.Problem)
		s.unknown(v1alpha1.ConditionInSync, v1alpha1.ReasonAsteriskDown, "Asterisk does not answer")
		return
	}
	s.ok(v1alpha1.ConditionConnected, v1alpha1.ReasonConnected, "the pbxlet is connected and Asterisk answers")
	switch condition := v1alpha1.ConditionInSync; {
	case rejected(status):
		s.fail(condition, v1alpha1.ReasonRejected, "the present configuration was refused, the one before is in effect: "+status.LastRejection.Reason)
	case len(status.RestartRequired) > 0:
		s.fail(condition, v1alpha1.ReasonRestartRequired, "spec.transports or spec.bindAddress changed; restart Asterisk when calls allow it")
	case status.WantedVersion == "" || status.AppliedVersion != status.WantedVersion:
		s.wait(condition, v1alpha1.ReasonProgressing, "the present configuration is on its way")
	default:
		s.ok(condition, v1alpha1.ReasonSucceeded, "version "+clip(status.AppliedVersion, 12))
	}
}

// rejected tells whether the configuration wanted now is the one that was refused.
func rejected(status linkStatus) bool {
	return status.LastRejection != nil && status.LastRejection.Version == status.WantedVersion
}

// keepLinkSecret writes what the pbxlet connects with. The token is made once and kept; deleting the Secret makes a new one.
func (k *pbxKind) keepLinkSecret(ctx context.Context, p *v1alpha1.PBX, s *scope) (bool, error) {
	p.Status.LinkSecretName = p.Name + "-link"
	err := keepSecret(ctx, k.Client, p, p.Status.LinkSecretName, "link", func(present map[string][]byte) (map[string][]byte, error) {
		token := present[linkToken]
		if len(token) == 0 {
			token = []byte(security.NewToken())
		}
		return map[string][]byte{linkToken: token, linkCA: k.caBundle(), linkServer: []byte(k.server), linkPBX: []byte(linkKey(p))}, nil
	})
	if reportSecretExists(s, err, v1alpha1.ConditionConnected, p.Status.LinkSecretName) {
		return false, nil
	}
	return err == nil, err
}

// Finalize forgets the PBX. Its Asterisk keeps the configuration it has; nobody is cut off by deleting the object.
func (k *pbxKind) Finalize(ctx context.Context, p *v1alpha1.PBX) (bool, error) {
	k.link.Forget(linkKey(p))
	for _, forget := range []func() error{
		func() error { return k.store.SetRegistrations(ctx, storeKey(p), nil) },
		func() error { return k.store.SetCalls(ctx, storeKey(p), nil) },
		func() error { return k.store.SetVoicemail(ctx, storeKey(p), nil) },
	} {
		if err := forget(); err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	return true, nil
}
