package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func verifyCommand(c *cluster) *cobra.Command {
	timeout := time.Minute
	cmd := &cobra.Command{
		Use:   "verify ACCOUNT",
		Short: "Try both servers of an e-mail account now",
		Long: `Try the servers of an EmailAccount now and say how it went. The annotation ` + v1alpha1.VerifyAnnotation + ` asks for it, and the manager does it: it
signs in at both and sends no mail. Fails when one of them is not usable.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			account, err := verify(cmd.Context(), cl, types.NamespacedName{Namespace: namespace, Name: args[0]}, timeout)
			if err != nil {
				return fmt.Errorf("emailaccount %s: %w", args[0], err)
			}
			return printVerified(cmd.OutOrStdout(), account)
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for both")
	return cmd
}

// verify asks for a try and returns the account as it is afterwards.
func verify(ctx context.Context, cl client.Client, name types.NamespacedName, timeout time.Duration) (*v1alpha1.EmailAccount, error) {
	var e v1alpha1.EmailAccount
	if err := cl.Get(ctx, name, &e); err != nil {
		return nil, err
	}
	if e.Spec.State == v1alpha1.Inactive {
		return nil, errors.New("spec.state is Inactive: nothing is tried")
	}
	value := time.Now().UTC().Format(time.RFC3339Nano) // another one each time
	if err := annotate(ctx, cl, &e, v1alpha1.VerifyAnnotation, value); err != nil {
		return nil, err
	}
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		if err := cl.Get(ctx, name, &e); err != nil {
			return false, err
		}
		return e.Status.Verified == value, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil, fmt.Errorf("the manager did not try both servers within %s; Ready is %s", timeout, explained(&e, v1alpha1.ConditionReady))
	}
	return &e, err
}

// explained is a condition in one line.
func explained(e *v1alpha1.EmailAccount, condition string) string {
	c := meta.FindStatusCondition(e.Status.Conditions, condition)
	if c == nil {
		return string(metav1.ConditionUnknown)
	}
	return oneLine(fmt.Sprintf("%s, %s: %s", c.Status, c.Reason, c.Message))
}

func printVerified(w io.Writer, e *v1alpha1.EmailAccount) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SERVER\tRESULT\tMESSAGE")
	usable := true
	for _, server := range []struct{ name, condition string }{{"IMAP", v1alpha1.ConditionIMAPReady}, {"SMTP", v1alpha1.ConditionSMTPReady}} {
		if server.condition == v1alpha1.ConditionIMAPReady && e.Spec.Purpose == v1alpha1.PurposeSystem {
			continue
		}
		c := meta.FindStatusCondition(e.Status.Conditions, server.condition)
		if c == nil {
			c = &metav1.Condition{Status: metav1.ConditionUnknown}
		}
		usable = usable && c.Status == metav1.ConditionTrue
		fmt.Fprintf(t, "%s\t%s\t%s\n", server.name, dash(c.Reason), dash(oneLine(c.Message)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !usable {
		return errNotReady
	}
	return nil
}
