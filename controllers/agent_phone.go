package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// phone keeps the SIP Secret and says whether every PBX has the endpoint as it is now.
func (k *agentKind) phone(ctx context.Context, a *v1alpha1.Agent, problems []admission.Problem, s *scope) error {
	condition := v1alpha1.ConditionSIPProvisioned
	var pbxes v1alpha1.PBXList
	if err := k.List(ctx, &pbxes, client.InNamespace(a.Namespace)); err != nil {
		return fmt.Errorf("listing PBXes: %w", err)
	}
	slices.SortFunc(pbxes.Items, func(x, y v1alpha1.PBX) int { return strings.Compare(x.Name, y.Name) })
	if stallOn(s, problems, condition) {
		return nil
	}
	if ok, err := k.keepSIPSecret(ctx, a, pbxes.Items, s); err != nil || !ok {
		return err
	}
	if err := k.showContacts(ctx, a, pbxes.Items, s); err != nil {
		return err
	}
	if len(pbxes.Items) == 0 {
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNoPBX, "the namespace has no PBX; the agent has no phone")
		return nil
	}
	for i := range pbxes.Items {
		if done, err := k.provisioned(ctx, a, &pbxes.Items[i], s); err != nil || !done {
			return err
		}
	}
	s.ok(condition, v1alpha1.ReasonProvisioned, fmt.Sprintf("in effect on %d PBX", len(pbxes.Items)))
	return nil
}

// provisioned compares the endpoint as it should be with what the PBX acknowledged.
func (k *agentKind) provisioned(ctx context.Context, a *v1alpha1.Agent, pbx *v1alpha1.PBX, s *scope) (bool, error) {
	condition := v1alpha1.ConditionSIPProvisioned
	e, err := k.model.endpoint(ctx, pbx, a)
	switch {
	case errors.Is(err, errNotProvisionable):
		if a.Spec.AccountState == v1alpha1.AccountDeactivated {
			status := k.link.Status(linkKey(pbx))
			if _, there := status.AppliedObjects[agentKey(a.Name)]; there && status.Connected {
				s.wait(condition, v1alpha1.ReasonWaitingForPBX, "PBX "+pbx.Name+" has not withdrawn the endpoint yet")
				return false, nil
			}
			return true, nil
		}
		// Its Secret was written a moment ago and is not in the cache yet.
		s.wait(condition, v1alpha1.ReasonWaitingForPBX, notAcknowledged(pbx))
		return false, nil
	case err != nil:
		return false, err
	}
	if broken := e.Validate(pbxModel(pbx)); len(broken) > 0 {
		s.stall(condition, unfitReason(broken), fmt.Sprintf("PBX %s: %s", pbx.Name, errors.Join(broken...)))
		return false, nil
	}
	return k.link.acknowledged(s, condition, pbx, agentKey(a.Name), e.Fingerprint(), notAcknowledged(pbx)), nil
}

func notAcknowledged(pbx *v1alpha1.PBX) string {
	return "PBX " + pbx.Name + " has not acknowledged the present configuration yet"
}

// unfitReason names why an endpoint does not fit a PBX.
func unfitReason(broken []error) string {
	if f, ok := errors.AsType[*voice.FieldError](errors.Join(broken...)); ok {
		switch f.Field {
		case "Transport":
			return v1alpha1.ReasonTransportMissing
		case "Context":
			return v1alpha1.ReasonContextForbidden
		}
	}
	return v1alpha1.ReasonInvalid
}

// keepSIPSecret writes the Secret a phone or a client is configured from. Its password is the one the spec refers to, else the
// one that is there, else a new one.
func (k *agentKind) keepSIPSecret(ctx context.Context, a *v1alpha1.Agent, pbxes []v1alpha1.PBX, s *scope) (bool, error) {
	a.Status.SIP.SecretName = a.SIPSecretName()
	err := keepSecret(ctx, k.Client, a, a.SIPSecretName(), "sip", func(present map[string][]byte) (map[string][]byte, error) {
		password := string(present[sipPassword])
		var err error
		if ref := a.Spec.SIP.PasswordSecretRef; ref != nil {
			password, err = k.model.reference(ctx, a.Namespace, ref)
		} else if password == "" {
			password = security.GeneratePassword()
		}
		return sipSecretData(a, pbxes, password), err
	})
	if reportSecretExists(s, err, v1alpha1.ConditionSIPProvisioned, a.SIPSecretName()) {
		return false, nil
	}
	return err == nil, err
}

func sipSecretData(a *v1alpha1.Agent, pbxes []v1alpha1.PBX, password string) map[string][]byte {
	data := map[string][]byte{
		sipUsername: []byte(a.Username()), sipPassword: []byte(password),
		sipExtension: []byte(a.Status.Extension), sipTransport: []byte(a.Spec.SIP.Transport),
	}
	for i := range pbxes {
		p, t := &pbxes[i], pbxes[i].Spec.Transports
		port := map[v1alpha1.SIPTransport]*v1alpha1.TransportPort{
			v1alpha1.TransportUDP: t.UDP, v1alpha1.TransportTCP: t.TCP, v1alpha1.TransportWSS: t.WSS,
		}[a.Spec.SIP.Transport]
		if port == nil || !p.DeletionTimestamp.IsZero() {
			continue
		}
		address := net.JoinHostPort(p.Spec.AdvertisedAddress, strconv.Itoa(int(port.Port)))
		data[sipRealm], data[sipServer] = []byte(p.Spec.Realm), []byte(address)
		if a.Spec.SIP.Transport == v1alpha1.TransportWSS {
			data[sipURL] = []byte("wss://" + address + "/ws")
		}
		break
	}
	return data
}

// showContacts mirrors registrations; without any, a PBX that cannot be asked makes the answer unknown.
func (k *agentKind) showContacts(ctx context.Context, a *v1alpha1.Agent, pbxes []v1alpha1.PBX, s *scope) error {
	regs, err := k.store.RegistrationsOf(ctx, a.Namespace, a.Status.Extension)
	if err != nil {
		return fmt.Errorf("reading registrations: %w", err)
	}
	a.Status.SIP.Contacts = nil
	connected := map[string]bool{}
	for i := range pbxes {
		status := k.link.Status(linkKey(&pbxes[i]))
		connected[pbxes[i].Name] = status.Connected && status.AsteriskUp || k.link.settling(status)
		if k.link.settling(status) {
			s.requeue(settleTime)
		}
	}
	for _, r := range regs {
		if connected[r.PBX] && len(a.Status.SIP.Contacts) < 16 {
			a.Status.SIP.Contacts = append(a.Status.SIP.Contacts, v1alpha1.SIPContact{PBX: r.PBX, Since: seconds(r.Since)})
		}
	}
	blind := slices.Contains(slices.Collect(maps.Values(connected)), false)
	switch condition := v1alpha1.ConditionRegistered; {
	case len(a.Status.SIP.Contacts) > 0:
		a.Status.SIP.State = "Registered"
		s.ok(condition, v1alpha1.ReasonRegistered, "at PBX "+a.Status.SIP.Contacts[0].PBX)
	case blind:
		a.Status.SIP.State = "Unknown"
		s.note(condition, metav1.ConditionUnknown, v1alpha1.ReasonDisconnected, "a PBX is not connected")
	default:
		a.Status.SIP.State = "Unregistered"
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNotRegistered, "no phone is registered")
	}
	return nil
}
