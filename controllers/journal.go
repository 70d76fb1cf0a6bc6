package controllers

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// CallStore keeps what the PBXes say of calls and mailboxes, and what agents ask of calls.
type CallStore interface {
	store.Calls
	store.Voicemails
}

// journal brings calls and voicemail counts into the store. What is not written yet is the latest state of each call and box, not a list
// of events: it is bounded by what goes on at the PBXes, however long the store is away.
type journal struct {
	store  CallStore
	calls  func(pbx string) []pbxlink.Call
	online func(pbx string) bool
	wake   chan struct{}

	mu sync.Mutex
	// pending is by PBX; a PBX that was not heard of since it connected is behind, and gets all its active calls written.
	pendingCalls map[string]map[string]pbxlink.Call
	pendingBoxes map[string]map[string]store.Voicemail
	synced       map[string]bool
	behind       map[string]bool
}

func newJournal(s CallStore) *journal {
	return &journal{
		store: s, wake: make(chan struct{}, 1), pendingCalls: map[string]map[string]pbxlink.Call{},
		pendingBoxes: map[string]map[string]store.Voicemail{}, synced: map[string]bool{}, behind: map[string]bool{},
	}
}

// statusChanged notes that a PBX came or went: with its link, what the store knows of its calls becomes uncertain.
func (j *journal) statusChanged(pbx string) {
	j.mu.Lock()
	if j.online != nil && j.online(pbx) {
		if !j.synced[pbx] {
			j.behind[pbx] = true
		}
	} else {
		delete(j.synced, pbx)
		delete(j.behind, pbx)
	}
	j.mu.Unlock()
	j.signal()
}

func (j *journal) call(pbx string, c pbxlink.Call) {
	j.mu.Lock()
	if j.pendingCalls[pbx] == nil {
		j.pendingCalls[pbx] = map[string]pbxlink.Call{}
	}
	j.pendingCalls[pbx][c.ID] = c
	j.mu.Unlock()
	j.signal()
}

func (j *journal) voicemail(pbx string, box store.Voicemail) {
	j.mu.Lock()
	if j.pendingBoxes[pbx] == nil {
		j.pendingBoxes[pbx] = map[string]store.Voicemail{}
	}
	j.pendingBoxes[pbx][box.Extension] = box
	j.mu.Unlock()
	j.signal()
}

func (j *journal) signal() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: the link is the leader's.
func (j *journal) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (j *journal) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("journal")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-j.wake:
		}
		if err := j.write(ctx); err != nil && ctx.Err() == nil {
			logger.Error(err, "recording calls")
			time.AfterFunc(soon, j.signal)
		}
	}
}

// write brings everything pending into the store. What fails stays pending, unless something newer came meanwhile.
func (j *journal) write(ctx context.Context) error {
	j.mu.Lock()
	behind, calls, boxes := j.behind, j.pendingCalls, j.pendingBoxes
	j.behind, j.pendingCalls, j.pendingBoxes = map[string]bool{}, map[string]map[string]pbxlink.Call{}, map[string]map[string]store.Voicemail{}
	j.mu.Unlock()
	var failed error
	for pbx := range behind {
		if err := j.sync(ctx, pbx); err != nil {
			failed = err
			j.mu.Lock()
			j.behind[pbx] = true
			j.mu.Unlock()
		}
	}
	for pbx, of := range calls {
		for _, c := range of {
			if err := j.store.PutCall(ctx, pbxKey(pbx), storeCall(c)); err != nil {
				failed = err
				j.again(func() bool { _, newer := j.pendingCalls[pbx][c.ID]; return newer }, func() { j.call(pbx, c) })
			}
		}
	}
	for pbx, of := range boxes {
		for _, box := range of {
			if err := j.store.PutVoicemail(ctx, pbxKey(pbx), box); err != nil {
				failed = err
				j.again(func() bool { _, newer := j.pendingBoxes[pbx][box.Extension]; return newer }, func() { j.voicemail(pbx, box) })
			}
		}
	}
	return failed
}

func (j *journal) again(newer func() bool, put func()) {
	j.mu.Lock()
	superseded := newer()
	j.mu.Unlock()
	if !superseded {
		put()
	}
}

// sync ends the calls that the store has for active and the PBX does not know any more.
func (j *journal) sync(ctx context.Context, pbx string) error {
	if j.calls == nil || !j.online(pbx) {
		return nil
	}
	// The pbxlet tells of all calls right after it connected.
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(settle):
	}
	var active []store.Call
	for _, c := range j.calls(pbx) {
		active = append(active, storeCall(c))
	}
	if err := j.store.SetCalls(ctx, pbxKey(pbx), active); err != nil {
		return err
	}
	j.mu.Lock()
	j.synced[pbx] = true
	j.mu.Unlock()
	return nil
}

// pbxKey is the store's name of a PBX of the link.
func pbxKey(pbx string) store.Key {
	namespace, name := splitKey(pbx)
	return store.Key{Namespace: namespace, Name: name}
}

func storeCall(c pbxlink.Call) store.Call {
	direction := store.Inbound
	if c.Direction == pbxlink.Outbound {
		direction = store.Outbound
	}
	return store.Call{
		Uniqueid: c.ID, LinkedID: c.LinkedID, Extension: c.Extension, Direction: direction, Number: c.Number, Name: c.Name, Queue: c.Queue,
		State: store.CallState(c.State), StartedAt: c.StartedAt, AnsweredAt: c.AnsweredAt, EndedAt: c.EndedAt,
		Recording: store.RecordingState(c.Recording), Recordings: c.Recordings,
	}
}
