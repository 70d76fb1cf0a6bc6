package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
)

// askPage is how many interactions are asked for at once.
const askPage = 199

func interactionsCommand(c *cluster) *cobra.Command {
	m := &manager{cluster: c}
	var states []string
	var queue, account, agent string
	limit := 50
	cmd := &cobra.Command{
		Use:   "interactions",
		Short: "List the interactions of a namespace, newest first",
		Long: `List where the interactions of a namespace are, newest first. Nothing of customers is shown. It needs the right to list
interactions.ringmaster.dev in the namespace (ClusterRole ringmaster-interaction-viewer, part of view).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"state": states}
			for name, value := range map[string]string{"queue": queue, "account": account, "agent": agent} {
				if value != "" {
					query.Set(name, value)
				}
			}
			ask, stop, err := m.open(cmd)
			if err != nil {
				return err
			}
			defer stop()
			var all []wire.Interaction
			for {
				var page wire.InteractionList
				query.Set("limit", strconv.Itoa(min(max(limit-len(all), 1), askPage)))
				if err := ask("interactions", query, &page); err != nil {
					return err
				}
				all = append(all, page.Interactions...)
				if page.Next == "" || len(all) >= limit {
					return printInteractions(cmd.OutOrStdout(), all, page.Next != "")
				}
				query.Set("cursor", page.Next)
			}
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&states, "state", nil, "only these states: Queued, Offered, Open, Closed, Unread")
	f.StringVar(&queue, "queue", "", "only those of this Queue")
	f.StringVar(&account, "account", "", "only those of this EmailAccount")
	f.StringVar(&agent, "agent", "", "only those offered to or open with this Agent")
	f.IntVar(&limit, "limit", limit, "how many at most")
	m.addFlags(cmd)
	return cmd
}

func printInteractions(w io.Writer, list []wire.Interaction, more bool) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tSTATE\tACCOUNT\tQUEUE\tAGENT\tMESSAGES\tCHANGED\tAGE")
	for _, i := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", i.ID, i.State, dash(i.Account), dash(i.Queue), dash(i.Agent), i.Messages,
			ago(i.UpdatedAt), ago(i.CreatedAt))
	}
	if err := t.Flush(); err != nil || !more {
		return err
	}
	_, err := fmt.Fprintln(w, "there are more; raise --limit")
	return err
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return oneLine(s)
}

func ago(at time.Time) string { return duration.HumanDuration(time.Since(at)) }

func whyCommand(c *cluster) *cobra.Command {
	m := &manager{cluster: c}
	cmd := &cobra.Command{
		Use:   "why ID",
		Short: "Explain where an interaction is: its history and what it waits for",
		Long: `Show every step of an interaction with its reason, and what it waits for now: in a queue, why each member does not have it.
Nothing of the customer is shown. It needs the right to get interactions.ringmaster.dev in the namespace.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ask, stop, err := m.open(cmd)
			if err != nil {
				return err
			}
			defer stop()
			var why wire.Why
			if err := ask("interactions/"+url.PathEscape(args[0]), nil, &why); err != nil {
				return err
			}
			return printWhy(cmd.OutOrStdout(), why)
		},
	}
	m.addFlags(cmd)
	return cmd
}

func printWhy(w io.Writer, why wire.Why) error {
	i := why.Interaction
	fmt.Fprintf(w, "%s: %s, account %s, queue %s, agent %s\n\n", i.ID, i.State, dash(i.Account), dash(i.Queue), dash(i.Agent))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "AT\tFROM\tTO\tREASON\tAGENT\tQUEUE\tDETAIL")
	for _, s := range why.History {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.At.UTC().Format(time.RFC3339), dash(s.From), s.To, s.Reason, dash(s.Agent), dash(s.Queue), dash(s.Detail))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if why.Waiting != "" {
		fmt.Fprintf(w, "\nnow: %s\n", oneLine(why.Waiting))
	}
	if len(why.Members) > 0 {
		fmt.Fprintln(t, "\nMEMBER\tPENALTY\tNOW\tDETAIL")
		for _, member := range why.Members {
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", member.Agent, member.Penalty, member.Verdict, dash(member.Detail))
		}
	}
	return t.Flush()
}
