// Command dev brings the development environment of the checkout up and down.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/ringmaster-dev/ringmaster/test/env"
)

const usage = "usage: dev up [--postgres] | dev down"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil:
		return
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "dev: interrupted, everything is stopped again")
	default:
		fmt.Fprintln(os.Stderr, "dev:", err)
	}
	stop()
	os.Exit(1)
}

func run(ctx context.Context, args []string) error {
	dir, err := env.DefaultDir()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "up":
		return up(ctx, dir, env.StackOptions{Postgres: slices.Contains(args[1:], "--postgres")})
	case "down":
		return env.Remove(dir)
	default:
		return fmt.Errorf("unknown command %q; %s", args[0], usage)
	}
}

func up(ctx context.Context, dir string, opts env.StackOptions) error {
	if vars, ok := env.Running(dir); ok {
		fmt.Println("The environment is already up.")
		show(dir, vars)
		return nil
	}
	started := time.Now()
	s, err := env.Up(ctx, dir, opts, env.Detached(), env.Progress(os.Stdout))
	if err != nil {
		return err
	}
	fmt.Printf("The environment is up after %s.\n", time.Since(started).Round(100*time.Millisecond))
	show(dir, s.Vars)
	return nil
}

func show(dir string, vars map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		fmt.Printf("  %-22s %s\n", name, vars[name])
	}
	fmt.Printf("\nsource %s        # then kubectl, kubectl ringmaster and asterisk-rx \"pjsip show endpoints\" work\nmake dev-down           # stops it all\n", filepath.Join(dir, "env"))
}
