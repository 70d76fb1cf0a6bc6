package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// phone keeps the agent's phone and says where it is and whether it fits.
func (k *agentKind) phone(ctx context.Context, a *v1alpha1.Agent, center *v1alpha1.ContactCenter, teams []v1alpha1.Team, problems []admission.Problem, s *scope) error {
	if stallOn(s, problems, v1alpha1.ConditionSIPProvisioned) {
		return nil
	}
	pbxes, err := listPBXes(ctx, k.Client, a.Namespace)
	if err != nil {
		return err
	}
	around := surroundings{centerRules: rulesOf(center)}
	if around.supervisors, err = k.supervisorsOf(ctx, a, teams); err != nil {
		return err
	}
	p := phone{
		object: a, key: agentKey(a.Name), endpoint: a.Status.Extension, username: a.Username(), secret: a.SIPSecretName(),
		account: &a.Spec.SIP.SIPAccount, status: &a.Status.SIP, withdrawn: around.withdrawn(a),
		model: func(ctx context.Context, pbx *v1alpha1.PBX) (voice.Endpoint, error) {
			return k.phones.model.endpoint(ctx, pbx, a, around)
		},
	}
	if err := k.phones.keep(ctx, p, pbxes, s); err != nil {
		return err
	}
	regs, err := k.phones.showContacts(ctx, p, pbxes, s)
	if err != nil {
		return err
	}
	showClientConsistent(a, regs, s)
	k.showCodecs(a, pbxes, s)
	k.purgeDisabled(ctx, a, pbxes)
	return nil
}

// supervisorsOf are the extensions of those who may monitor the agent.
func (k *agentKind) supervisorsOf(ctx context.Context, a *v1alpha1.Agent, teams []v1alpha1.Team) ([]string, error) {
	if a.Spec.SIP.Monitoring != v1alpha1.Allowed {
		return nil, nil
	}
	found := map[string]*v1alpha1.Agent{}
	var extensions []string
	for i := range teams {
		for _, ref := range teams[i].Spec.Supervisors {
			var supervisor v1alpha1.Agent
			if err := k.Get(ctx, types.NamespacedName{Namespace: a.Namespace, Name: ref.Name}, &supervisor); err == nil && supervisor.DeletionTimestamp.IsZero() {
				found[ref.Name] = &supervisor
			}
		}
		extensions = append(extensions, supervising(&teams[i], a.Name, found)...)
	}
	slices.Sort(extensions)
	return slices.Compact(extensions), nil
}

// showClientConsistent compares the transport that a registered phone uses with the declared one.
func showClientConsistent(a *v1alpha1.Agent, regs []store.Registration, s *scope) {
	condition := v1alpha1.ConditionClientConsistent
	if len(regs) == 0 {
		s.note(condition, metav1.ConditionUnknown, v1alpha1.ReasonNotRegistered, "no phone is registered")
		return
	}
	for _, r := range regs {
		if used := contactTransport(r.URI); !sameTransport(used, a.Spec.SIP.Transport) {
			s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonTransportMismatch, fmt.Sprintf(
				"the phone registered over %s, spec.sip.transport is %s: its codecs, media and address handling are those of the other kind", used, a.Spec.SIP.Transport))
			return
		}
	}
	s.ok(condition, v1alpha1.ReasonSucceeded, "the phone registered over "+string(a.Spec.SIP.Transport))
}

// contactTransport is the transport that a contact names (RFC 3261, 19.1.1); UDP where it names none.
func contactTransport(uri string) string {
	if strings.HasPrefix(strings.ToLower(uri), "sips:") {
		return "TLS"
	}
	for _, parameter := range strings.Split(strings.Trim(uri, "<>"), ";")[1:] {
		if name, value, _ := strings.Cut(parameter, "="); strings.EqualFold(name, "transport") {
			return strings.ToUpper(value)
		}
	}
	return "UDP"
}

// sameTransport: a contact says ws for WebSocket with and without TLS (RFC 7118, 5.2).
func sameTransport(used string, declared v1alpha1.SIPTransport) bool {
	if declared == v1alpha1.TransportWSS || declared == v1alpha1.TransportWS {
		return used == "WS" || used == "WSS"
	}
	return used == string(declared)
}

// showCodecs compares the agent's codecs with those of the connected PBXes.
func (k *agentKind) showCodecs(a *v1alpha1.Agent, pbxes []v1alpha1.PBX, s *scope) {
	condition := v1alpha1.ConditionCodecsAvailable
	wanted := voice.Endpoint{Transport: voice.Transport(a.Spec.SIP.Transport), Codecs: codecs(&a.Spec.SIP.SIPAccount)}.EffectiveCodecs()
	asked := false
	passed := map[string]bool{}
	for i := range pbxes {
		status := k.link.Status(linkKey(&pbxes[i]))
		if len(status.Codecs) == 0 {
			continue
		}
		asked = true
		for _, codec := range wanted {
			if !slices.Contains(status.Codecs, codec) {
				s.note(condition, metav1.ConditionFalse, v1alpha1.ReasonCodecMissing, fmt.Sprintf("PBX %s does not know codec %s", pbxes[i].Name, codec))
				return
			}
			passed[codec] = passed[codec] || !slices.Contains(status.Transcodable, codec)
		}
	}
	if !asked {
		if len(pbxes) > 0 {
			s.keepNote(condition)
		}
		return
	}
	through := slices.DeleteFunc(slices.Clone(wanted), func(codec string) bool { return !passed[codec] })
	if len(through) > 0 {
		s.ok(condition, v1alpha1.ReasonPassThroughOnly, strings.Join(through, ", ")+
			": passed through between phones that share it; a PBX has no module to translate it")
		return
	}
	s.ok(condition, v1alpha1.ReasonSucceeded, strings.Join(wanted, ", "))
}
