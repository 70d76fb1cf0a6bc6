package voice

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// pbxObject is FieldError.Object for the settings of the PBX.
const pbxObject = "PBX"

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
	prefixPattern    = regexp.MustCompile(`^[0-9*#+]{1,20}$`)
	usernamePattern  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	telephonePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)
	contextPattern   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,79}$`)
	groupPattern     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)
	languagePattern  = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)
	ownerPattern     = regexp.MustCompile(`^[A-Za-z0-9-]{0,64}$`)
	queuePattern     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,77}[A-Za-z0-9])?$`)
	ha1Pattern       = regexp.MustCompile(`^[0-9a-f]{32}$`)
	pinPattern       = regexp.MustCompile(`^[0-9]{4,10}$`)
	callerPattern    = regexp.MustCompile(`^\+?[0-9*#]{1,32}$`)
	hostPattern      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	soundPattern     = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
	directoryPattern = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/+[A-Za-z0-9_.-]+)*/*$`)
	monitorPattern   = regexp.MustCompile(`^\*7[1-3][0-9]{2,10}$`)
)

var codecs = []string{"ulaw", "alaw", "gsm", "g722", "g729", "opus"}

// Bounds that keep one field from filling a file or a variable.
const (
	maxPath        = 255
	maxSupervisors = 100
	maxWeight      = 100
	maxMessages    = 9999
	maxPosition    = 1000
	maxAutoAnswer  = time.Minute
)

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

// optional is match for a value that may be empty.
func (c *checker) optional(field, value string, p *regexp.Regexp) {
	if value != "" {
		c.match(field, value, p)
	}
}

// path is a directory or sound file that stays where it is said to be.
func (c *checker) path(field, value string, p *regexp.Regexp) {
	c.match(field, value, p)
	if len(value) > maxPath {
		c.fail(field, fmt.Sprintf("is longer than %d characters", maxPath))
	}
	if slices.Contains(strings.Split(value, "/"), "..") {
		c.fail(field, `contains ".."`)
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

func (c *checker) between(field string, n, least, most int) {
	if n < least || n > most {
		c.fail(field, fmt.Sprintf("%d is not between %d and %d", n, least, most))
	}
}

func known[K ~string](c *checker, field string, value K, words map[K]string) {
	if _, ok := words[value]; !ok {
		c.fail(field, fmt.Sprintf("%q is unknown", value))
	}
}

// Validate returns every FieldError of the PBX settings.
func (p PBX) Validate() []error {
	c := &checker{object: pbxObject}
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
	p.checkListeners(c)
	for _, ctx := range p.AllowedContexts {
		c.context("AllowedContexts", ctx)
	}
	if p.OutboundContext != "" {
		c.context("OutboundContext", p.OutboundContext)
		if slices.Contains(p.contexts(), p.OutboundContext) {
			c.fail("OutboundContext", fmt.Sprintf("%q is a context of the endpoints: numbers would go round in it", p.OutboundContext))
		}
	}
	for field, prefixes := range map[string][]string{"ServicePrefixes": p.ServicePrefixes, "ForbiddenPrefixes": p.ForbiddenPrefixes} {
		for _, prefix := range prefixes {
			c.match(field, prefix, prefixPattern)
		}
	}
	p.checkMusic(c)
	if p.RecordingDirectory != "" {
		c.path("RecordingDirectory", p.RecordingDirectory, directoryPattern)
		if strings.HasPrefix(p.RecordingDirectory, "/") {
			c.fail("RecordingDirectory", "is not relative")
		}
	}
	c.duration("RingTimeout", p.RingTimeout, time.Second)
	c.duration("QualifyInterval", p.QualifyInterval, time.Second)
	return c.errs
}

// context refuses the names that mean something else.
func (c *checker) context(field, name string) {
	c.match(field, name, contextPattern)
	if name == "general" || name == "globals" || strings.HasPrefix(name, dialplanContext) {
		c.fail(field, fmt.Sprintf("%q is reserved", name))
	}
}

// checkListeners checks ports and what TLS needs. UDP may share a port with one
// of the others, which are all TCP.
func (p PBX) checkListeners(c *checker) {
	taken := map[int]Transport{}
	for _, l := range p.listeners() {
		field := string(l.transport) + "Port"
		c.between(field, l.port, 1, 65535)
		if l.transport == UDP {
			continue
		}
		if other, ok := taken[l.port]; ok {
			c.fail(field, fmt.Sprintf("%d is the port of %s", l.port, other))
		}
		taken[l.port] = l.transport
	}
	if p.TLSPort != 0 && p.Certificate == nil {
		c.fail("TLSPort", "needs a Certificate")
	}
	if p.Certificate != nil {
		if _, err := p.Certificate.leaf(); err != nil {
			c.fail("Certificate", err.Error())
		}
	}
	if p.Certificate != nil || p.StateDir != "" {
		c.path("StateDir", p.StateDir, directoryPattern)
		if !strings.HasPrefix(p.StateDir, "/") {
			c.fail("StateDir", "is not absolute")
		}
	}
}

func (p PBX) checkMusic(c *checker) {
	names := map[string]bool{"default": true, "general": true}
	for _, m := range p.MusicClasses {
		c.match("MusicClasses.Name", m.Name, contextPattern)
		if names[m.Name] {
			c.fail("MusicClasses.Name", fmt.Sprintf("%q is reserved or used twice", m.Name))
		}
		names[m.Name] = true
		c.path("MusicClasses.Directory", m.Directory, directoryPattern)
	}
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return hostPattern.MatchString(s)
}
