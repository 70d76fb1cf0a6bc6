package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/letter"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
)

// errSomeNotInvited: the lines printed say who and why.
var errSomeNotInvited = errors.New("not everybody was invited")

type inviteOptions struct {
	names          []string
	team, selector string
	all, dryRun    bool
	timeout        time.Duration
}

// bulk says that nobody was named.
func (o *inviteOptions) bulk() bool { return len(o.names) == 0 }

func inviteCommand(c *cluster) *cobra.Command {
	o := inviteOptions{timeout: time.Minute}
	cmd := &cobra.Command{
		Use:   "invite (AGENT... | --team TEAM | --selector LABELS | --all)",
		Short: "Mail agents a link to set a password",
		Long: `Set the annotation ` + v1alpha1.InviteAnnotation + ` of the agents, and wait until the manager has written the mails of spec.invitations. The older link of
an agent ends. Agents who are deactivated, have no e-mail address or whose passwordManagement is Enforced get none, nor do those who have a
password, unless they are named. --dry-run shows the mail and who would get it, and sends nothing.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			o.names = names
			given := 0
			for _, is := range []bool{len(names) > 0, o.team != "", o.selector != "", o.all} {
				if is {
					given++
				}
			}
			if given != 1 {
				return errors.New("give either names of agents, --team, --selector or --all")
			}
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			return invite(cmd.Context(), cl, namespace, &o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.team, "team", "", "the members of a team")
	f.StringVarP(&o.selector, "selector", "l", "", "agents with these labels")
	f.BoolVar(&o.all, "all", false, "all agents of the namespace")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the mail and who would get it; send nothing")
	f.DurationVar(&o.timeout, "timeout", o.timeout, "how long to wait for all of them; 0 does not wait")
	return cmd
}

// invited is one agent, and why no mail goes there.
type invited struct {
	agent    *v1alpha1.Agent
	obstacle string
}

func invite(ctx context.Context, cl client.Client, namespace string, o *inviteOptions, out io.Writer) error {
	center, texts, err := invitationsOf(ctx, cl, namespace)
	if err != nil {
		return err
	}
	who, err := whom(ctx, cl, namespace, o)
	if err != nil {
		return err
	}
	if o.dryRun {
		return preview(out, center, texts, who)
	}
	values := map[string]string{}
	failed := false
	for _, i := range who {
		if i.obstacle != "" {
			failed = failed || !o.bulk()
			fmt.Fprintf(out, "agent/%s not invited: %s\n", i.agent.Name, i.obstacle)
			continue
		}
		if values[i.agent.Name], err = askFor(ctx, cl, i.agent); err != nil {
			return fmt.Errorf("agent %s: %w", i.agent.Name, err)
		}
	}
	if o.timeout > 0 {
		err = awaitInvitations(ctx, cl, namespace, values, o.timeout, out)
	}
	if err == nil && failed {
		err = errSomeNotInvited
	}
	return err
}

// invitationsOf is the center with the template of its invitations, if it sends any.
func invitationsOf(ctx context.Context, cl client.Client, namespace string) (*v1alpha1.ContactCenter, *v1alpha1.MessageTemplate, error) {
	var centers v1alpha1.ContactCenterList
	if err := cl.List(ctx, &centers, client.InNamespace(namespace)); err != nil {
		return nil, nil, err
	}
	if len(centers.Items) == 0 {
		return nil, nil, fmt.Errorf("namespace %s has no ContactCenter", namespace)
	}
	center := &centers.Items[0] // several are an error of their own
	texts, reason, fault, err := letter.Invitation(ctx, cl, center)
	if err != nil {
		return nil, nil, err
	}
	if c := meta.FindStatusCondition(center.Status.Conditions, v1alpha1.ConditionInvitationsReady); reason == "" && c != nil &&
		c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonSystemMailNotReady {
		reason, fault = c.Reason, c.Message
	}
	if reason != "" {
		return nil, nil, fmt.Errorf("no invitations: %s: %s", reason, fault)
	}
	return center, texts, nil
}

// whom finds the agents that were asked for, by name.
func whom(ctx context.Context, cl client.Client, namespace string, o *inviteOptions) ([]invited, error) {
	var who []invited
	if !o.bulk() {
		for _, name := range o.names {
			a := &v1alpha1.Agent{}
			if err := cl.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, a); err != nil {
				return nil, err
			}
			who = append(who, invited{a, letter.Obstacle(a)})
		}
		return who, nil
	}
	selector, err := labels.Parse(o.selector)
	if err != nil {
		return nil, fmt.Errorf("--selector: %w", err)
	}
	if o.team != "" {
		if err := cl.Get(ctx, types.NamespacedName{Namespace: namespace, Name: o.team}, &v1alpha1.Team{}); err != nil {
			return nil, err
		}
	}
	var agents v1alpha1.AgentList
	if err := cl.List(ctx, &agents, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	for i := range agents.Items {
		a := &agents.Items[i]
		if o.team != "" && !slices.Contains(a.Status.Teams, o.team) {
			continue
		}
		obstacle := letter.Obstacle(a)
		if obstacle == "" && slices.Contains([]string{"Active", "Locked", "PasswordExpired"}, a.Status.Account.Summary) {
			obstacle = "has a password; give the name to invite all the same"
		}
		who = append(who, invited{a, obstacle})
	}
	return who, nil
}

// preview shows the mail as the first agent would get it, and who else would.
func preview(out io.Writer, center *v1alpha1.ContactCenter, texts *v1alpha1.MessageTemplate, who []invited) error {
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "AGENT\tMAIL TO\tLAST INVITED\tNOT, BECAUSE")
	var first *v1alpha1.Agent
	for _, i := range who {
		last := ""
		if at := i.agent.Status.Invitation.SentTime; at != nil {
			last = at.UTC().Format(time.RFC3339)
		}
		to := i.agent.Spec.Email
		if i.obstacle != "" {
			to = ""
		} else if first == nil {
			first = i.agent
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", i.agent.Name, dash(oneLine(to)), dash(last), dash(i.obstacle))
	}
	if err := t.Flush(); err != nil || first == nil {
		return err
	}
	spec := center.Spec.Invitations
	var n message.Notice
	if err := letter.Fill(&n, texts, center, letter.PersonOf(first), letter.NewLink(spec.LinkBaseURL, "…", time.Now().Add(letter.InvitationTTL(spec)))); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe mail to %s:\n\nSubject: %s\n\n%s\n", first.Name, oneLine(n.Subject), shown(cmp.Or(n.Text, n.HTML)))
	return nil
}

// shown is a text for a terminal: its own line breaks, and no other control characters.
func shown(text string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text), "\n")
}

// askFor annotates an agent with a time that is after all that came before.
func askFor(ctx context.Context, cl client.Client, a *v1alpha1.Agent) (string, error) {
	at := time.Now().Truncate(time.Second)
	before, _ := time.Parse(time.RFC3339, a.Annotations[v1alpha1.InviteAnnotation])
	if sent := a.Status.Invitation.SentTime; sent != nil && sent.After(before) { // by another clock
		before = sent.Time
	}
	if !at.After(before) {
		at = before.Add(time.Second)
	}
	value := at.UTC().Format(time.RFC3339)
	return value, annotate(ctx, cl, a, v1alpha1.InviteAnnotation, value)
}

// awaitInvitations prints what became of each, as the manager gets to it.
func awaitInvitations(ctx context.Context, cl client.Client, namespace string, values map[string]string, timeout time.Duration, out io.Writer) error {
	refused := false
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		var agents v1alpha1.AgentList
		if err := cl.List(ctx, &agents, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		for i := range agents.Items {
			a := &agents.Items[i]
			is := a.Status.Invitation
			if value, asked := values[a.Name]; !asked || is.LastHandledInvite != value {
				continue
			}
			delete(values, a.Name)
			if is.Refused != "" {
				refused = true
				fmt.Fprintf(out, "agent/%s not invited: %s\n", a.Name, oneLine(is.Refused))
			} else {
				fmt.Fprintf(out, "agent/%s invited\n", a.Name)
			}
		}
		return len(values) == 0, nil
	})
	switch {
	case wait.Interrupted(err) && ctx.Err() == nil:
		return fmt.Errorf("the manager did not answer for %d agents within %s", len(values), timeout)
	case err == nil && refused:
		return errSomeNotInvited
	}
	return err
}
