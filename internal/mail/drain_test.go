package mail

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"
)

// Windows hold every UID once and in order, and their sets fit into a command line.
func TestWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		uids := rapid.SliceOfNDistinct(rapid.OneOf(rapid.Uint32Range(1, 6000), rapid.Uint32Min(1)), 0, 5000, rapid.ID[uint32]).Draw(t, "uids")
		slices.Sort(uids)
		var all []uint32
		for window := range windows(uids) {
			all = append(all, window...)
			var set imap.UIDSet
			for _, uid := range window {
				set.AddNum(imap.UID(uid))
			}
			if n := len(set.String()); len(window) == 0 || len(window) > windowUIDs || n > windowText {
				t.Fatalf("%d UIDs in %d bytes", len(window), n)
			}
		}
		if !slices.Equal(all, uids) {
			t.Fatalf("%d of %d UIDs", len(all), len(uids))
		}
	})
	uids := make([]uint32, windowUIDs+1)
	for i := range uids {
		uids[i] = uint32(i + 1)
	}
	var sizes []int
	for window := range windows(uids) {
		sizes = append(sizes, len(window))
	}
	if !slices.Equal(sizes, []int{windowUIDs, 1}) {
		t.Errorf("windows of a full mailbox: %v", sizes)
	}
}
