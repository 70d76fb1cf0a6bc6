package main

import (
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
)

func mailCommand(c *cluster) *cobra.Command {
	cmd := &cobra.Command{Use: "mail", Short: "Look at mailboxes"}
	m := &manager{cluster: c}
	everything := false
	audit := &cobra.Command{
		Use:   "audit ACCOUNT",
		Short: "Say of every mail on an account's server what became of it",
		Long: `Compare the mailbox of an EmailAccount on its server with what was taken from it: every mail by its UID, whether it was ingested,
filtered, quarantined or is missing, and why. Ingested ones are counted, and listed with --all. The manager signs in to the server for it and changes nothing
there. It needs the right to get emailaccounts/audit.ringmaster.dev in the namespace (ClusterRole ringmaster-mail-auditor, part of edit).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask, stop, err := m.open(cmd)
			if err != nil {
				return err
			}
			defer stop()
			var found wire.Audit
			if err := ask("emailaccounts/"+url.PathEscape(args[0])+"/audit", nil, &found); err != nil {
				return err
			}
			return printAudit(cmd.OutOrStdout(), found, everything)
		},
	}
	audit.Flags().BoolVar(&everything, "all", false, "list ingested mails as well")
	m.addFlags(audit)
	cmd.AddCommand(audit)
	return cmd
}

func printAudit(w io.Writer, a wire.Audit, everything bool) error {
	counts := map[string]int{}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "UID\tVERDICT\tINTERACTION\tWHY")
	for _, m := range a.Mails {
		counts[m.Verdict]++
		if everything || m.Verdict != wire.MailIngested {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", m.UID, m.Verdict, dash(m.InteractionID), dash(m.Why))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s, UIDVALIDITY %d: %d mails, %d ingested, %d filtered, %d quarantined, %d missing\n", oneLine(a.Mailbox), a.UIDValidity, len(a.Mails),
		counts[wire.MailIngested], counts[wire.MailFiltered], counts[wire.MailQuarantined], counts[wire.MailMissing])
	return err
}
