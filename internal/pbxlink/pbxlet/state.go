package pbxlet

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// state is the state directory:
//
//	versions/<version>/       the files of a version and its manifest.json
//	current -> versions/...   what Asterisk loads
//	good -> versions/...      the last version read back from Asterisk
//	members.json              the wanted run-time state of agents and telephones
//	mailboxes.json            the owner and the PIN last put in force of every mailbox
//	lock                      held by the one pbxlet that may be here
type state struct {
	dir  string
	lock *os.File
}

const (
	versionsDir  = "versions"
	currentLink  = "current"
	goodLink     = "good"
	manifestFile = "manifest.json"
	membersFile  = "members.json"
)

// manifest describes the files beside it.
type manifest struct {
	Version string            `json:"version"`
	Hashes  map[string]string `json:"hashes"`
	Expect  voice.Expect      `json:"expect"`
}

var (
	versionPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	filePattern    = regexp.MustCompile(`^[a-z_]+\.(conf|crt|key)$`)
)

// openState takes the state directory for this process alone.
func openState(dir string) (*state, error) {
	if err := os.MkdirAll(filepath.Join(dir, versionsDir), 0o750); err != nil {
		return nil, fmt.Errorf("pbxlet: state: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("pbxlet: state: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("pbxlet: another pbxlet uses %s: %w", dir, err)
	}
	return &state{dir: dir, lock: lock}, nil
}

func (s *state) close() { _ = s.lock.Close() }

// manifest reads what a link points to; nil when it points nowhere or to files
// that are not what their manifest says.
func (s *state) manifest(link string) (*manifest, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, link, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pbxlet: state: %w", err)
	}
	m := &manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("pbxlet: state: %s: %w", link, err)
	}
	for path, want := range m.Hashes {
		content, err := os.ReadFile(filepath.Join(s.dir, link, path))
		if err != nil {
			return nil, fmt.Errorf("pbxlet: state: %w", err)
		}
		if hash(content) != want {
			return nil, fmt.Errorf("pbxlet: state: %s/%s was changed by somebody else", link, path)
		}
	}
	return m, nil
}

// write stores a version durably without making it current. Files whose
// content was not sent are taken from the last good version.
func (s *state) write(snapshot *pbxlinkv1.Snapshot) (*manifest, error) {
	m := &manifest{Version: snapshot.GetVersion(), Hashes: map[string]string{}, Expect: pbxlink.ExpectFrom(snapshot.GetExpect())}
	dir := s.versionDir(m.Version)
	if have, err := s.manifest(filepath.Join(versionsDir, m.Version)); err == nil && have != nil && holds(have, snapshot) {
		// It is here already, and Asterisk may be reading it.
		return have, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("pbxlet: state: %w", err)
	}
	renewed := s.renewed(snapshot)
	for _, f := range snapshot.GetFiles() {
		content := f.Content
		if content == nil {
			var err error
			if content, err = os.ReadFile(filepath.Join(s.dir, goodLink, f.GetPath())); err != nil {
				return nil, fmt.Errorf("pbxlet: %s was not sent and is not here: %w", f.GetPath(), err)
			}
		}
		if hash(content) != f.GetSha256() {
			return nil, fmt.Errorf("pbxlet: %s does not have the hash it came with", f.GetPath())
		}
		if err := s.place(filepath.Join(dir, f.GetPath()), content, renewed); err != nil {
			return nil, err
		}
		m.Hashes[f.GetPath()] = f.GetSha256()
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("pbxlet: state: %w", err)
	}
	if err := writeSynced(filepath.Join(dir, manifestFile), text); err != nil {
		return nil, err
	}
	return m, syncDir(dir)
}

// renewed tells whether the snapshot's certificate is another than that of the last good version.
func (s *state) renewed(snapshot *pbxlinkv1.Snapshot) bool {
	for _, f := range snapshot.GetFiles() {
		if f.GetPath() != voice.CertificateFile && f.GetPath() != voice.KeyFile {
			continue
		}
		if have, err := os.ReadFile(filepath.Join(s.dir, goodLink, f.GetPath())); err != nil || hash(have) != f.GetSha256() {
			return true
		}
	}
	return false
}

// place writes a file of a version. A PJSIP file that is as in the last good version
// stays the very same file, for Asterisk passes over objects whose files have the
// time it knows. With another certificate pjsip.conf is another file in any case,
// because transports look at their certificates only when they are read again.
func (s *state) place(path string, content []byte, renewed bool) error {
	// What an interrupted write has left may be a link to the good one.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	name := filepath.Base(path)
	if slices.Contains(pjsipFiles, name) && !(renewed && name == voice.PJSIPFile) {
		good := filepath.Join(s.dir, goodLink, name)
		if have, err := os.ReadFile(good); err == nil && bytes.Equal(have, content) && os.Link(good, path) == nil {
			return nil
		}
	}
	return writeSynced(path, content)
}

// holds tells whether the manifest has the snapshot's files.
func holds(m *manifest, snapshot *pbxlinkv1.Snapshot) bool {
	for _, f := range snapshot.GetFiles() {
		if m.Hashes[f.GetPath()] != f.GetSha256() {
			return false
		}
	}
	return len(m.Hashes) == len(snapshot.GetFiles())
}

// file is the content of one file of a version, nothing when it has none.
func (s *state) file(version, path string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(s.versionDir(version), path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pbxlet: state: %w", err)
	}
	return content, nil
}

func (s *state) versionDir(version string) string {
	return filepath.Join(s.dir, versionsDir, version)
}

// point makes the link name the version, in one step.
func (s *state) point(link, version string) error {
	tmp := filepath.Join(s.dir, link+".new")
	_ = os.Remove(tmp)
	if err := os.Symlink(filepath.Join(versionsDir, version), tmp); err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(s.dir, link)); err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	return syncDir(s.dir)
}

// unpoint removes the link.
func (s *state) unpoint(link string) error {
	if err := os.Remove(filepath.Join(s.dir, link)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	return syncDir(s.dir)
}

// prune removes versions that no link names.
func (s *state) prune() error {
	entries, err := os.ReadDir(filepath.Join(s.dir, versionsDir))
	if err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	keep := map[string]bool{}
	for _, link := range []string{currentLink, goodLink} {
		if target, err := os.Readlink(filepath.Join(s.dir, link)); err == nil {
			keep[filepath.Base(target)] = true
		}
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			if err := os.RemoveAll(s.versionDir(e.Name())); err != nil {
				return fmt.Errorf("pbxlet: state: %w", err)
			}
		}
	}
	return nil
}

// readMembers is the wanted state of queue members by extension; nil when the
// manager has never said it.
func (s *state) readMembers() (map[string]pbxlink.MemberState, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, membersFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pbxlet: state: %w", err)
	}
	var members map[string]pbxlink.MemberState
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("pbxlet: state: %s: %w", membersFile, err)
	}
	return members, nil
}

func (s *state) writeMembers(members map[string]pbxlink.MemberState) error {
	text, err := json.Marshal(members)
	if err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	return replaceFile(filepath.Join(s.dir, membersFile), text)
}

// replaceFile changes a file durably in one step.
func replaceFile(path string, content []byte) error {
	tmp := path + ".new"
	if err := writeSynced(tmp, content); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// writeSynced writes a file durably; private keys are for their owner alone.
func writeSynced(path string, content []byte) error {
	mode := fs.FileMode(0o640)
	if filepath.Ext(path) == ".key" {
		mode = 0o600
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("pbxlet: state: %w", err)
	}
	return nil
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
