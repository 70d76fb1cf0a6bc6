package pbxlet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

func TestSpoolWithoutAMark(t *testing.T) {
	s := newSpool(t.TempDir(), t.TempDir())
	message := func(number string) string { return filepath.Join(s.dir, number, "INBOX", "msg0000.wav") }
	leave := func(number string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(message(number)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(message(number), []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	prepare := func(owner, pin string, changed int) {
		t.Helper()
		n, err := s.prepare([]voice.ExpectMailbox{{Number: "1001", Owner: owner, PIN: pin}})
		if err != nil || n != changed {
			t.Errorf("%d changed, %v, want %d", n, err, changed)
		}
	}
	// What was there before Ringmaster stays, with the PIN that goes with it.
	leave("1001")
	secret := filepath.Join(s.dir, "1001", pinFile)
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	prepare("a", "1", 0)
	for _, file := range []string{message("1001"), secret} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	// The mark may be lost; the state directory remembers.
	if err := os.Remove(filepath.Join(s.dir, "1001", ownerFile)); err != nil {
		t.Fatal(err)
	}
	prepare("b", "1", 1)
	if _, err := os.Stat(message("1001")); err == nil {
		t.Error("the next owner has the messages")
	}
	// So may the state directory; the mark tells.
	if err := os.Remove(s.boxes); err != nil {
		t.Fatal(err)
	}
	leave("1001")
	prepare("c", "1", 1)
	if _, err := os.Stat(message("1001")); err == nil {
		t.Error("the next owner has the messages")
	}
	prepare("c", "2", 0) // there is no PIN of the owner's own to forget
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	prepare("c", "2", 0)
	prepare("c", "3", 1)
	if _, err := os.Stat(secret); err == nil {
		t.Error("the PIN chosen by telephone is still there")
	}
	if err := s.purge("1001", "b"); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(s.dir + "/1001*")
	if err != nil || len(left) != 2 {
		t.Errorf("%v are left, want a's box aside and c's, %v", left, err)
	}
	for _, bad := range []string{"..", "1/2", "*"} {
		if _, err := s.prepare([]voice.ExpectMailbox{{Number: bad, Owner: "a"}}); err == nil {
			t.Errorf("box %q was prepared", bad)
		}
		if err := s.purge("1001", bad); err == nil {
			t.Errorf("owner %q was purged", bad)
		}
	}
}

func TestSpoolFollowsItsOwner(t *testing.T) {
	s := newSpool(t.TempDir(), t.TempDir())
	prepare := func(changed int, boxes ...voice.ExpectMailbox) {
		t.Helper()
		if n, err := s.prepare(boxes); err != nil || n != changed {
			t.Errorf("%d changed, %v, want %d", n, err, changed)
		}
	}
	greeting := func(number string) string { return filepath.Join(s.dir, number, "greet.wav") }
	expect := func(number, owner string) {
		t.Helper()
		if text, err := os.ReadFile(greeting(number)); err != nil || string(text) != owner {
			t.Errorf("box %s has the greeting of %q, %v, want %q", number, text, err, owner)
		}
	}
	prepare(0, voice.ExpectMailbox{Number: "1001", Owner: "a"}, voice.ExpectMailbox{Number: "1002", Owner: "b"})
	for number, owner := range map[string]string{"1001": "a", "1002": "b"} {
		if err := os.WriteFile(greeting(number), []byte(owner), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	prepare(2, voice.ExpectMailbox{Number: "1001", Owner: "b"}, voice.ExpectMailbox{Number: "1002", Owner: "a"})
	expect("1001", "b")
	expect("1002", "a")

	// a's old number is free for a moment, and then somebody else's.
	prepare(1, voice.ExpectMailbox{Number: "1001", Owner: "b"}, voice.ExpectMailbox{Number: "1003", Owner: "a"})
	expect("1003", "a")
	prepare(0, voice.ExpectMailbox{Number: "1001", Owner: "b"}, voice.ExpectMailbox{Number: "1002", Owner: "c"}, voice.ExpectMailbox{Number: "1003", Owner: "a"})
	if _, err := os.Stat(greeting("1002")); err == nil {
		t.Error("the next owner of the number has the greeting of the former")
	}

	// Without voicemail the box stays, and waits for its owner.
	prepare(0, voice.ExpectMailbox{Number: "1001", Owner: "b"})
	prepare(1, voice.ExpectMailbox{Number: "1001", Owner: "b"}, voice.ExpectMailbox{Number: "1002", Owner: "a"})
	expect("1001", "b")
	expect("1002", "a")
}
