package controllers

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// pbxLink is what controllers need of the link to the PBXes; pbxlink.Server is the real one. A PBX is "namespace/name".
type pbxLink interface {
	SetSnapshot(pbx string, s voice.Snapshot, opts pbxlink.SnapshotOptions)
	SetMemberStates(pbx string, states []memberState)
	DropContacts(pbx, extension string)
	Forget(pbx string)
	Status(pbx string) linkStatus
	Contacts(pbx string) map[string][]pbxlink.Contact
	Calls(pbx string) []pbxlink.Call
	RecordCall(ctx context.Context, pbx, callID string, verb pbxlink.RecordVerb) error
	ReadRecording(ctx context.Context, pbx, file string, offset int64, length int) (pbxlink.RecordingPart, error)
	PurgeMailbox(ctx context.Context, pbx, extension, owner string) error
}

// settleTime is how long after the start of the controllers a PBX that has not connected yet is given, before anything is said
// about it. Until then what was true before counts: a restart of the manager must not rewrite every status twice.
const settleTime = 20 * time.Second

// linkView is the link with the memory of when this process began to look at it.
type linkView struct {
	pbxLink
	began func() time.Time
}

func newLinkView(link pbxLink) linkView {
	return linkView{link, sync.OnceValue(time.Now)}
}

// purge asks a PBX to delete an owner's messages and does not wait for it: the link repeats it until it is done.
func (l linkView) purge(ctx context.Context, pbx, extension, owner string) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_ = l.PurgeMailbox(ctx, pbx, extension, owner)
}

// settling tells whether it is too early to say that a PBX is not connected, or that it lacks something.
func (l linkView) settling(status linkStatus) bool {
	unheard := !status.Connected && status.Since.IsZero()
	unread := status.Connected && status.AppliedObjects == nil
	return (unheard || unread) && time.Since(l.began()) < settleTime
}

// acknowledged tells whether a PBX has an object in effect as it should be now, and reports in the condition why not.
func (l linkView) acknowledged(s *scope, condition string, pbx *v1alpha1.PBX, key, fingerprint, missing string) bool {
	status := l.Status(linkKey(pbx))
	switch applied, there := status.AppliedObjects[key]; {
	case there && applied == fingerprint:
		return true
	case l.settling(status):
		s.keep(condition)
	case !status.Connected:
		s.unknown(condition, v1alpha1.ReasonDisconnected, "PBX "+pbx.Name+" is not connected")
	case rejected(status):
		s.fail(condition, v1alpha1.ReasonRejected, "PBX "+pbx.Name+" refused the present configuration; see its status")
	default:
		s.wait(condition, v1alpha1.ReasonWaitingForPBX, missing)
	}
	return false
}

type (
	linkStatus  = pbxlink.Status
	memberState = pbxlink.MemberState
)

// Kinds of objects in a snapshot, the first part of their keys.
const (
	agentKeyPrefix     = "Agent"
	queueKeyPrefix     = "Queue"
	telephoneKeyPrefix = "Telephone"
)

// splitKey takes "a/b" apart.
func splitKey(key string) (first, second string) {
	first, second, _ = strings.Cut(key, "/")
	return first, second
}
