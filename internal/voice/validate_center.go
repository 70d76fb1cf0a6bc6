package voice

import (
	"fmt"
	"time"
)

// Validate returns every FieldError of the queue by itself; that its members
// and its music exist is checked by Render.
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
	c.optional("Number", q.Number, numberPattern)
	if monitorPattern.MatchString(q.Number) {
		c.fail("Number", fmt.Sprintf("%s listens to an agent", q.Number))
	}
	if q.Strategy != "" {
		known(c, "Strategy", q.Strategy, strategies)
	}
	known(c, "AutoPause", q.AutoPause, autoPauses)
	for field, d := range map[string]time.Duration{
		"Timeout": q.Timeout, "Retry": q.Retry, "WrapUpTime": q.WrapUpTime, "ServiceLevel": q.ServiceLevel,
		"MaxWaitTime": q.MaxWaitTime, "AutoPauseDelay": q.AutoPauseDelay, "MemberDelay": q.MemberDelay,
		"Announcements.Interval": q.Announcements.Interval, "Announcements.MinInterval": q.Announcements.MinInterval,
		"Periodic.Interval": q.Periodic.Interval,
	} {
		c.duration(field, d, time.Second)
	}
	if q.MaxLen < 0 {
		c.fail("MaxLen", "is negative")
	}
	c.between("Weight", q.Weight, 0, maxWeight)
	for field, reasons := range map[string][]EmptyReason{"JoinWhenEmpty": q.JoinWhenEmpty, "LeaveWhenEmpty": q.LeaveWhenEmpty} {
		for _, r := range reasons {
			known(c, field, r, emptyReasons)
		}
	}
	c.optional("MusicClass", q.MusicClass, contextPattern)
	q.checkAnnouncements(c)
	q.checkMembers(c)
	return c.errs
}

func (q Queue) checkAnnouncements(c *checker) {
	a := q.Announcements
	known(c, "Announcements.Position", a.Position, announcePositions)
	known(c, "Announcements.HoldTime", a.HoldTime, announceHoldTimes)
	c.between("Announcements.PositionLimit", a.PositionLimit, 0, maxPosition)
	for _, s := range a.Sounds.named() {
		if s.file != "" {
			c.path("Announcements.Sounds."+s.field, s.file, soundPattern)
		}
	}
	for _, s := range q.Periodic.Sounds {
		c.path("Periodic.Sounds", s, soundPattern)
	}
}

func (q Queue) checkMembers(c *checker) {
	seen := map[string]bool{}
	for _, m := range q.Members {
		c.match("Members.Extension", m.Extension, extensionPattern)
		c.text("Members.Name", m.Name)
		if m.Penalty < 0 {
			c.fail("Members.Penalty", "is negative")
		}
		c.duration("Members.WrapUpTime", m.WrapUpTime, time.Second)
		if seen[m.Extension] {
			c.fail("Members", fmt.Sprintf("names %s twice", m.Extension))
		}
		seen[m.Extension] = true
	}
}

// relations checks what lies between the objects of a center.
type relations struct {
	errs []error
	// owners are what each thing that only one object can have belongs to.
	owners map[string]string
}

func (r *relations) fail(object, field, reason string) {
	r.errs = append(r.errs, &FieldError{Object: object, Field: field, Reason: reason})
}

// claim takes something for an object; what names it in the error.
func (r *relations) claim(object, field, kind, what string) {
	if other, taken := r.owners[kind+" "+what]; taken {
		r.fail(object, field, fmt.Sprintf("%s is taken by %s", what, other))
		return
	}
	r.owners[kind+" "+what] = object
}

// validate checks every object and then what lies between them.
func (c Center) validate() []error {
	r := &relations{errs: c.PBX.Validate(), owners: map[string]string{
		"number " + mailboxNumber: "the mailbox", "number " + pickupNumber: "call pickup",
	}}
	callable := map[string]bool{}
	telephones := map[string]bool{}
	for _, e := range c.Telephones {
		r.endpoint(c.PBX, e)
		if e.Extension != "" {
			r.fail(e.Key, "Extension", "is for agents only")
		}
		r.claim(e.Key, "Name", "telephone", e.Name)
		telephones[e.Name] = true
	}
	for _, e := range c.Agents {
		r.endpoint(c.PBX, e)
		if e.Extension == "" && e.Name != "" {
			r.fail(e.Key, "Extension", "is required")
		}
		r.claim(e.Key, "Extension", "number", e.Extension)
		callable[e.Extension] = e.callable()
		if e.Telephone == "" {
			continue
		}
		r.claim(e.Key, "Telephone", "seat", e.Telephone)
		if !telephones[e.Telephone] {
			r.fail(e.Key, "Telephone", fmt.Sprintf("%q is no telephone", e.Telephone))
		}
	}
	for _, q := range c.Queues {
		r.queue(c.PBX, q, callable)
	}
	return r.errs
}

func (r *relations) endpoint(p PBX, e Endpoint) {
	r.errs = append(r.errs, e.Validate(p)...)
	r.claim(e.Key, "Key", "key", e.Key)
	if e.Static != nil {
		r.claim(e.Key, "Static", "address", e.match())
	}
}

func (r *relations) queue(p PBX, q Queue, callable map[string]bool) {
	r.errs = append(r.errs, q.Validate()...)
	r.claim(q.Key, "Key", "key", q.Key)
	r.claim(q.Key, "Name", "queue", q.Name)
	if q.Number != "" {
		r.claim(q.Key, "Number", "number", q.Number)
	}
	music := q.MusicClass == "" || q.MusicClass == "default"
	for _, m := range p.MusicClasses {
		music = music || m.Name == q.MusicClass
	}
	if !music {
		r.fail(q.Key, "MusicClass", fmt.Sprintf("%q is not a class of the PBX", q.MusicClass))
	}
	for _, m := range q.Members {
		if !callable[m.Extension] {
			r.fail(q.Key, "Members", fmt.Sprintf("%s is not a callable endpoint", m.Extension))
		}
	}
}
