package pbxlet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

const (
	// ownerFile, in a mailbox's directory, names whose messages these are.
	ownerFile = "ringmaster-owner"
	// pinFile holds the PIN that the owner chose by telephone; it wins over the
	// one in voicemail.conf (passwordlocation=spooldir).
	pinFile = "secret.conf"
	// boxesFile, in the state directory, holds what was last done to each box.
	boxesFile = "mailboxes.json"
)

// box is what a mailbox was last made to be.
type box struct {
	Owner string `json:"owner"`
	// PIN is the digest of the PIN in voicemail.conf that was last put in force.
	PIN string `json:"pin"`
}

// spool is Asterisk's directory of messages and greetings.
type spool struct {
	// dir holds one directory for each mailbox.
	dir string
	// boxes is a file with the state of all boxes.
	boxes string
}

// Numbers and owners become names of files.
var (
	boxPattern   = regexp.MustCompile(`^[0-9]{1,32}$`)
	ownerPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

func newSpool(spoolDir, stateDir string) *spool {
	return &spool{dir: filepath.Join(spoolDir, "voicemail", voice.MailboxContext), boxes: filepath.Join(stateDir, boxesFile)}
}

// prepare makes each box its owner's before Asterisk opens it: messages of
// somebody else are moved aside, those of an owner with another number follow,
// and a PIN chosen by telephone is forgotten when the one in voicemail.conf was
// set anew. It tells how many boxes it changed.
func (s *spool) prepare(want []voice.ExpectMailbox) (changed int, err error) {
	known, err := s.read()
	if err != nil {
		return 0, err
	}
	next := maps.Clone(known)
	left, err := s.leftBehind(known, want)
	if err != nil {
		return 0, err
	}
	for _, m := range want {
		if m.Owner == "" {
			continue
		}
		if !boxPattern.MatchString(m.Number) || !ownerPattern.MatchString(m.Owner) {
			return changed, fmt.Errorf("pbxlet: voicemail: box %q of %q cannot be a directory", m.Number, m.Owner)
		}
		moved, err := s.take(m.Number, m.Owner, known[m.Number].Owner, left)
		if err != nil {
			return changed, err
		}
		before, seen := known[m.Number]
		forgotten := false
		if seen && before.Owner == m.Owner && before.PIN != m.PIN {
			if forgotten, err = s.forgetPIN(m.Number); err != nil {
				return changed, err
			}
		}
		if moved || forgotten {
			changed++
		}
		next[m.Number] = box{Owner: m.Owner, PIN: m.PIN}
	}
	for number, b := range known {
		if _, err := os.Stat(filepath.Join(s.dir, number)); errors.Is(err, fs.ErrNotExist) && next[number] == b {
			delete(next, number) // its owner has taken it along
		}
	}
	return changed, s.write(known, next)
}

// leftBehind maps each owner to the directory of messages under a number that
// the owner does not have now, or had before somebody else: the former wins.
func (s *spool) leftBehind(known map[string]box, want []voice.ExpectMailbox) (map[string]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	left, since := map[string]string{}, map[string]string{}
	for _, entry := range entries {
		// <number>.<owner>.<seconds>
		parts := strings.Split(entry.Name(), ".")
		if len(parts) == 3 && parts[2] >= since[parts[1]] {
			left[parts[1]], since[parts[1]] = filepath.Join(s.dir, entry.Name()), parts[2]
		}
	}
	owners := make(map[string]string, len(want))
	for _, m := range want {
		owners[m.Number] = m.Owner
	}
	for _, number := range slices.Sorted(maps.Keys(known)) {
		if owner := known[number].Owner; owner != "" && owners[number] != owner {
			left[owner] = filepath.Join(s.dir, number)
		}
	}
	return left, nil
}

// take makes sure that the box's directory is the owner's. One without a mark
// is the last known owner's; when there is none, it was here before Ringmaster
// and stays.
func (s *spool) take(number, owner, last string, left map[string]string) (moved bool, err error) {
	dir := filepath.Join(s.dir, number)
	text, err := os.ReadFile(filepath.Join(dir, ownerFile))
	switch {
	case err == nil:
		last = strings.TrimSpace(string(text))
		if last == owner {
			return false, nil
		}
		if !ownerPattern.MatchString(last) {
			last = "unknown"
		}
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	if _, err := os.Stat(dir); err == nil && last != "" && last != owner {
		aside := fmt.Sprintf("%s.%s.%d", dir, last, time.Now().Unix())
		if err := os.Rename(dir, aside); err != nil {
			return false, fmt.Errorf("pbxlet: voicemail: %w", err)
		}
		left[last] = aside
		moved = true
	}
	back, err := s.bringAlong(number, owner, left)
	if err != nil {
		return moved, err
	}
	moved = moved || back
	if err := os.MkdirAll(dir, 0o770); err != nil {
		return moved, fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, ownerFile), []byte(owner+"\n"), 0o640); err != nil {
		return moved, fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	return moved, nil
}

// bringAlong gives the box the messages its owner has left elsewhere.
func (s *spool) bringAlong(number, owner string, left map[string]string) (bool, error) {
	from, dir := left[owner], filepath.Join(s.dir, number)
	if from == "" || from == dir {
		return false, nil
	}
	if _, err := os.Stat(dir); err == nil {
		return false, nil
	}
	text, err := os.ReadFile(filepath.Join(from, ownerFile))
	if err == nil && strings.TrimSpace(string(text)) != owner {
		return false, nil
	}
	err = os.Rename(from, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	delete(left, owner)
	return true, nil
}

func (s *spool) forgetPIN(number string) (bool, error) {
	err := os.Remove(filepath.Join(s.dir, number, pinFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	return true, nil
}

// purge deletes everything the owner has left under the number.
func (s *spool) purge(number, owner string) error {
	if !boxPattern.MatchString(number) || !ownerPattern.MatchString(owner) {
		return fmt.Errorf("pbxlet: voicemail: box %q of %q cannot be a directory", number, owner)
	}
	known, err := s.read()
	if err != nil {
		return err
	}
	dirs, err := filepath.Glob(filepath.Join(s.dir, "*."+owner+".*"))
	if err != nil {
		return fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	dir := filepath.Join(s.dir, number)
	text, err := os.ReadFile(filepath.Join(dir, ownerFile))
	unmarked := errors.Is(err, fs.ErrNotExist) && known[number].Owner == owner
	if err == nil && strings.TrimSpace(string(text)) == owner || unmarked {
		dirs = append(dirs, dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("pbxlet: voicemail: %w", err)
		}
	}
	if known[number].Owner != owner {
		return nil
	}
	delete(known, number)
	return s.write(nil, known)
}

func (s *spool) read() (map[string]box, error) {
	text, err := os.ReadFile(s.boxes)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]box{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	known := map[string]box{}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("pbxlet: voicemail: %s: %w", boxesFile, err)
	}
	return known, nil
}

func (s *spool) write(before, now map[string]box) error {
	if before != nil && maps.Equal(before, now) {
		return nil
	}
	text, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("pbxlet: voicemail: %w", err)
	}
	return replaceFile(s.boxes, text)
}
