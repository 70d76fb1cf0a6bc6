package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// voiceModel resolves objects of the cache into what one PBX must know.
type voiceModel struct {
	reader client.Reader
	store  seatStore
	// stateDir is the directory of a PBX's pbxlet, "" while it is not known.
	stateDir func(pbx string) string
}

// seatStore knows who sits at which telephone.
type seatStore interface {
	ListTelephones(ctx context.Context, namespace string) ([]store.TelephoneState, error)
}

// errNotProvisionable: the object has no place on a PBX now (deactivated, no extension yet, Secrets missing).
var errNotProvisionable = errors.New("not provisionable")

// center builds the model of one PBX. Objects that cannot be rendered are left out rather than taking the
// whole center down; their own controllers say what is wrong with them.
func (v voiceModel) center(ctx context.Context, pbx *v1alpha1.PBX) (voice.Center, error) {
	r, err := loadRoster(ctx, v.reader, pbx.Namespace)
	if err != nil {
		return voice.Center{}, err
	}
	if err := r.layer(ctx, v.reader, pbx.Namespace); err != nil {
		return voice.Center{}, err
	}
	rules, err := v.rules(ctx, pbx.Namespace)
	if err != nil {
		return voice.Center{}, err
	}
	var c voice.Center
	if c.PBX, err = v.pbx(ctx, pbx, rules); err != nil {
		return voice.Center{}, err
	}
	if c.Telephones, err = v.telephones(ctx, pbx, c.PBX, rules); err != nil {
		return voice.Center{}, err
	}
	seats, err := v.seats(ctx, pbx.Namespace, c.Telephones)
	if err != nil {
		return voice.Center{}, err
	}
	supervisors := r.supervisors()
	extensions := make(map[string]string, len(r.agents))
	for name, a := range r.agents {
		e, err := v.endpoint(ctx, pbx, a, surroundings{rules, supervisors[name]})
		if errors.Is(err, errNotProvisionable) || (err == nil && len(e.Validate(c.PBX)) > 0) {
			continue
		}
		if err != nil {
			return voice.Center{}, err
		}
		e.Telephone = seats[name]
		c.Agents = append(c.Agents, e)
		extensions[name] = e.Extension
	}
	c.Queues, err = v.queues(ctx, pbx.Namespace, r, extensions)
	return c, err
}

// rules of the center of a namespace; the defaults where it has none.
func (v voiceModel) rules(ctx context.Context, namespace string) (centerRules, error) {
	center, err := onlyCenter(ctx, v.reader, namespace)
	if errors.Is(err, errNoCenter) {
		return centerRules{}, nil
	}
	if err != nil {
		return centerRules{}, err
	}
	return rulesOf(center), nil
}

// centerRules are what a ContactCenter says about calls.
type centerRules struct {
	locale           string
	forbiddenForward []string
	// withdrawExpired takes the phones of agents whose sign-in password has expired off the PBXes.
	withdrawExpired bool
}

func rulesOf(center *v1alpha1.ContactCenter) centerRules {
	return centerRules{
		locale: center.Spec.Locale, forbiddenForward: center.Spec.Voice.ForbiddenForwardPrefixes,
		withdrawExpired: center.Spec.Security.ExpiredPasswordAction == v1alpha1.WithdrawPhone,
	}
}

// withdrawn agents have no phone, which is as it should be.
func (r centerRules) withdrawn(a *v1alpha1.Agent) bool {
	return a.Spec.AccountState == v1alpha1.AccountDeactivated || r.withdrawExpired && passwordExpired(a)
}

// seats names the endpoint of the telephone at which each agent sits, of those that this PBX has.
func (v voiceModel) seats(ctx context.Context, namespace string, telephones []voice.Endpoint) (map[string]string, error) {
	if len(telephones) == 0 {
		return nil, nil
	}
	states, err := v.store.ListTelephones(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("reading who sits where: %w", err)
	}
	there := make(map[string]bool, len(telephones))
	for _, t := range telephones {
		there[t.Name] = true
	}
	seats := map[string]string{}
	for _, t := range states {
		if t.Agent != "" && there[t.Username] {
			seats[t.Agent] = t.Username
		}
	}
	return seats, nil
}

func (v voiceModel) reference(ctx context.Context, namespace string, ref *v1alpha1.SecretKeyReference) (string, error) {
	if ref == nil {
		return "", errNotProvisionable
	}
	return v.secret(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, ref.Key)
}

// secret reads one key from the cache, which holds labelled Secrets only. It copies no Secret: a snapshot looks at one for every agent.
func (v voiceModel) secret(ctx context.Context, name types.NamespacedName, key string) (string, error) {
	var s corev1.Secret
	if err := v.reader.Get(ctx, name, &s, client.UnsafeDisableDeepCopy); err != nil {
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

func agentKey(name string) string     { return agentKeyPrefix + "/" + name }
func queueKey(name string) string     { return queueKeyPrefix + "/" + name }
func telephoneKey(name string) string { return telephoneKeyPrefix + "/" + name }

func duration(d *metav1.Duration, absent time.Duration) time.Duration {
	if d == nil {
		return absent
	}
	return d.Duration
}
