package desk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// archive does what the leader and the PBXes do with recordings.
type archive struct {
	store store.Store

	mu      sync.Mutex
	files   map[string][]byte
	changed time.Time
	// outcome replaces what the PBX answers, when set; onRead is called before each answer.
	outcome store.CallOutcome
	onRead  func(store.RecordingRead)
}

func newArchive(t *testing.T, st store.Store, files map[string][]byte) *archive {
	a := &archive{store: st, files: files, changed: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		for ctx.Err() == nil {
			wake := st.Wake()
			reads, err := st.ClaimRecordingReads(ctx, 10)
			for _, r := range reads {
				err = errors.Join(err, a.answer(ctx, r))
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-wake:
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	})
	return a
}

func (a *archive) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *archive) answer(ctx context.Context, r store.RecordingRead) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.onRead != nil {
		a.onRead(r)
	}
	content, ok := a.files[r.File]
	switch {
	case a.outcome != "":
		return a.store.FinishRecordingRead(ctx, r.ID, a.outcome, store.RecordingPart{})
	case !ok:
		return a.store.FinishRecordingRead(ctx, r.ID, store.OutcomeNoRecording, store.RecordingPart{})
	}
	part := store.RecordingPart{Size: int64(len(content)), ChangedAt: a.changed}
	begin := min(r.Offset, part.Size)
	part.Content = content[begin:min(begin+int64(r.Length), part.Size)]
	return a.store.FinishRecordingRead(ctx, r.ID, store.OutcomeDone, part)
}

// recorded reports a call of the agent's that has ended, and returns its id.
func (f *fixture) recorded(agent, uniqueid string, files ...string) string {
	f.Helper()
	id := f.ring(agent, uniqueid)
	f.report(store.Call{Uniqueid: uniqueid, State: store.CallUp, Recording: store.RecordingOn, Recordings: files})
	f.report(store.Call{Uniqueid: uniqueid, State: store.CallEnded})
	return id
}

// longFile is longer than what is read at a time, and no two places in it are alike.
func longFile() []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < 2*store.MaxRecordingPart+1000; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.Bytes()
}

func TestRecordingDownload(t *testing.T) {
	f := newFixture(t)
	alice := f.login("alice")
	content := longFile()
	a := newArchive(t, f.store, map[string][]byte{"ringmaster/1005/one.wav": content, "ringmaster/1005/two.WAV": []byte("RIFF"), "ringmaster/1005/three.gsm": nil})
	id := f.recorded("alice", "u1", "ringmaster/1005/one.wav", "ringmaster/1005/two.WAV")
	path := "/v1/calls/" + id + "/recordings/"

	whole := f.want(200, "", alice, "GET", path+"0", nil)
	if !bytes.Equal(whole.raw, content) {
		t.Errorf("%d bytes, want %d", len(whole.raw), len(content))
	}
	for name, want := range map[string]string{
		"Content-Type": "audio/wav", "Content-Disposition": "attachment; filename=one.wav", "Content-Length": fmt.Sprint(len(content)), "Accept-Ranges": "bytes",
		"Last-Modified": a.changed.Format(http.TimeFormat), "Cache-Control": "no-store",
	} {
		if got := whole.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	gsm := f.recorded("alice", "u2", "ringmaster/1005/three.gsm")
	for target, want := range map[string]string{path + "1": "audio/wav", "/v1/calls/" + gsm + "/recordings/0": "audio/x-gsm"} {
		if got := f.want(200, "", alice, "GET", target, nil).header.Get("Content-Type"); got != want {
			t.Errorf("%s is %s, want %s", target, got, want)
		}
	}

	t.Run("Parts", func(t *testing.T) {
		f := &fixture{T: t, store: f.store, url: f.url}
		if head := f.want(200, "", alice, "HEAD", path+"0", nil); head.header.Get("Content-Length") != fmt.Sprint(len(content)) || len(head.raw) > 0 {
			t.Errorf("HEAD: %v and %d bytes", head.header, len(head.raw))
		}
		from := store.MaxRecordingPart - 10
		rest := f.want(206, "", alice, "GET", path+"0", nil, "Range", fmt.Sprintf("bytes=%d-", from), "If-Range", whole.header.Get("ETag"))
		if !bytes.Equal(rest.raw, content[from:]) {
			t.Errorf("the rest has %d bytes", len(rest.raw))
		}
		if last := f.want(206, "", alice, "GET", path+"0", nil, "Range", "bytes=-3"); string(last.raw) != string(content[len(content)-3:]) {
			t.Errorf("the end is %q", last.raw)
		}
		if changed := f.want(200, "", alice, "GET", path+"0", nil, "Range", "bytes=-3", "If-Range", `"another"`); len(changed.raw) != len(content) {
			t.Errorf("of a file that changed: %d bytes", len(changed.raw))
		}
		f.want(304, "", alice, "GET", path+"0", nil, "If-None-Match", whole.header.Get("ETag"))
		if outside := f.do(alice, "GET", path+"0", nil, "Range", "bytes=9999999-"); outside.status != 416 {
			t.Errorf("outside of the file: %d", outside.status)
		}
	})

	t.Run("Refused", func(t *testing.T) {
		f := &fixture{T: t, store: f.store, url: f.url}
		f.want(404, desk.CodeNotFound, alice, "GET", path+"2", nil)
		f.want(422, desk.CodeValidation, alice, "GET", path+"-1", nil)
		f.want(404, desk.CodeNotFound, alice, "GET", "/v1/calls/nonsense/recordings/0", nil)
		running := f.ring("alice", "u3")
		f.report(store.Call{Uniqueid: "u3", State: store.CallUp, Recording: store.RecordingOn, Recordings: []string{"ringmaster/1005/one.wav"}})
		f.want(409, desk.CodeRecordingState, alice, "GET", "/v1/calls/"+running+"/recordings/0", nil)
		gone := f.recorded("alice", "u4", "ringmaster/1005/gone.wav")
		f.want(404, desk.CodeNotFound, alice, "GET", "/v1/calls/"+gone+"/recordings/0", nil)
		for _, outcome := range []store.CallOutcome{store.OutcomeNotConnected, store.OutcomeFailed} {
			a.set(func() { a.outcome = outcome })
			if p := f.want(503, desk.CodePBXUnavailable, alice, "GET", path+"0", nil); p.header.Get("Retry-After") == "" {
				t.Errorf("%s without Retry-After", outcome)
			}
		}
		a.set(func() { a.outcome = "" })
		denied := allowed()
		denied.Downloads.Recordings = "Denied"
		f.permit("alice", denied)
		f.want(403, desk.CodePermissionDenied, alice, "GET", path+"0", nil)
		f.want(200, "", alice, "GET", "/v1/recordings", nil)
		masked := allowed()
		masked.SensitiveData, masked.MaskedCharacters = "Masked", 4
		f.permit("alice", masked)
		f.want(403, desk.CodePermissionDenied, alice, "GET", path+"0", nil)
		f.permit("alice", allowed())
		f.want(200, "", alice, "GET", path+"0", nil)
	})

	// What changes or ends midway is not taken for the whole.
	for name, broken := range map[string]func(){
		"changed": func() { a.changed = a.changed.Add(time.Minute) },
		"cut":     func() { a.files["ringmaster/1005/one.wav"] = content[:store.MaxRecordingPart+1] },
		"away":    func() { a.outcome = store.OutcomeNotConnected },
	} {
		a.set(func() {
			a.outcome, a.files["ringmaster/1005/one.wav"] = "", content
			a.onRead = func(r store.RecordingRead) {
				if r.Offset > 0 {
					broken()
				}
			}
		})
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+path+"0", nil)
		f.ok(err)
		request.Header.Set("Authorization", "Bearer "+alice)
		response, err := http.DefaultClient.Do(request)
		f.ok(err)
		var got bytes.Buffer
		_, err = got.ReadFrom(response.Body)
		_ = response.Body.Close()
		if err == nil || got.Len() >= len(content) {
			t.Errorf("%s: %d bytes and %v", name, got.Len(), err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestRecordingPBXTooSlow(t *testing.T) {
	f := newFixture(t, func(o *desk.Options) { o.CommandTimeout = 200 * time.Millisecond })
	alice := f.login("alice")
	id := f.recorded("alice", "u1", "ringmaster/1005/one.wav")
	f.want(503, desk.CodePBXUnavailable, alice, "GET", "/v1/calls/"+id+"/recordings/0", nil)
	if left, err := f.store.ClaimRecordingReads(t.Context(), 10); err != nil || len(left) != 0 {
		t.Errorf("nobody waits, and there is left: %+v, %v", left, err)
	}
}

func TestRecordingsOfATeam(t *testing.T) {
	f := newFixture(t)
	f.ok(f.store.PutAgent(t.Context(), store.Agent{Key: agentKey("carla"), Username: "carla.r", Extension: "1099", Active: true}))
	alice, bob := f.login("alice"), f.login("bob")
	newArchive(t, f.store, map[string][]byte{"a.wav": []byte("a"), "b.wav": []byte("b"), "c.wav": []byte("c")})
	ofAlice, ofBob, ofCarla := f.recorded("alice", "u1", "a.wav"), f.recorded("bob", "u2", "b.wav"), f.recorded("carla", "u3", "c.wav")
	f.ring("alice", "u4") // not recorded
	f.ok(f.store.SetSupervisors(t.Context(), agentKey("alice"), []string{"bob"}))

	list := func(token, query string) string {
		t.Helper()
		a := f.want(200, "", token, "GET", "/v1/recordings"+query, nil)
		var ids []string
		for n := range a.body["recordings"].([]any) {
			ids = append(ids, fmt.Sprint(a.at("recordings", n, "id")))
		}
		if next, ok := a.body["nextCursor"].(string); ok {
			ids = append(ids, "next "+next)
		}
		return strings.Join(ids, " ")
	}
	want := func(token, query string, ids ...string) {
		t.Helper()
		if diff := cmp.Diff(strings.Join(ids, " "), list(token, query)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
	want(alice, "", ofAlice)
	want(bob, "", ofBob, ofAlice)
	want(bob, "?agent=alice", ofAlice)
	want(bob, "?agent=carla")
	want(bob, "?limit=1", ofBob, "next "+ofBob)
	want(bob, "?limit=1&cursor="+ofBob, ofAlice)
	want(bob, "?number=0299990000", ofBob, ofAlice)
	want(bob, "?number=1")
	want(bob, "?queue=mail")
	want(bob, "?to=2001-01-01T00:00:00Z")
	want(bob, "?from=2001-01-01T00:00:00Z", ofBob, ofAlice)
	f.want(400, desk.CodeDuplicateFilter, bob, "GET", "/v1/recordings?agent=alice&agent=bob", nil)

	one := f.want(200, "", bob, "GET", "/v1/recordings?agent=alice", nil)
	if one.at("recordings", 0, "party", "number") != "0299990000" || one.at("recordings", 0, "agent") != "alice" || one.at("recordings", 0, "files", 0, "name") != "a.wav" ||
		one.at("recordings", 0, "files", 0, "contentType") != "audio/wav" {
		t.Errorf("recording: %s", one.raw)
	}

	file := func(id string) string { return "/v1/calls/" + id + "/recordings/0" }
	f.want(404, desk.CodeNotFound, alice, "GET", file(ofBob), nil)
	f.want(404, desk.CodeNotFound, bob, "GET", file(ofCarla), nil)
	for range 2 { // within ten minutes: one download
		f.want(200, "", bob, "GET", file(ofAlice), nil)
		f.want(200, "", alice, "GET", file(ofAlice), nil)
	}
	f.want(200, "", bob, "HEAD", file(ofBob), nil)
	downloads := func(token, id string) string {
		t.Helper()
		a := f.want(200, "", token, "GET", "/v1/calls/"+id+"/recording-downloads", nil)
		var who []string
		for n := range a.body["downloads"].([]any) {
			who = append(who, fmt.Sprint(a.at("downloads", n, "agent")))
		}
		return strings.Join(who, " ")
	}
	if got := downloads(bob, ofAlice); got != "alice bob" {
		t.Errorf("downloaded by %q", got)
	}
	f.want(404, desk.CodeNotFound, alice, "GET", "/v1/calls/"+ofAlice+"/recording-downloads", nil)

	admin := allowed()
	admin.Role = desk.RoleAdmin
	f.permit("bob", admin)
	want(bob, "", ofCarla, ofBob, ofAlice)
	f.want(200, "", bob, "GET", file(ofCarla), nil)
	if got := downloads(bob, ofBob); got != "" {
		t.Errorf("HEAD is a download of %q", got)
	}

	masked := allowed()
	masked.SensitiveData, masked.MaskedCharacters = "Masked", 4
	f.permit("alice", masked)
	if a := f.want(200, "", alice, "GET", "/v1/recordings", nil); a.at("recordings", 0, "party", "number") != "029999****" || a.at("recordings", 0, "files", 0, "name") != "a.wav" {
		t.Errorf("masked: %s", a.raw)
	}
	f.want(403, desk.CodePermissionDenied, alice, "GET", "/v1/recordings?number=0299990000", nil)
	f.permit("alice", without("Voice"))
	f.want(403, desk.CodePermissionDenied, alice, "GET", "/v1/recordings", nil)
}
