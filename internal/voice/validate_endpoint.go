package voice

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate returns every FieldError of the endpoint that a Render for pbx
// would refuse, nil when there is none. A controller uses it to leave out the
// one object that is wrong rather than the center it is in.
func (e Endpoint) Validate(pbx PBX) []error {
	c := &checker{object: e.Key}
	if e.Key == "" {
		c.object = "endpoint " + e.name()
		c.fail("Key", "is empty")
	}
	e.checkNames(c)
	c.match("Username", e.Username, usernamePattern)
	c.secret("HA1", e.HA1, ha1Pattern)
	c.text("DisplayName", e.DisplayName)
	c.text("CallerID.Name", e.CallerID.Name)
	c.optional("CallerID.Number", e.CallerID.Number, callerPattern)
	c.optional("Language", e.Language, languagePattern)
	if _, ok := endpointNAT[e.NAT]; !ok {
		c.fail("NAT", fmt.Sprintf("%q is unknown", e.NAT))
	}
	if !slices.Contains([]NATCompatibility{"", NATCurrent, NATAsterisk14}, e.NATCompatibility) {
		c.fail("NATCompatibility", fmt.Sprintf("%q is unknown", e.NATCompatibility))
	}
	if !pbx.offers(e.transport()) {
		c.fail("Transport", fmt.Sprintf("%s is not offered by the PBX", e.transport()))
	}
	if !slices.Contains(pbx.contexts(), e.context()) {
		c.fail("Context", fmt.Sprintf("%q is not an allowed context of the PBX", e.context()))
	}
	e.checkRole(c)
	e.checkLists(c)
	c.duration("Expires", e.Expires, time.Minute)
	known(c, "Recording", e.Recording, recordingSuffixes)
	if e.AutoAnswer != nil && (*e.AutoAnswer < 0 || *e.AutoAnswer > maxAutoAnswer) {
		c.fail("AutoAnswer", fmt.Sprintf("%s is not between 0s and %s", *e.AutoAnswer, maxAutoAnswer))
	}
	c.optional("Telephone", e.Telephone, telephonePattern)
	if e.Voicemail != nil {
		e.Voicemail.check(c)
	}
	return c.errs
}

// checkNames tells an agent's phone, which has an extension, from a telephone,
// which has none.
func (e Endpoint) checkNames(c *checker) {
	if e.Extension == "" && e.Name != "" {
		c.match("Name", e.Name, telephonePattern)
		if strings.HasPrefix(e.Name, dialplanContext+"-") {
			c.fail("Name", fmt.Sprintf("%q is reserved", e.Name))
		}
		if e.Voicemail != nil {
			c.fail("Voicemail", "needs an Extension")
		}
		return
	}
	c.match("Extension", e.Extension, extensionPattern)
	if e.Name != "" && e.Name != e.Extension {
		c.fail("Name", "is not the Extension")
	}
}

func (e Endpoint) checkRole(c *checker) {
	switch e.Role {
	case "", Friend:
	case User:
		if e.Static != nil {
			c.fail("Static", "has no meaning for role User, which cannot be called")
		}
		if e.Extension == "" {
			c.fail("Role", "User is no role for a telephone, which is called")
		}
	case Peer:
		if e.Static == nil {
			c.fail("Static", "is required for role Peer")
		}
	default:
		c.fail("Role", fmt.Sprintf("%q is unknown", e.Role))
	}
	if e.Static == nil {
		return
	}
	if !isHost(e.Static.Host) {
		c.fail("Static.Host", "is neither an IP address nor a host name")
	}
	c.between("Static.Port", e.Static.Port, 0, 65535)
	if e.web() {
		c.fail("Static", fmt.Sprintf("is impossible over %s, which only the phone can open", e.Transport))
	}
}

func (e Endpoint) checkLists(c *checker) {
	for i, codec := range e.Codecs {
		if !slices.Contains(codecs, codec) {
			c.fail("Codecs", fmt.Sprintf("%q is not one of %s", codec, strings.Join(codecs, ", ")))
		}
		if slices.Contains(e.Codecs[:i], codec) {
			c.fail("Codecs", fmt.Sprintf("names %q twice", codec))
		}
	}
	for field, groups := range map[string][]int{"CallGroups": e.CallGroups, "PickupGroups": e.PickupGroups} {
		for _, g := range groups {
			c.between(field, g, 0, 63)
		}
	}
	for field, groups := range map[string][]string{"NamedCallGroups": e.NamedCallGroups, "NamedPickupGroups": e.NamedPickupGroups} {
		for _, g := range groups {
			c.match(field, g, groupPattern)
		}
	}
	if len(e.Supervisors) > maxSupervisors {
		c.fail("Supervisors", fmt.Sprintf("are more than %d", maxSupervisors))
	}
	for _, s := range e.Supervisors {
		c.match("Supervisors", s, extensionPattern)
	}
}

func (m Mailbox) check(c *checker) {
	c.secret("Voicemail.PIN", m.PIN, pinPattern)
	c.match("Voicemail.Owner", m.Owner, ownerPattern)
	c.text("Voicemail.FullName", m.FullName)
	if !slices.Contains([]Greeting{"", GreetingStandard, GreetingInstructions, GreetingSilent}, m.Greeting) {
		c.fail("Voicemail.Greeting", fmt.Sprintf("%q is unknown", m.Greeting))
	}
	c.between("Voicemail.MaxMessages", m.MaxMessages, 0, maxMessages)
	c.duration("Voicemail.MaxMessageLength", m.MaxMessageLength, time.Second)
	c.optional("Voicemail.Language", m.Language, languagePattern)
}
