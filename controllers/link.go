package controllers

import (
	"strings"

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
}

type (
	linkStatus  = pbxlink.Status
	memberState = pbxlink.MemberState
)

const queueKeyPrefix = "Queue"

// splitKey takes "a/b" apart.
func splitKey(key string) (first, second string) {
	first, second, _ = strings.Cut(key, "/")
	return first, second
}
