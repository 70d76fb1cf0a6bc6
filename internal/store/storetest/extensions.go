package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func owner(name string) store.ExtensionOwner {
	return store.ExtensionOwner{Namespace: ns, Kind: "agent", Name: name}
}

func testExtensions(t *testing.T, open Open) {
	ranges := []store.ExtensionRange{{From: "1000", To: "1003"}, {From: "0200", To: "0201"}}
	t.Run("life", func(t *testing.T) {
		clk := newClock()
		s := open(t, clk.option())
		get := func(name, wanted, want string) {
			t.Helper()
			got, err := s.AllocateExtension(t.Context(), owner(name), wanted, ranges, time.Hour)
			if err != nil || got != want {
				t.Fatalf("%s wants %q: got %q, %v; want %q", name, wanted, got, err, want)
			}
		}
		release := func(name string) {
			t.Helper()
			if err := s.ReleaseExtension(t.Context(), owner(name), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		get("a", "", "1000")
		get("a", "", "1000") // sticky
		get("b", "1002", "1002")
		get("c", "", "1001")
		get("d", "", "1003")
		get("e", "", "0200") // next range, leading zero kept
		release("c")
		release("c") // not held any more: no error
		get("f", "", "0201")

		_, err := s.AllocateExtension(t.Context(), owner("g"), "", ranges, time.Hour)
		wantErr(t, err, store.ErrRangeFull) // 1001 is quarantined
		_, err = s.AllocateExtension(t.Context(), owner("g"), "1001", ranges, time.Hour)
		var taken *store.TakenError
		if !errors.As(err, &taken) || taken.By != "agent/c" || !taken.Until.Equal(clk.now().Add(time.Hour)) {
			t.Fatalf("quarantined number: %v", err)
		}
		get("c", "", "1001") // the owner gets it back
		release("c")
		clk.advance(time.Hour)
		get("g", "", "1001") // the quarantine is over
		get("b", "", "1002")

		_, err = s.AllocateExtension(t.Context(), owner("b"), "1000", ranges, time.Hour)
		if !errors.As(err, &taken) || taken.By != "agent/a" || !taken.Until.IsZero() {
			t.Fatalf("number in use: %v", err)
		}
		_, err = s.AllocateExtension(t.Context(), owner("b"), "999", ranges, time.Hour)
		wantErr(t, err, store.ErrOutOfRange)
		_, err = s.AllocateExtension(t.Context(), owner("b"), "01000", ranges, time.Hour)
		wantErr(t, err, store.ErrOutOfRange)
		if got, err := s.AllocateExtension(t.Context(), owner("b"), "77", nil, time.Hour); err != nil || got != "77" {
			t.Fatalf("without ranges: %q, %v", got, err)
		}
		_, err = s.AllocateExtension(t.Context(), owner("h"), "1002", ranges, time.Hour)
		if !errors.As(err, &taken) || taken.Until.IsZero() {
			t.Fatalf("replaced number must be quarantined: %v", err)
		}
	})
	t.Run("200 at once are unique", func(t *testing.T) {
		s := open(t)
		const n = 200
		var mu sync.Mutex
		var wg sync.WaitGroup
		got := map[string]string{}
		for i := range n {
			wg.Go(func() {
				name := fmt.Sprintf("agent-%d", i)
				e, err := s.AllocateExtension(t.Context(), owner(name), "", []store.ExtensionRange{{From: "5000", To: "5199"}}, time.Hour)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if by, dup := got[e]; dup {
					t.Errorf("%s given to %s and %s", e, by, name)
				}
				got[e] = name
			})
		}
		wg.Wait()
		if len(got) != n {
			t.Fatalf("%d distinct numbers, want %d", len(got), n)
		}
		_, err := s.AllocateExtension(t.Context(), owner("late"), "", []store.ExtensionRange{{From: "5000", To: "5199"}}, time.Hour)
		wantErr(t, err, store.ErrRangeFull)
		if err := s.ReleaseExtension(t.Context(), owner(got["5003"]), 0); err != nil {
			t.Fatal(err)
		}
		if e, err := s.AllocateExtension(t.Context(), owner("late"), "", []store.ExtensionRange{{From: "5000", To: "5199"}}, time.Hour); err != nil || e != "5003" {
			t.Fatalf("got %q, %v; want the released 5003", e, err)
		}
	})
}

// testKeptExtension: narrowed ranges take no number away; they only bind new ones.
func testKeptExtension(t *testing.T, open Open) {
	db := open(t)
	ctx := t.Context()
	owner := store.ExtensionOwner{Namespace: ns, Kind: "agent", Name: "alice"}
	wide, narrow := []store.ExtensionRange{{From: "1000", To: "1999"}}, []store.ExtensionRange{{From: "2000", To: "2999"}}
	for _, c := range []struct {
		wanted string
		ranges []store.ExtensionRange
		want   string
		err    error
	}{
		{"1005", wide, "1005", nil}, {"1005", narrow, "1005", nil}, {"", narrow, "1005", nil}, {"1006", narrow, "", store.ErrOutOfRange},
		{"2006", narrow, "2006", nil},
	} {
		got, err := db.AllocateExtension(ctx, owner, c.wanted, c.ranges, 0)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("wanted %q: got %q, %v; want %q, %v", c.wanted, got, err, c.want, c.err)
		}
	}
}
