package pbxlet

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// command runs a CLI command that only reads.
func (a *asterisk) command(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	return a.Command(ctx, command)
}

// codecs are the codecs that Asterisk knows by name, and those that it can turn
// into others.
func (a *asterisk) codecs(ctx context.Context) (all, transcodable []string, err error) {
	table, err := a.command(ctx, "core show codecs")
	if err != nil {
		return nil, nil, err
	}
	matrix, err := a.command(ctx, "core show translation")
	if err != nil {
		return nil, nil, err
	}
	return codecNames(table), translatable(matrix), nil
}

// codecNames reads "core show codecs": "<id> audio <name> <format> <quality> (...)".
func codecNames(table string) []string {
	var names []string
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) > 4 && f[1] == "audio" && f[2] != "none" {
			names = append(names, f[2])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// translatable reads "core show translation", a square of times with one row
// and one column for each codec that has a translator and "-" where there is no
// way.
func translatable(matrix string) []string {
	var columns, names []string
	for line := range strings.Lines(matrix) {
		f := strings.Fields(line)
		switch {
		case columns == nil && len(f) > 1 && slices.Contains(f, "ulaw"):
			columns = f
		case len(f) > 1 && len(f) == len(columns)+1 && slices.Contains(columns, f[0]):
			if slices.ContainsFunc(f[1:], func(cost string) bool { return cost != "-" }) {
				names = append(names, f[0])
			}
		}
	}
	slices.Sort(names)
	return names
}

// missingContexts are those of the wanted contexts that the dialplan lacks.
func (a *asterisk) missingContexts(ctx context.Context, want []string) ([]string, error) {
	var missing []string
	for _, name := range want {
		_, err := a.command(ctx, "dialplan show "+name)
		if _, failed := errors.AsType[*ami.Error](err); failed {
			missing = append(missing, name)
		} else if err != nil {
			return nil, err
		}
	}
	return missing, nil
}

// musicProblem says which classes of music on hold Asterisk does not have as
// wanted; empty when it has all.
func (a *asterisk) musicProblem(ctx context.Context, want []voice.MusicClass) (string, error) {
	if len(want) == 0 {
		return "", nil
	}
	answer, err := a.command(ctx, "moh show classes")
	if err != nil {
		return "", err
	}
	have, class := map[string]string{}, ""
	for line := range strings.Lines(answer) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Class":
			class = value
		case "Directory":
			have[class] = value
		}
	}
	var missing []string
	for _, c := range want {
		if have[c.Name] != c.Directory {
			missing = append(missing, c.Name+" ("+c.Directory+")")
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	return "music on hold is not as configured, are there sound files? " + strings.Join(missing, ", "), nil
}

// survey tells what this Asterisk can do and what its site lacks.
func (e *engine) survey(ctx context.Context, a *asterisk, want voice.Expect) error {
	missing, err := a.missingContexts(ctx, want.Contexts)
	if err != nil {
		return err
	}
	music, err := a.musicProblem(ctx, want.MusicClasses)
	if err != nil {
		return err
	}
	e.tables.setAsterisk(func(s *pbxlinkv1.Asterisk) { s.MissingContexts, s.Problem = missing, music })
	return nil
}
