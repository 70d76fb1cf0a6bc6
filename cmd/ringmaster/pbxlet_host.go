package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/join"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlet"
)

// hostFlags are common to join and leave.
func hostFlags(cmd *cobra.Command, o *join.Options) {
	f := cmd.Flags()
	f.StringVar(&o.Asterisk, "asterisk", "asterisk", "Asterisk's program")
	f.StringVar(&o.User, "user", "asterisk", "user that Asterisk and the pbxlet run as")
	f.StringVar(&o.EtcDir, "asterisk-dir", "/etc/asterisk", "directory with Asterisk's files")
	f.StringVar(&o.ConfigDir, "config-dir", "/etc/ringmaster", "directory for the link and the secret of the manager interface")
	f.StringVar(&o.StateDir, "state-dir", "/var/lib/ringmaster", "the pbxlet's state directory")
	f.StringVar(&o.SpoolDir, "spool-dir", "/var/spool/asterisk", "Asterisk's spool, with voicemail and recordings")
	f.StringVar(&o.UnitDir, "unit-dir", "/etc/systemd/system", "directory for the systemd unit")
	f.StringVar(&o.Root, "root", "", "directory in front of all these; with --no-systemd, to prepare an image")
	f.BoolVar(&o.DryRun, "dry-run", false, "only say what would be done")
	f.BoolVar(&o.NoSystemd, "no-systemd", false, "write files only, and say which commands remain")
}

func pbxletJoinCommand() *cobra.Command {
	o := join.Options{}
	var linkFile, linkDir string
	cmd := &cobra.Command{
		Use:   "join (--link-file FILE|- | --link-dir DIR)",
		Short: "Bring the Asterisk of this machine under a manager",
		Long: `Bring the Asterisk of this machine under a manager: link, manager interface, Asterisk's own files, systemd unit.
Run again, it changes only what differs. Asterisk is restarted the first time, if it has no calls; files that are changed are kept as *.before-ringmaster.`,
		Example: `  kubectl -n contact-center get secret main-link -o json |
    ssh root@pbx.example.com ringmaster pbxlet join --link-file - \
      --manager link.example.com:9443 --server-name ringmaster-link.ringmaster-system.svc`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Link, err = readLink(cmd.InOrStdin(), linkFile, linkDir); err != nil {
				return err
			}
			o.Out = cmd.OutOrStdout()
			return join.Join(cmd.Context(), o)
		},
	}
	hostFlags(cmd, &o)
	f := cmd.Flags()
	f.StringVar(&linkFile, "link-file", "", "the Secret <pbx>-link as kubectl prints it with -o json or -o yaml; - reads standard input")
	f.StringVar(&linkDir, "link-dir", "", "directory with the content of that Secret as files")
	f.StringVar(&o.Manager, "manager", "", "address of the manager's link, host:port (default: what the Secret says)")
	f.StringVar(&o.ServerName, "server-name", "", "name in the manager's certificate (default: the host of that address)")
	f.DurationVar(&o.Wait, "wait", time.Minute, "how long to wait for the first configuration; 0 does not wait and does not look for the manager")
	cmd.MarkFlagsOneRequired("link-file", "link-dir")
	cmd.MarkFlagsMutuallyExclusive("link-file", "link-dir")
	return cmd
}

func readLink(stdin io.Reader, file, dir string) (join.Link, error) {
	switch {
	case dir != "":
		return join.ReadLinkDir(dir)
	case file == "-":
		return join.ReadLink(stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return join.ReadLink(f)
}

func pbxletLeaveCommand() *cobra.Command {
	o := join.Options{}
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Undo join",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out = cmd.OutOrStdout()
			return join.Leave(cmd.Context(), o)
		},
	}
	hostFlags(cmd, &o)
	return cmd
}

func pbxletPrepareCommand() *cobra.Command {
	p := join.Prepared{}
	var ports string
	cmd := &cobra.Command{
		Use:   "prepare",
		Short: "Write the whole configuration of an Asterisk in a container",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := fmt.Sscanf(ports, "%d-%d", &p.RTPFirst, &p.RTPLast); err != nil {
				return fmt.Errorf("--rtp-ports %q is not FIRST-LAST", ports)
			}
			return join.Prepare(p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.EtcDir, "asterisk-dir", "/etc/ringmaster/asterisk", "directory for the files; asterisk -C DIR/asterisk.conf reads them")
	f.StringVar(&p.ImageDir, "image-dir", "/etc/asterisk", "where Asterisk's container has the files of its package")
	f.StringVar(&p.StateDir, "state-dir", "/var/lib/ringmaster", "the pbxlet's state directory")
	f.StringVar(&p.SecretFile, "ami-secret-file", "/etc/ringmaster/ami-secret", "file for the secret of the manager interface, made unless it is there")
	f.StringVar(&p.SiteDir, "site-dir", "/etc/ringmaster/site", "directory whose files are included by Asterisk's of the same names; they may be missing")
	f.StringVar(&p.Name, "name", "asterisk", "Asterisk's system name, another one for each PBX")
	f.StringVar(&ports, "rtp-ports", "10000-10999", "UDP ports of media, first-last")
	f.IntVar(&p.AMIPort, "ami-port", 5038, "port of the manager interface on loopback")
	f.StringSliceVar(&p.DataDirs, "make-dir", nil, "directory to make when it is missing; repeatable")
	f.StringVar(&p.Program, "copy-program-to", "", "file to copy this program to, for the hooks and probes of Asterisk's container")
	return cmd
}

func pbxletCheckCommand() *cobra.Command {
	a := join.AMI{}
	var live, ready bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "check (--live | --ready)",
		Short: "Answer a probe: does Asterisk answer, has it a configuration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			var errs []error
			if live {
				errs = append(errs, join.Live(ctx, a))
			}
			if ready {
				errs = append(errs, join.Ready(ctx, a))
			}
			return errors.Join(errs...)
		},
	}
	amiFlags(cmd, &a.Addr, &a.User, &a.SecretFile)
	f := cmd.Flags()
	f.BoolVar(&live, "live", false, "Asterisk answers")
	f.BoolVar(&ready, "ready", false, "Asterisk has loaded a configuration of the manager's; whether manager and pbxlet are there does not matter")
	f.DurationVar(&timeout, "timeout", 5*time.Second, "how long Asterisk may take")
	cmd.MarkFlagsOneRequired("live", "ready")
	return cmd
}

func pbxletDrainCommand() *cobra.Command {
	c := pbxlet.Config{}
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "End Asterisk when its calls have ended",
		Long:  "End Asterisk when its calls have ended. New calls are refused at once. It is not started again by this command.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			_, err := pbxlet.Drain(ctx, c)
			return err
		},
	}
	amiFlags(cmd, &c.AMIAddr, &c.AMIUser, &c.AMISecretFile)
	cmd.Flags().DurationVar(&timeout, "timeout", time.Hour, "how long calls may last; those left end with Asterisk")
	return cmd
}

// amiFlags say how Asterisk's manager interface is opened.
func amiFlags(cmd *cobra.Command, addr, user, secretFile *string) {
	f := cmd.Flags()
	f.StringVar(addr, "ami-address", "127.0.0.1:5038", "Asterisk's manager interface")
	f.StringVar(user, "ami-user", "ringmaster", "user of the manager interface")
	f.StringVar(secretFile, "ami-secret-file", "/etc/ringmaster/ami-secret", "file with that user's secret")
}
