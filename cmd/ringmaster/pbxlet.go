package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
)

func pbxletCommand() *cobra.Command {
	c := pbxlet.Config{Version: version}
	var verbose bool
	cmd := &cobra.Command{
		Use:   "pbxlet",
		Short: "Keep the Asterisk on this machine on the manager's configuration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Logger = slog.New(slog.NewTextHandler(os.Stderr, logOptions(verbose)))
			return pbxlet.Run(cmd.Context(), c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Dir, "link-dir", "/etc/ringmaster/link", "directory with the content of the Secret <pbx>-link")
	f.StringVar(&c.Manager, "manager", "", "address of the manager's link, host:port (default: the file server in --link-dir)")
	f.StringVar(&c.ServerName, "server-name", "", "name in the manager's certificate (default: the host of the address)")
	f.StringVar(&c.PBX, "pbx", "", "the PBX as namespace/name (default: the file pbx in --link-dir)")
	f.StringVar(&c.StateDir, "state-dir", "/var/lib/ringmaster", "directory whose current/*.conf Asterisk's own files include")
	f.StringVar(&c.SpoolDir, "spool-dir", "/var/spool/asterisk", "Asterisk's spool directory, with voicemail and recordings")
	amiFlags(cmd, &c.AMIAddr, &c.AMIUser, &c.AMISecretFile)
	f.Float64Var(&c.MaxShrink, "max-shrink", 0.5, "share of endpoints a configuration may remove without the manager's explicit word")
	f.DurationVar(&c.ReloadTimeout, "reload-timeout", 0, "time after which a reload is reported as hanging (default 30s)")
	f.BoolVarP(&verbose, "verbose", "v", false, "log details, such as every reload and how long it took")
	cmd.AddCommand(pbxletJoinCommand(), pbxletLeaveCommand(), pbxletPrepareCommand(), pbxletCheckCommand(), pbxletDrainCommand())
	return cmd
}
