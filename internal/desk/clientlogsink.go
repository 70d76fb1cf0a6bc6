package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/clientlog"
)

// clientLogSink keeps entries and says how many.
type clientLogSink interface {
	keep(ctx context.Context, c caller, entries []ClientLogEntry) (int, error)
}

func (s *server) clientLogSink(l *ClientLogs) clientLogSink {
	switch l.Sink {
	case clientLogsVolume:
		return clientLogFiles{directory: s.ClientLogDirectory, retention: time.Duration(l.RetentionDays) * 24 * time.Hour, now: time.Now}
	case clientLogsOTLP:
		return clientLogExport{s.ClientLogExport}
	}
	return clientLogLines{slog.New(slog.NewJSONHandler(s.ClientLogOutput, nil))}
}

// logRole is what an account with a role is called in logs and in the names of their files.
func logRole(role string) string { return strings.ToLower(role) }

func logFolder(c caller, role string) string {
	return path.Join(c.Namespace, logRole(role)+"-"+c.Username)
}

// clientLogLines writes one JSON object a line, with labels to find them by.
type clientLogLines struct{ log *slog.Logger }

func (l clientLogLines) keep(ctx context.Context, c caller, entries []ClientLogEntry) (int, error) {
	for _, e := range entries {
		l.log.LogAttrs(ctx, slog.LevelInfo, e.Message, slog.String("logger", "client"), slog.String("center", c.Namespace), slog.String("agent", c.Name),
			slog.String("role", logRole(c.permissions.Role)), slog.String("username", c.Username), slog.String("client", string(c.client)), slog.Time("at", e.At.UTC()),
			slog.String("clientLevel", e.Level), slog.String("scope", e.Scope))
	}
	return len(entries), nil
}

// clientLogExport sends to a collector.
type clientLogExport struct {
	queue func(ctx context.Context, namespace string, entries []clientlog.Entry) (int, error)
}

func (l clientLogExport) keep(ctx context.Context, c caller, entries []ClientLogEntry) (int, error) {
	if l.queue == nil {
		return 0, errors.New("the center's clientLogs.sink is OTLP, which this manager does not send")
	}
	queued := make([]clientlog.Entry, len(entries))
	for i, e := range entries {
		queued[i] = clientlog.Entry{At: e.At, Level: e.Level, Message: e.Message, Attributes: map[string]string{
			"ringmaster.center": c.Namespace, "ringmaster.agent": c.Name, "ringmaster.role": logRole(c.permissions.Role), "ringmaster.username": c.Username,
			"ringmaster.client": string(c.client), "ringmaster.scope": e.Scope,
		}}
	}
	return l.queue(ctx, c.Namespace, queued)
}

// maxClientLogFile is how much one agent's file of a day grows to.
const maxClientLogFile = 32 << 20

// clientLogFiles appends to NAMESPACE/ROLE-USERNAME/DATE.log.
type clientLogFiles struct {
	directory string
	retention time.Duration
	now       func() time.Time
}

func (l clientLogFiles) keep(ctx context.Context, c caller, entries []ClientLogEntry) (n int, err error) {
	if l.directory == "" {
		return 0, errors.New("the center's clientLogs.sink is Volume, but this manager has no --client-log-directory")
	}
	// A Root: whatever a name may be one day, nothing outside of the directory is touched.
	root, err := os.OpenRoot(l.directory)
	if err != nil {
		return 0, fmt.Errorf("client logs: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	folder := logFolder(c, c.permissions.Role)
	if err := root.MkdirAll(folder, 0o700); err != nil {
		return 0, fmt.Errorf("client logs: %w", err)
	}
	today := l.now().UTC().Format(time.DateOnly) + logSuffix
	for _, role := range []string{RoleAgent, RoleAdmin} { // the role may have changed
		if err := l.prune(root, logFolder(c, role)); err != nil {
			return 0, err
		}
	}
	file, err := root.OpenFile(path.Join(folder, today), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("client logs: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil || info.Size() >= maxClientLogFile {
		return 0, err
	}
	// One write, so that the batches of several managers on one volume do not mix.
	var b bytes.Buffer
	if n, err = (clientLogLines{slog.New(slog.NewJSONHandler(&b, nil))}).keep(ctx, c, entries); err != nil {
		return 0, err
	}
	if _, err := file.Write(b.Bytes()); err != nil {
		return 0, fmt.Errorf("client logs: %w", err)
	}
	return n, nil
}

const logSuffix = ".log"

// prune removes the agent's files of days that are over.
func (l clientLogFiles) prune(root *os.Root, folder string) error {
	files, err := fs.ReadDir(root.FS(), folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("client logs: %w", err)
	}
	oldest := l.now().UTC().Add(-l.retention).Format(time.DateOnly)
	for _, f := range files {
		day, isLog := strings.CutSuffix(f.Name(), logSuffix)
		if !isLog || day >= oldest {
			continue
		}
		if err := root.Remove(path.Join(folder, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("client logs: %w", err)
		}
	}
	return nil
}
