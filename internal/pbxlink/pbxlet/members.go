package pbxlet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// setMembers keeps the wanted states on disk, where they outlive Asterisk, this
// process and the manager, and then makes them true.
func (e *engine) setMembers(ctx context.Context, a *asterisk, set *pbxlinkv1.SetMembers) error {
	wanted := maps.Clone(e.members)
	if set.GetComplete() || wanted == nil {
		wanted = map[string]pbxlink.MemberState{}
	}
	for _, m := range set.GetStates() {
		wanted[m.GetExtension()] = pbxlink.MemberStateFrom(m)
	}
	for _, extension := range set.GetRemoved() {
		delete(wanted, extension)
	}
	if err := e.state.writeMembers(wanted); err != nil {
		return err
	}
	e.members, e.seats = wanted, seats(wanted)
	return errors.Join(e.enforcePolicies(ctx, a), e.enforce(ctx, a))
}

// enforce tells each member what it is to be, once in each run of Asterisk and
// whenever that changes. What Asterisk does by itself in between, such as an
// automatic pause, is reported and left alone.
func (e *engine) enforce(ctx context.Context, a *asterisk) error {
	if e.members == nil {
		return nil
	}
	told := map[memberKey]pause{}
	wrong := map[string]bool{}
	for key, now := range e.tables.memberStates() {
		want := e.wantedPause(key.extension)
		differs := now.GetPaused() != want.paused || want.paused && now.GetPauseReason() != want.reason
		// A reload of app_queue keeps a pause and loses its reason.
		lostReason := want.paused && now.GetPaused() && now.GetPauseReason() == ""
		before, enforced := e.enforced[key]
		if differs && (lostReason || !enforced || before != want) {
			wrong[key.extension] = true
		}
		told[key] = want
	}
	var failed error
	for _, extension := range slices.Sorted(maps.Keys(wrong)) {
		want := e.wantedPause(extension)
		if err := a.pause(ctx, extension, want.paused, want.reason); err != nil {
			failed = errors.Join(failed, fmt.Errorf("member %s: %w", extension, err))
			maps.DeleteFunc(told, func(key memberKey, _ pause) bool { return key.extension == extension })
		}
	}
	e.enforced = told
	return failed
}

// pause is what app_queue is told of a member.
type pause struct {
	paused bool
	reason string
}

// wantedPause is what a member is to be: nobody is rung before signing in. A
// telephone without a state of its own follows the agent who sits there.
func (e *engine) wantedPause(endpoint string) pause {
	want, ok := e.members[endpoint]
	if agent, seated := e.seats[endpoint]; !ok && seated {
		want, ok = e.members[agent], true
	}
	if ok && !want.Paused {
		return pause{}
	}
	return pause{paused: true, reason: keptReason(want.Reason)}
}

// maxReason is how much of a pause's reason app_queue keeps, in bytes.
const maxReason = 79

// keptReason is a reason as app_queue can keep it: on one line, and cut between
// characters.
func keptReason(reason string) string {
	reason = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, reason))
	for len(reason) > maxReason {
		_, size := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-size]
	}
	return strings.TrimSpace(reason)
}

// dropContacts ends the registrations of one extension.
func (e *engine) dropContacts(ctx context.Context, a *asterisk, extension string) error {
	list, err := a.contacts(ctx)
	if err != nil {
		return err
	}
	aors, err := a.names(ctx, "PJSIPShowAors", "ObjectName")
	if err != nil {
		return err
	}
	for _, m := range list {
		if aorOf(m) != extension {
			continue
		}
		if aors[extension] {
			err = errors.Join(err, a.expire(ctx, m.Get("ObjectName")))
		} else {
			err = errors.Join(err, a.forget(ctx, m.Get("ObjectName")))
		}
	}
	return errors.Join(err, e.syncContacts(ctx, a))
}

// forgetOrphans deletes the contacts whose AOR is gone.
func (e *engine) forgetOrphans(ctx context.Context, a *asterisk) error {
	list, err := a.contacts(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	aors, err := a.names(ctx, "PJSIPShowAors", "ObjectName")
	if err != nil {
		return err
	}
	for _, m := range list {
		if !aors[aorOf(m)] {
			if err := a.forget(ctx, m.Get("ObjectName")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *engine) syncContacts(ctx context.Context, a *asterisk) error {
	list, err := a.contacts(ctx)
	if err != nil {
		return err
	}
	e.tables.setContacts(list)
	return nil
}

func (e *engine) syncQueues(ctx context.Context, a *asterisk) error {
	list, err := a.list(ctx, "QueueStatus")
	if err != nil {
		return err
	}
	e.tables.setQueues(list)
	return nil
}

// resync reads everything afresh and restores members that a restart or an
// unseen event has changed.
func (e *engine) resync(ctx context.Context, a *asterisk) error {
	if err := e.forgetOrphans(ctx, a); err != nil {
		return err
	}
	if err := e.syncContacts(ctx, a); err != nil {
		return err
	}
	devices, err := a.list(ctx, "DeviceStateList")
	if err := ignoreEmpty(err); err != nil {
		return err
	}
	e.tables.setDevices(devices)
	if err := e.syncCalls(ctx, a); err != nil {
		return err
	}
	if err := e.syncVoicemail(ctx, a); err != nil {
		return err
	}
	e.policies = nil
	return e.restoreMembers(ctx, a)
}

// restoreMembers reads the queues and makes their members what they are to be.
func (e *engine) restoreMembers(ctx context.Context, a *asterisk) error {
	if err := e.syncQueues(ctx, a); err != nil {
		return err
	}
	if err := errors.Join(e.enforcePolicies(ctx, a), e.enforce(ctx, a)); err != nil {
		if broken(ctx, a) {
			return err
		}
		e.log.Warn("states of agents", "error", err)
	}
	return nil
}

// lookup completes contacts with what the phone calls itself.
func (e *engine) lookup(ctx context.Context, a *asterisk) error {
	for _, key := range e.tables.someNameless(lookupBatch) {
		record, err := a.contactRecord(ctx, contactName(key))
		if broken(ctx, a) {
			return err
		}
		name, _ := record["user_agent"].(string)
		e.tables.setUserAgent(key, name)
	}
	return nil
}
