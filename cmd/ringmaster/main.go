// Command ringmaster runs a contact center from Kubernetes objects. Its subcommands are the manager, which runs in the
// cluster, and the pbxlet, which runs beside every Asterisk.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set at build time.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use:           "ringmaster",
		Short:         "A contact center from Kubernetes objects",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(managerCommand(), pbxletCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ringmaster:", err)
		os.Exit(1)
	}
}
