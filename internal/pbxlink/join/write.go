package join

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// describe is one line about a change.
func (c change) describe(o Options) string {
	verb := "write  "
	switch {
	case c.restore:
		verb = "restore"
	case c.text == nil:
		verb = "remove "
	}
	line := verb + " " + o.path(c.path)
	if c.note != "" {
		line += " (" + c.note + ")"
	}
	if c.backup {
		line += ", the one before is kept as " + filepath.Base(c.path) + backupSuffix
	}
	return line
}

// do makes the change.
func (c change) do(o Options) error {
	path := o.path(c.path)
	// A link to a file elsewhere stays a link.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	err := c.act(path)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}

func (c change) act(path string) error {
	switch {
	case c.restore:
		return os.Rename(path+backupSuffix, path)
	case c.text == nil:
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	mode, owner := c.mode, c.owner
	switch info, err := os.Stat(path); {
	case err == nil:
		mode = info.Mode().Perm()
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = account{int(s.Uid), int(s.Gid)}
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if c.backup {
		if err := keep(path, path+backupSuffix, mode, owner); err != nil {
			return err
		}
	}
	return replace(path, c.text, mode, owner)
}

// keep copies a file unless an earlier run already did: that copy is the
// original.
func keep(path, copyTo string, mode fs.FileMode, owner account) error {
	if _, err := os.Lstat(copyTo); err == nil {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return replace(copyTo, text, mode, owner)
}

// replace writes a file in one step.
func replace(path string, text []byte, mode fs.FileMode, owner account) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), chown(f, owner), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// chown does nothing for a user who is not root: then everything is his.
func chown(f *os.File, owner account) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(owner.uid, owner.gid)
}

// makeDir makes a directory for Asterisk's user.
func makeDir(path string, mode fs.FileMode, owner account) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	defer d.Close()
	if err := errors.Join(d.Chmod(mode), chown(d, owner)); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return nil
}
