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
	"github.com/ringmaster-dev/ringmaster/internal/security"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// Keys of the Secret of a phone, <agent>-sip or <telephone>-telephone-sip.
const (
	sipUsername  = "username"
	sipPassword  = "password"
	sipExtension = "extension"
	sipRealm     = "realm"
	sipServer    = "server"
	sipServers   = "servers"
	sipTransport = "transport"
	sipURL       = "url"
)

// phones keep the SIP Secrets of agents and telephones and say where their phones are.
type phones struct {
	client.Client
	model voiceModel
	link  linkView
	store registrationReader
}

type registrationReader interface {
	RegistrationsOf(ctx context.Context, namespace, extension string) ([]store.Registration, error)
}

// phone is one account as phones treats it.
type phone struct {
	object v1alpha1.Object
	// key in snapshots, name of the endpoint.
	key, endpoint string
	username      string
	secret        string
	account       *v1alpha1.SIPAccount
	status        *v1alpha1.SIPStatus
	// withdrawn phones have no endpoint, which is as it should be.
	withdrawn bool
	// model is the endpoint as a PBX must know it.
	model func(ctx context.Context, pbx *v1alpha1.PBX) (voice.Endpoint, error)
}

// listPBXes of a namespace, by name.
func listPBXes(ctx context.Context, c client.Reader, namespace string) ([]v1alpha1.PBX, error) {
	var pbxes v1alpha1.PBXList
	if err := c.List(ctx, &pbxes, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing PBXes: %w", err)
	}
	slices.SortFunc(pbxes.Items, func(x, y v1alpha1.PBX) int { return strings.Compare(x.Name, y.Name) })
	return pbxes.Items, nil
}

// keep writes the Secret and says whether every PBX has the endpoint as it is now.
func (k phones) keep(ctx context.Context, p phone, pbxes []v1alpha1.PBX, s *scope) error {
	condition := v1alpha1.ConditionSIPProvisioned
	if ok, err := k.keepSecret(ctx, p, pbxes, s); err != nil || !ok {
		return err
	}
	if len(pbxes) == 0 {
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNoPBX, "the namespace has no PBX, so there is no phone")
		return nil
	}
	var waiting []string
	for i := range pbxes {
		done, err := k.provisioned(ctx, p, &pbxes[i], s)
		if err != nil {
			return err
		}
		if !done {
			waiting = append(waiting, pbxes[i].Name)
		}
	}
	if len(waiting) == 0 {
		s.ok(condition, v1alpha1.ReasonProvisioned, fmt.Sprintf("in effect on %d PBX", len(pbxes)))
	}
	return nil
}

// provisioned compares the endpoint as it should be with what the PBX acknowledged.
func (k phones) provisioned(ctx context.Context, p phone, pbx *v1alpha1.PBX, s *scope) (bool, error) {
	condition := v1alpha1.ConditionSIPProvisioned
	e, err := p.model(ctx, pbx)
	switch {
	case errors.Is(err, errNotProvisionable):
		if p.withdrawn {
			status := k.link.Status(linkKey(pbx))
			if _, there := status.AppliedObjects[p.key]; there && status.Connected {
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
	settings, err := k.model.pbx(ctx, pbx, centerRules{})
	if err != nil {
		return false, err
	}
	if broken := e.Validate(settings); len(broken) > 0 {
		s.stall(condition, unfitReason(broken), fmt.Sprintf("PBX %s: %s", pbx.Name, inSpec(broken)))
		return false, nil
	}
	return k.link.acknowledged(s, condition, pbx, p.key, e.Fingerprint(), notAcknowledged(pbx)), nil
}

func notAcknowledged(pbx *v1alpha1.PBX) string {
	return "PBX " + pbx.Name + " has not acknowledged the present configuration yet"
}

// specFields are where fields of the model stand in an object.
var specFields = map[string]string{
	"Agent/DisplayName": "spec.fullName", "Telephone/DisplayName": "spec.displayName", "Queue/Name": "metadata.name",
}

// inSpec tells the model's objections by the fields of the object.
func inSpec(broken []error) error {
	told := make([]error, len(broken))
	for i, err := range broken {
		told[i] = err
		f, ok := errors.AsType[*voice.FieldError](err)
		if !ok {
			continue
		}
		kind, _, _ := strings.Cut(f.Object, "/")
		if field := specFields[kind+"/"+f.Field]; field != "" {
			told[i] = &voice.FieldError{Object: f.Object, Field: field, Reason: f.Reason}
		}
	}
	return errors.Join(told...)
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

// keepSecret writes the Secret a phone or a client is configured from. Its password is the one the spec refers to, else the
// one that is there, else a new one.
func (k phones) keepSecret(ctx context.Context, p phone, pbxes []v1alpha1.PBX, s *scope) (bool, error) {
	p.status.SecretName = p.secret
	err := keepSecret(ctx, k.Client, p.object.(client.Object), p.secret, "sip", func(present map[string][]byte) (map[string][]byte, error) {
		password := string(present[sipPassword])
		var err error
		if ref := p.account.PasswordSecretRef; ref != nil {
			password, err = k.model.reference(ctx, p.object.GetNamespace(), ref)
		} else if password == "" {
			password = security.GeneratePassword()
		}
		return p.secretData(pbxes, password), err
	})
	if reportSecretExists(s, err, v1alpha1.ConditionSIPProvisioned, p.secret) {
		return false, nil
	}
	return err == nil, err
}

// secretData is what a phone is configured from. server and url are those of the first PBX that offers the transport; servers are all of
// them, for phones that know a second one.
func (p phone) secretData(pbxes []v1alpha1.PBX, password string) map[string][]byte {
	data := map[string][]byte{
		sipUsername: []byte(p.username), sipPassword: []byte(password),
		sipExtension: []byte(p.endpoint), sipTransport: []byte(p.account.Transport),
	}
	var servers []string
	for i := range pbxes {
		b := &pbxes[i]
		port := transportPort(b, p.account.Transport)
		if port == 0 || !b.DeletionTimestamp.IsZero() {
			continue
		}
		address := net.JoinHostPort(b.Spec.AdvertisedAddress, strconv.Itoa(int(port)))
		servers = append(servers, address)
		if len(servers) > 1 {
			continue
		}
		data[sipRealm], data[sipServer] = []byte(b.Spec.Realm), []byte(address)
		if t := p.account.Transport; t == v1alpha1.TransportWSS || t == v1alpha1.TransportWS {
			data[sipURL] = []byte(strings.ToLower(string(t)) + "://" + address + "/ws")
		}
	}
	if len(servers) > 0 {
		data[sipServers] = []byte(strings.Join(servers, ","))
	}
	return data
}

// transportPort is where a PBX offers a transport, 0 if it does not.
func transportPort(pbx *v1alpha1.PBX, transport v1alpha1.SIPTransport) int32 {
	t := pbx.Spec.Transports
	port := map[v1alpha1.SIPTransport]*v1alpha1.TransportPort{
		v1alpha1.TransportUDP: t.UDP, v1alpha1.TransportTCP: t.TCP, v1alpha1.TransportTLS: t.TLS,
		v1alpha1.TransportWS: t.WS, v1alpha1.TransportWSS: t.WSS,
	}[transport]
	if port == nil {
		return 0
	}
	return port.Port
}

// showContacts mirrors registrations and returns them; without any, a PBX that cannot be asked makes the answer unknown. endpoints are the
// names the phone may be registered by.
func (k phones) showContacts(ctx context.Context, p phone, pbxes []v1alpha1.PBX, s *scope) ([]store.Registration, error) {
	regs, err := k.store.RegistrationsOf(ctx, p.object.GetNamespace(), p.endpoint)
	if err != nil {
		return nil, fmt.Errorf("reading registrations: %w", err)
	}
	p.status.Contacts = nil
	connected := map[string]bool{}
	for i := range pbxes {
		status := k.link.Status(linkKey(&pbxes[i]))
		connected[pbxes[i].Name] = status.Connected && status.AsteriskUp || k.link.settling(status)
		if k.link.settling(status) {
			s.requeue(settleTime)
		}
	}
	regs = slices.DeleteFunc(regs, func(r store.Registration) bool { return !connected[r.PBX] })
	for _, r := range regs[:min(len(regs), 16)] {
		p.status.Contacts = append(p.status.Contacts, v1alpha1.SIPContact{PBX: r.PBX, Since: seconds(r.Since)})
	}
	blind := slices.Contains(slices.Collect(maps.Values(connected)), false)
	switch condition := v1alpha1.ConditionRegistered; {
	case len(p.status.Contacts) > 0:
		p.status.State = "Registered"
		s.ok(condition, v1alpha1.ReasonRegistered, "at PBX "+p.status.Contacts[0].PBX)
	case blind:
		p.status.State = "Unknown"
		s.note(condition, metav1.ConditionUnknown, v1alpha1.ReasonDisconnected, "a PBX is not connected")
	default:
		p.status.State = "Unregistered"
		s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonNotRegistered, "no phone is registered")
	}
	return regs, nil
}
