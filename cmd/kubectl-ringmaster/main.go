// Command kubectl-ringmaster is the plugin behind `kubectl ringmaster`: it brings agents, queues and mailboxes from elsewhere into
// manifests, exports them, and shows the state of a center.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set at build time.
var version = "devel"

// Exit statuses.
const (
	exitFailure    = 1
	exitUnreadable = 2
)

// unreadable is an error about input that cannot be read.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, errNotReady) {
		fmt.Fprintln(os.Stderr, "kubectl ringmaster:", oneLine(err.Error()))
	}
	if _, ok := errors.AsType[unreadable](err); ok {
		os.Exit(exitUnreadable)
	}
	os.Exit(exitFailure)
}

func root() *cobra.Command {
	cluster := newCluster()
	cmd := &cobra.Command{
		Use:           "kubectl-ringmaster",
		Short:         "Bring a contact center into Kubernetes, and look at it",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl ringmaster"},
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cluster.addFlags(cmd)
	cmd.AddCommand(versionCommand(), importCommand(cluster), exportCommand(cluster), statusCommand(cluster), authorizeCommand(cluster),
		interactionsCommand(cluster), whyCommand(cluster), unlockCommand(cluster), setPasswordCommand(cluster), mailCommand(cluster),
		verifyCommand(cluster), inviteCommand(cluster))
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of the plugin", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
