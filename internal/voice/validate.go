package voice

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// FieldError says which field of which object cannot be written.
type FieldError struct {
	// Object is the Key of the endpoint or queue, or "PBX".
	Object string
	// Field is the field's name in this package.
	Field string
	// Reason completes "field ...".
	Reason string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %s %s", e.Object, e.Field, e.Reason)
}

var (
	extensionPattern = regexp.MustCompile(`^[0-9]{2,10}$`)
	numberPattern    = regexp.MustCompile(`^[0-9*#]{1,20}$`)
	usernamePattern  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	contextPattern   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,79}$`)
	queuePattern     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,77}[A-Za-z0-9])?$`)
	ha1Pattern       = regexp.MustCompile(`^[0-9a-f]{32}$`)
	pinPattern       = regexp.MustCompile(`^[0-9]{4,10}$`)
	callerPattern    = regexp.MustCompile(`^\+?[0-9*#]{1,32}$`)
	hostPattern      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
)

var codecs = []string{"ulaw", "alaw", "gsm", "g722", "g729", "opus"}

// checker collects the field errors of one object.
type checker struct {
	object string
	errs   []error
}

func (c *checker) fail(field, reason string) {
	c.errs = append(c.errs, &FieldError{Object: c.object, Field: field, Reason: reason})
}

func (c *checker) match(field, value string, p *regexp.Regexp) {
	if !p.MatchString(value) {
		c.fail(field, fmt.Sprintf("%q does not match %s", value, p))
	}
}

// secret is match for a value that must not be repeated in an error.
func (c *checker) secret(field, value string, p *regexp.Regexp) {
	if !p.MatchString(value) {
		c.fail(field, "does not match "+p.String())
	}
}

func (c *checker) text(field, value string) {
	if err := checkText(value); err != nil {
		c.fail(field, err.Error())
	}
}

func (c *checker) duration(field string, d, least time.Duration) {
	if d != 0 && (d < least || d > 24*time.Hour) {
		c.fail(field, fmt.Sprintf("%s is not between %s and 24h", d, least))
	}
}

// Validate returns every FieldError of the endpoint that a Render for pbx
// would refuse, nil when there is none. A controller uses it to leave out the
// one object that is wrong rather than the center it is in.
func (e Endpoint) Validate(pbx PBX) []error {
	c := &checker{object: e.Key}
	if e.Key == "" {
		c.object = "endpoint " + e.Extension
		c.fail("Key", "is empty")
	}
	c.match("Extension", e.Extension, extensionPattern)
	c.match("Username", e.Username, usernamePattern)
	c.secret("HA1", e.HA1, ha1Pattern)
	c.text("DisplayName", e.DisplayName)
	c.text("CallerID.Name", e.CallerID.Name)
	if e.CallerID.Number != "" {
		c.match("CallerID.Number", e.CallerID.Number, callerPattern)
	}
	if _, ok := endpointNAT[e.NAT]; !ok {
		c.fail("NAT", fmt.Sprintf("%q is unknown", e.NAT))
	}
	if !slices.Contains(pbx.transports(), e.transport()) {
		c.fail("Transport", fmt.Sprintf("%s is not offered by the PBX", e.transport()))
	}
	if !slices.Contains(pbx.contexts(), e.context()) {
		c.fail("Context", fmt.Sprintf("%q is not an allowed context of the PBX", e.context()))
	}
	e.checkLists(c)
	c.duration("Expires", e.Expires, time.Minute)
	if e.Voicemail != nil {
		c.secret("Voicemail.PIN", e.Voicemail.PIN, pinPattern)
		c.text("Voicemail.FullName", e.Voicemail.FullName)
	}
	return c.errs
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
			if g < 0 || g > 63 {
				c.fail(field, fmt.Sprintf("%d is not between 0 and 63", g))
			}
		}
	}
}

// Validate returns every FieldError of the queue by itself; that its members
// exist is checked by Render.
func (q Queue) Validate() []error {
	c := &checker{object: q.Key}
	if q.Key == "" {
		c.object = "queue " + q.Name
		c.fail("Key", "is empty")
	}
	c.match("Name", q.Name, queuePattern)
	if q.Name == "general" {
		c.fail("Name", `"general" is reserved by Asterisk`)
	}
	if q.Number != "" {
		c.match("Number", q.Number, numberPattern)
	}
	if q.Strategy != "" && strategies[q.Strategy] == "" {
		c.fail("Strategy", fmt.Sprintf("%q is unknown", q.Strategy))
	}
	if q.AutoPause != "" && autoPauses[q.AutoPause] == "" {
		c.fail("AutoPause", fmt.Sprintf("%q is unknown", q.AutoPause))
	}
	for field, d := range map[string]time.Duration{
		"Timeout": q.Timeout, "Retry": q.Retry, "WrapUpTime": q.WrapUpTime, "ServiceLevel": q.ServiceLevel,
	} {
		c.duration(field, d, time.Second)
	}
	if q.MaxLen < 0 {
		c.fail("MaxLen", "is negative")
	}
	seen := map[string]bool{}
	for _, m := range q.Members {
		c.match("Members.Extension", m.Extension, extensionPattern)
		c.text("Members.Name", m.Name)
		if m.Penalty < 0 {
			c.fail("Members.Penalty", "is negative")
		}
		if seen[m.Extension] {
			c.fail("Members", fmt.Sprintf("names %s twice", m.Extension))
		}
		seen[m.Extension] = true
	}
	return c.errs
}

// Validate returns every FieldError of the PBX settings.
func (p PBX) Validate() []error {
	c := &checker{object: "PBX"}
	c.match("Realm", p.Realm, contextPattern)
	if p.BindAddress != "" {
		if _, err := netip.ParseAddr(p.BindAddress); err != nil {
			c.fail("BindAddress", "is not an IP address")
		}
	}
	if p.AdvertisedAddress != "" && !isHost(p.AdvertisedAddress) {
		c.fail("AdvertisedAddress", "is neither an IP address nor a host name")
	}
	for _, n := range p.LocalNetworks {
		if _, err := netip.ParsePrefix(n); err != nil {
			c.fail("LocalNetworks", fmt.Sprintf("%q is not a CIDR prefix", n))
		}
	}
	for field, port := range map[string]int{"UDPPort": p.UDPPort, "TCPPort": p.TCPPort, "WSSPort": p.WSSPort} {
		if port < 0 || port > 65535 {
			c.fail(field, fmt.Sprintf("%d is not a port", port))
		}
	}
	for _, ctx := range p.AllowedContexts {
		c.match("AllowedContexts", ctx, contextPattern)
		if ctx == "general" || ctx == "globals" || strings.HasPrefix(ctx, dialplanContext) {
			c.fail("AllowedContexts", fmt.Sprintf("%q is reserved", ctx))
		}
	}
	c.duration("RingTimeout", p.RingTimeout, time.Second)
	c.duration("QualifyInterval", p.QualifyInterval, time.Second)
	return c.errs
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return hostPattern.MatchString(s)
}

// validate checks every object and then what lies between them.
func (c Center) validate() []error {
	errs := c.PBX.Validate()
	callable := map[string]bool{}
	numbers := map[string]string{mailboxNumber: "the mailbox", pickupNumber: "call pickup"}
	keys := map[string]bool{}
	claim := func(key, field, number string) {
		if other, taken := numbers[number]; taken {
			errs = append(errs, &FieldError{Object: key, Field: field, Reason: fmt.Sprintf("%s is taken by %s", number, other)})
		}
		numbers[number] = key
		if keys[key] {
			errs = append(errs, &FieldError{Object: key, Field: "Key", Reason: "is used twice"})
		}
		keys[key] = true
	}
	for _, e := range c.Agents {
		errs = append(errs, e.Validate(c.PBX)...)
		claim(e.Key, "Extension", e.Extension)
		callable[e.Extension] = e.callable()
	}
	names := map[string]bool{}
	for _, q := range c.Queues {
		errs = append(errs, q.Validate()...)
		number := q.Number
		if number == "" {
			number = "queue " + q.Name
		}
		claim(q.Key, "Number", number)
		if names[q.Name] {
			errs = append(errs, &FieldError{Object: q.Key, Field: "Name", Reason: fmt.Sprintf("%q is used twice", q.Name)})
		}
		names[q.Name] = true
		for _, m := range q.Members {
			if !callable[m.Extension] {
				errs = append(errs, &FieldError{Object: q.Key, Field: "Members", Reason: fmt.Sprintf("%s is not a callable endpoint", m.Extension)})
			}
		}
	}
	return errs
}
