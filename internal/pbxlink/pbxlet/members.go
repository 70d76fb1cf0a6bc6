package pbxlet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

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
	e.members = wanted
	return e.enforce(ctx, a)
}

// enforce tells each member what it is to be, once in each run of Asterisk and
// whenever that changes. What Asterisk does by itself in between, such as an
// automatic pause, is reported and left alone.
func (e *engine) enforce(ctx context.Context, a *asterisk) error {
	if e.members == nil {
		return nil
	}
	told := map[memberKey]pbxlink.MemberState{}
	wrong := map[string]bool{}
	for key, now := range e.tables.memberStates() {
		want := e.wanted(key.extension)
		differs := now.GetPaused() != want.Paused || want.Paused && now.GetPauseReason() != want.Reason
		// A reload of app_queue keeps a pause and loses its reason.
		lostReason := want.Paused && now.GetPaused() && now.GetPauseReason() == ""
		if differs && (lostReason || e.enforced[key] != want) {
			wrong[key.extension] = true
		}
		told[key] = want
	}
	var failed error
	for _, extension := range slices.Sorted(maps.Keys(wrong)) {
		want := e.wanted(extension)
		if err := a.pause(ctx, extension, want.Paused, want.Reason); err != nil {
			failed = errors.Join(failed, fmt.Errorf("member %s: %w", extension, err))
			maps.DeleteFunc(told, func(key memberKey, _ pbxlink.MemberState) bool { return key.extension == extension })
		}
	}
	e.enforced = told
	return failed
}

// wanted is the state a member is to have; nobody is rung before signing in.
func (e *engine) wanted(extension string) pbxlink.MemberState {
	if want, ok := e.members[extension]; ok {
		return want
	}
	return pbxlink.MemberState{Extension: extension, Paused: true}
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
	return e.restoreMembers(ctx, a)
}

// restoreMembers reads the queues and makes their members what they are to be.
func (e *engine) restoreMembers(ctx context.Context, a *asterisk) error {
	if err := e.syncQueues(ctx, a); err != nil {
		return err
	}
	if err := e.enforce(ctx, a); err != nil {
		if broken(ctx, a) {
			return err
		}
		e.log.Warn("queue members", "error", err)
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
