package env

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Root is a directory tree of Debian packages whose programs run by chroot.
//
// A program gets its own mount and process namespaces: the tree is read-only
// to it, /run and /tmp are its own, and the environment's directory is
// mounted at the same absolute path as outside, so a path means the same file
// to the server, to Ringmaster beside it and to a test. The mounts exist only
// in that namespace and vanish with its last process.
type Root struct {
	// Dir is the tree.
	Dir string
	// target is the make target that builds it.
	target string
}

// asteriskRoot has Asterisk 22; servicesRoot has Dovecot, Postfix, PostgreSQL
// and the mail and SIP tools that benchmarks compare with; browserRoot has
// headless Chromium and the tool for its certificate database.
func (e *Env) asteriskRoot() (*Root, error) { return e.root("asterisk-root") }
func (e *Env) servicesRoot() (*Root, error) { return e.root("services-root") }
func (e *Env) browserRoot() (*Root, error)  { return e.root("browser-root") }

func (e *Env) root(target string) (*Root, error) {
	r := &Root{Dir: filepath.Join(e.checkout, "bin", target), target: target}
	if _, err := os.Stat(filepath.Join(r.Dir, "etc", "debian_version")); err != nil {
		return nil, fmt.Errorf("%s is missing: run `make %s`", r.Dir, target)
	}
	return r, nil
}

// enter prepares the namespace and stays as its init: its end, by whatever
// signal, is the end of all processes inside. The program itself is no init
// since servers that change their user lose the parent-death signal. Everything
// the script needs comes in variables, so no path is ever parsed by the shell.
const enter = `set -e
mount --make-rprivate /
mount --bind "$RM_ROOT" "$RM_ROOT"
mkdir -p "$RM_ROOT$RM_TOP"
if [ -n "$RM_COVER" ]; then mount -t tmpfs -o mode=0755 tmpfs "$RM_ROOT$RM_TOP"; fi
if [ "$RM_TOP" != /tmp ]; then mount -t tmpfs -o mode=1777 tmpfs "$RM_ROOT/tmp"; fi
mount -t tmpfs -o mode=0755 tmpfs "$RM_ROOT/run"
mount -t proc proc "$RM_ROOT/proc"
mount --bind /dev "$RM_ROOT/dev"
mkdir -p "$RM_ROOT$RM_DIR"
mount --bind "$RM_DIR" "$RM_ROOT$RM_DIR"
mount -o remount,bind,ro "$RM_ROOT"
unset RM_ROOT RM_TOP RM_DIR RM_COVER
"$@" &
program=$!
trap 'kill -TERM $program' TERM
set +e
while :; do
	wait $program
	status=$?
	kill -0 $program 2>/dev/null || exit $status
done
`

// systemDirs are top-level directories a server needs as they are in the
// tree; any other one can be covered to make room for a mount point.
var systemDirs = []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr", "/var"}

// command makes a program of the tree run with dir mounted in it.
func (r *Root) command(dir string, cmd Command) *exec.Cmd {
	top := "/" + strings.SplitN(dir, "/", 3)[1]
	cover := "yes"
	if slices.Contains(systemDirs, top) {
		cover = ""
	}
	become := []string{"chroot", r.Dir}
	if cmd.User != "" {
		become = append(become, "setpriv", "--reuid="+cmd.User, "--regid="+cmd.User, "--init-groups")
	}
	c := exec.Command("sh", slices.Concat([]string{"-c", enter, "enter"}, become, []string{cmd.Path}, cmd.Args)...)
	c.Env = append(os.Environ(), "RM_ROOT="+r.Dir, "RM_DIR="+dir, "RM_TOP="+top, "RM_COVER="+cover)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	return c
}

// user looks a user of the tree up.
func (r *Root) user(name string) (uid, gid int, err error) {
	fields, err := r.account("passwd", name)
	if err != nil {
		return 0, 0, err
	}
	if uid, err = strconv.Atoi(fields[2]); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(fields[3])
	return uid, gid, err
}

// group looks a group of the tree up.
func (r *Root) group(name string) (int, error) {
	fields, err := r.account("group", name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(fields[2])
}

// account returns a line of passwd or group, split into its fields.
func (r *Root) account(file, name string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(r.Dir, "etc", file))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Split(strings.TrimSpace(line), ":"); fields[0] == name && len(fields) >= 4 {
			return fields, nil
		}
	}
	return nil, fmt.Errorf("%s is missing in etc/%s of %s: run `make %s`", name, file, r.Dir, r.target)
}

// glob finds a path of the tree and returns it as seen from inside.
func (r *Root) glob(pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(r.Dir, pattern))
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("%s is missing in %s: run `make %s`", pattern, r.Dir, r.target)
	}
	return strings.TrimPrefix(found[len(found)-1], r.Dir), nil
}
