package importer

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// draft is an object with the lines its fields come from.
type draft[T any] struct {
	object T
	// section it comes from, and where that begins.
	section  string
	position asteriskconf.Position
	// fields by path, as in spec.sip.codecs.
	fields map[string]asteriskconf.Setting
	// secrets of an agent, by the key of the Secret.
	secrets map[string]string
}

func newDraft[T any](s *section) draft[T] {
	return draft[T]{section: s.Name, position: s.Position, fields: map[string]asteriskconf.Setting{}, secrets: map[string]string{}}
}

// Keys of an agent's Secret. password and pin are those that admission checks before an Agent refers to them.
const (
	keyPassword    = "password"
	keyPIN         = "pin"
	keySIPPassword = "sip"
)

// minSIPPassword is the length of the shortest SIP password that admission accepts, in characters.
const minSIPPassword = 8

// secretName of an agent; <agent>-sip is the one that Ringmaster makes itself.
func secretName(agent string) string { return agent + "-credentials" }

// credentials makes Secrets.
type credentials struct {
	options Options
	report  *Report
}

// refer makes an agent refer to its secrets, before it is validated.
func refer(d *draft[v1alpha1.Agent]) {
	ref := func(key string) *v1alpha1.SecretKeyReference {
		if d.secrets[key] == "" {
			return nil
		}
		return &v1alpha1.SecretKeyReference{Name: secretName(d.object.Name), Key: key}
	}
	spec := &d.object.Spec
	if r := ref(keyPassword); r != nil {
		spec.PasswordSecretRef = r
	}
	if r := ref(keySIPPassword); r != nil {
		spec.SIP.PasswordSecretRef = r
	}
	if r := ref(keyPIN); r != nil {
		spec.Voicemail.PINSecretRef = r
	}
}

// secret is what an agent refers to, nil if nothing.
func (c credentials) secret(d *draft[v1alpha1.Agent]) *corev1.Secret {
	if len(d.secrets) == 0 {
		return nil
	}
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: secretName(d.object.Name), Namespace: c.options.Namespace,
			Labels: map[string]string{v1alpha1.CredentialLabel: v1alpha1.CredentialAgent},
		},
		StringData: d.secrets,
	}
}

// complete decides about the three secrets of an agent: those that are not legal are left out with a line in the report, and new
// ones made where that is asked for. The settings are where the secrets come from.
func (c credentials) complete(d *draft[v1alpha1.Agent], sip, pin *asteriskconf.Setting) error {
	if value := d.secrets[keySIPPassword]; value != "" && sip != nil {
		if why := sipPasswordFault(value); why != "" {
			delete(d.secrets, keySIPPassword)
			c.tell(d, *sip, Dropped, why+": Ringmaster makes a new one, which the phone needs")
		}
	}
	if value, ok := d.secrets[keyPIN]; ok && pin != nil {
		if err := c.pin(d, value, *pin); err != nil {
			return err
		}
	}
	if c.options.GeneratePasswords && d.secrets[keyPassword] == "" && d.object.Spec.PasswordSecretRef == nil {
		password, err := generatePassword()
		if err != nil {
			return err
		}
		d.secrets[keyPassword] = password
	}
	return nil
}

func (c credentials) pin(d *draft[v1alpha1.Agent], value string, from asteriskconf.Setting) error {
	faults := security.CheckPIN(value, d.object.Spec.Extension)
	if len(faults) == 0 {
		return nil
	}
	if !c.options.GeneratePasswords {
		delete(d.secrets, keyPIN)
		d.object.Spec.Voicemail = v1alpha1.AgentVoicemail{}
		c.tell(d, from, Dropped, security.Explain(faults)+": the agent has no voicemail; --generate-passwords makes a new PIN")
		return nil
	}
	pin, err := generatePIN(d.object.Spec.Extension)
	if err != nil {
		return err
	}
	d.secrets[keyPIN] = pin
	c.tell(d, from, Changed, security.Explain(faults)+": a new PIN is in the Secret")
	return nil
}

func (c credentials) tell(d *draft[v1alpha1.Agent], from asteriskconf.Setting, effect Effect, why string) {
	c.report.add(Item{Position: from.Position, Section: d.section, Option: from.Name, Effect: effect, Why: why})
}

// sipPasswordFault is what admission would refuse of a SIP password, or "".
func sipPasswordFault(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "a SIP password must not contain control characters"
	}
	if len([]rune(value)) < minSIPPassword {
		return fmt.Sprintf("a SIP password needs at least %d characters", minSIPPassword)
	}
	return ""
}
