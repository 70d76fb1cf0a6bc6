package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// Keys of the Secret <agent>-sip.
const (
	sipUsername  = "username"
	sipPassword  = "password"
	sipExtension = "extension"
	sipRealm     = "realm"
	sipServer    = "server"
	sipTransport = "transport"
	sipURL       = "url"
)

// voiceModel resolves objects of the cache into what one PBX must know.
type voiceModel struct{ reader client.Reader }

// center builds the model of one PBX. Objects that cannot be rendered are left out rather than taking the
// whole center down; their own controllers say what is wrong with them.
func (v voiceModel) center(ctx context.Context, pbx *v1alpha1.PBX) (voice.Center, error) {
	r, err := loadRoster(ctx, v.reader, pbx.Namespace)
	if err != nil {
		return voice.Center{}, err
	}
	c := voice.Center{PBX: pbxModel(pbx)}
	extensions := make(map[string]string, len(r.agents))
	for name, a := range r.agents {
		e, err := v.endpoint(ctx, pbx, a)
		if errors.Is(err, errNotProvisionable) || (err == nil && len(e.Validate(c.PBX)) > 0) {
			continue
		}
		if err != nil {
			return voice.Center{}, err
		}
		c.Agents = append(c.Agents, e)
		extensions[name] = e.Extension
	}
	var queues v1alpha1.QueueList
	if err := v.reader.List(ctx, &queues, client.InNamespace(pbx.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return voice.Center{}, fmt.Errorf("listing queues: %w", err)
	}
	numbers := queueNumbers(queues.Items)
	for i := range queues.Items {
		q := &queues.Items[i]
		if q.Spec.Channel != v1alpha1.ChannelVoice || !q.DeletionTimestamp.IsZero() || numbers[q.Spec.Number] != q.Name {
			continue
		}
		members, _, err := r.queue(q)
		if err != nil {
			continue
		}
		if m := queueModel(q, members, r, extensions); len(m.Validate()) == 0 {
			c.Queues = append(c.Queues, m)
		}
	}
	return c, nil
}

// queueNumbers names the queue that owns each number: the oldest, then the first by name.
func queueNumbers(queues []v1alpha1.Queue) map[string]string {
	order := make([]*v1alpha1.Queue, 0, len(queues))
	for i := range queues {
		order = append(order, &queues[i])
	}
	slices.SortFunc(order, func(a, b *v1alpha1.Queue) int {
		if c := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	owner := map[string]string{}
	for _, q := range order {
		if _, taken := owner[q.Spec.Number]; !taken {
			owner[q.Spec.Number] = q.Name
		}
	}
	return owner
}

// errNotProvisionable: the agent has no place on a PBX now (deactivated, no extension yet, Secrets missing).
var errNotProvisionable = errors.New("not provisionable")

// endpoint is the agent as one PBX must know it.
func (v voiceModel) endpoint(ctx context.Context, pbx *v1alpha1.PBX, a *v1alpha1.Agent) (voice.Endpoint, error) {
	if a.Spec.AccountState == v1alpha1.AccountDeactivated || a.Status.Extension == "" || !a.DeletionTimestamp.IsZero() {
		return voice.Endpoint{}, errNotProvisionable
	}
	password, err := v.secret(ctx, types.NamespacedName{Namespace: a.Namespace, Name: a.SIPSecretName()}, sipPassword)
	if err != nil {
		return voice.Endpoint{}, err
	}
	e := voice.Endpoint{
		Key:         agentKey(a.Name),
		Extension:   a.Status.Extension,
		Username:    a.Username(),
		DisplayName: a.Spec.FullName,
		HA1:         voice.HA1(a.Username(), pbx.Spec.Realm, password),
		Transport:   voice.Transport(a.Spec.SIP.Transport),
		NAT:         voice.NAT(a.Spec.SIP.NAT),
		CallerID:    voice.CallerID{Name: a.Spec.SIP.CallerID.Name, Number: a.Spec.SIP.CallerID.Number},
		Context:     a.Spec.SIP.Context,
		Expires:     duration(a.Spec.SIP.Expires, time.Hour),
		Codecs:      codecs(a),
	}
	for _, g := range a.Spec.SIP.CallGroups {
		e.CallGroups = append(e.CallGroups, int(g))
	}
	for _, g := range a.Spec.SIP.PickupGroups {
		e.PickupGroups = append(e.PickupGroups, int(g))
	}
	if a.Spec.Voicemail.State == v1alpha1.Enabled {
		pin, err := v.reference(ctx, a.Namespace, a.Spec.Voicemail.PINSecretRef)
		if err != nil {
			return voice.Endpoint{}, err
		}
		e.Voicemail = &voice.Mailbox{PIN: pin, FullName: a.Spec.FullName}
	}
	return e, nil
}

func codecs(a *v1alpha1.Agent) []string {
	var names []string
	for _, c := range a.Spec.SIP.Codecs {
		names = append(names, string(c))
	}
	return names
}

func (v voiceModel) reference(ctx context.Context, namespace string, ref *v1alpha1.SecretKeyReference) (string, error) {
	if ref == nil {
		return "", errNotProvisionable
	}
	return v.secret(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, ref.Key)
}

// secret reads one key from the cache, which holds labelled Secrets only.
func (v voiceModel) secret(ctx context.Context, name types.NamespacedName, key string) (string, error) {
	var s corev1.Secret
	if err := v.reader.Get(ctx, name, &s); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return "", errNotProvisionable
		}
		return "", fmt.Errorf("reading secret %s: %w", name.Name, err)
	}
	if len(s.Data[key]) == 0 {
		return "", errNotProvisionable
	}
	return string(s.Data[key]), nil
}

// queue is the voice queue as one PBX must know it: with the members that have an endpoint there.
func (v voiceModel) queue(ctx context.Context, pbx *v1alpha1.PBX, q *v1alpha1.Queue, members []v1alpha1.EffectiveMember, r *roster) (voice.Queue, error) {
	extensions := make(map[string]string, len(members))
	for _, m := range members {
		ext, err := v.provisionable(ctx, pbx, r.agents[m.Agent])
		if err != nil {
			return voice.Queue{}, err
		}
		extensions[m.Agent] = ext
	}
	return queueModel(q, members, r, extensions), nil
}

// provisionable is the agent's extension if the agent has an endpoint on this PBX, else "".
func (v voiceModel) provisionable(ctx context.Context, pbx *v1alpha1.PBX, a *v1alpha1.Agent) (string, error) {
	e, err := v.endpoint(ctx, pbx, a)
	if errors.Is(err, errNotProvisionable) || (err == nil && len(e.Validate(pbxModel(pbx))) > 0) {
		return "", nil
	}
	return e.Extension, err
}

func pbxModel(pbx *v1alpha1.PBX) voice.PBX {
	m := voice.PBX{
		Realm:             pbx.Spec.Realm,
		BindAddress:       pbx.Spec.BindAddress,
		AdvertisedAddress: pbx.Spec.AdvertisedAddress,
		AllowedContexts:   pbx.Spec.Contexts,
		LocalNetworks:     pbx.Spec.LocalNetworks,
	}
	if t := pbx.Spec.Transports.UDP; t != nil {
		m.UDPPort = int(t.Port)
	}
	if t := pbx.Spec.Transports.TCP; t != nil {
		m.TCPPort = int(t.Port)
	}
	if t := pbx.Spec.Transports.WSS; t != nil {
		m.WSSPort = int(t.Port)
	}
	return m
}

func queueModel(q *v1alpha1.Queue, members []v1alpha1.EffectiveMember, r *roster, extensions map[string]string) voice.Queue {
	m := voice.Queue{Key: queueKey(q.Name), Name: q.Name, Number: q.Spec.Number, Strategy: voice.Strategy(q.Spec.Strategy)}
	if t := q.Spec.Voice; t != nil {
		m.Timeout = duration(t.RingTimeout, 0)
		m.Retry = duration(t.RetryInterval, 0)
		m.WrapUpTime = duration(t.WrapUpTime, 0)
		m.MaxLen = int(t.MaxWaiting)
	}
	for _, member := range members {
		if ext := extensions[member.Agent]; ext != "" {
			m.Members = append(m.Members, voice.Member{
				Extension: ext, Penalty: int(member.Penalty), Name: r.agents[member.Agent].Spec.FullName,
			})
		}
	}
	return m
}

func agentKey(name string) string { return agentKeyPrefix + "/" + name }
func queueKey(name string) string { return queueKeyPrefix + "/" + name }

func duration(d *metav1.Duration, absent time.Duration) time.Duration {
	if d == nil {
		return absent
	}
	return d.Duration
}
