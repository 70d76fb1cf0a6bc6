package pbxlet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
)

// dbFamily is the family of AstDB where the dialplan looks run-time state up:
//
//	ringmaster/<extension>/dnd        "1": direct calls are refused
//	ringmaster/<extension>/forward    number that direct calls go to
//	ringmaster/<extension>/telephone  endpoint where the agent sits
//	ringmaster/<telephone>/agent      extension of the agent who sits there
const dbFamily = "ringmaster"

// dbKeys are the last parts of the keys that are ours.
var dbKeys = map[string]bool{"dnd": true, "forward": true, "telephone": true, "agent": true}

// seats maps each telephone to the agent who sits there. Of several, the lowest
// extension has it.
func seats(members map[string]pbxlink.MemberState) map[string]string {
	taken := map[string]string{}
	for _, extension := range slices.Sorted(maps.Keys(members)) {
		telephone := members[extension].Telephone
		if telephone != "" && taken[telephone] == "" {
			taken[telephone] = extension
		}
	}
	return taken
}

// policies are the entries of AstDB that the wanted states mean, by key.
func policies(members map[string]pbxlink.MemberState) map[string]string {
	entries := map[string]string{}
	for extension, m := range members {
		if m.RejectDirect {
			entries[extension+"/dnd"] = "1"
		}
		if m.ForwardTo != "" {
			entries[extension+"/forward"] = m.ForwardTo
		}
	}
	for telephone, extension := range seats(members) {
		entries[extension+"/telephone"] = telephone
		entries[telephone+"/agent"] = extension
	}
	return entries
}

// enforcePolicies makes the entries of AstDB those that are wanted, and reads
// back what it wrote. Until the manager has said what it wants, they are left
// alone.
func (e *engine) enforcePolicies(ctx context.Context, a *asterisk) error {
	if e.members == nil {
		return nil
	}
	want := policies(e.members)
	if e.policies == nil {
		have, err := a.policies(ctx)
		if err != nil {
			return err
		}
		e.policies = have
	}
	if maps.Equal(e.policies, want) {
		return nil
	}
	changed, err := a.writePolicies(ctx, e.policies, want)
	e.policies = nil
	if err != nil {
		return err
	}
	have, err := a.policies(ctx)
	if err != nil {
		return err
	}
	if !maps.Equal(have, want) {
		return fmt.Errorf("pbxlet: AstDB does not hold what was written: %d entries instead of %d", len(have), len(want))
	}
	e.policies = have
	e.log.Debug("policies written", "changed", changed, "entries", len(want))
	return nil
}

// policies reads all entries that are ours.
func (a *asterisk) policies(ctx context.Context) (map[string]string, error) {
	list, err := a.list(ctx, "DBGetTree", ami.Header{Name: "Family", Value: dbFamily})
	if err := ignoreEmpty(err); err != nil {
		return nil, fmt.Errorf("pbxlet: AstDB: %w", err)
	}
	have := map[string]string{}
	for _, m := range list {
		key, ours := strings.CutPrefix(m.Get("Key"), "/"+dbFamily+"/")
		if ours && dbKeys[key[strings.LastIndexByte(key, '/')+1:]] {
			have[key] = m.Get("Val")
		}
	}
	return have, nil
}

// writePolicies writes the differences; the actions follow each other without
// waiting for the answers.
func (a *asterisk) writePolicies(ctx context.Context, have, want map[string]string) (changed int, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(32)
	for key, value := range want {
		if present, ok := have[key]; !ok || present != value {
			changed++
			g.Go(func() error {
				return a.act(ctx, "DBPut", ami.Header{Name: "Family", Value: dbFamily},
					ami.Header{Name: "Key", Value: key}, ami.Header{Name: "Val", Value: value})
			})
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok {
			changed++
			g.Go(func() error {
				return a.act(ctx, "DBDel", ami.Header{Name: "Family", Value: dbFamily}, ami.Header{Name: "Key", Value: key})
			})
		}
	}
	return changed, g.Wait()
}
