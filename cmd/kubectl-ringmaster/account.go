package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"crypto/rand"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/security"
)

func unlockCommand(c *cluster) *cobra.Command {
	timeout := 30 * time.Second
	cmd := &cobra.Command{
		Use:   "unlock AGENT...",
		Short: "Release agents who were locked after wrong passwords",
		Long:  `Set the annotation ringmaster.dev/unlock of the agents, and wait until the manager has released their locks.`,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := unlock(cmd.Context(), cl, types.NamespacedName{Namespace: namespace, Name: name}, timeout); err != nil {
					return fmt.Errorf("agent %s: %w", name, err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "agent/%s unlocked\n", name)
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for each; 0 does not wait")
	return cmd
}

func unlock(ctx context.Context, cl client.Client, name types.NamespacedName, timeout time.Duration) error {
	var a v1alpha1.Agent
	if err := cl.Get(ctx, name, &a); err != nil {
		return err
	}
	at := time.Now()
	if locked := a.Status.Account.LockedTime; locked != nil && !at.After(locked.Time) { // by another clock
		at = locked.Add(time.Second)
	}
	value := at.UTC().Format(time.RFC3339)
	if err := annotate(ctx, cl, &a, v1alpha1.UnlockAnnotation, value); err != nil || timeout == 0 {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		if err := cl.Get(ctx, name, &a); err != nil {
			return false, err
		}
		account := a.Status.Account
		return account.LastHandledUnlock == value && account.LockState != v1alpha1.Locked, nil
	})
	if wait.Interrupted(err) {
		return fmt.Errorf("the manager did not unlock it within %s", timeout)
	}
	return err
}

func setPasswordCommand(c *cluster) *cobra.Command {
	generate := false
	cmd := &cobra.Command{
		Use:   "set-password AGENT",
		Short: "Write the Secret of an agent's password",
		Long: `Write a password into the Secret that spec.passwordSecretRef of the agent names, from the first line of standard input, or a new
one that is printed (--generate). The policy of the center is checked first. The manager then ends the agent's sessions. An agent without
passwordSecretRef needs one first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			password := generatedPassword()
			if !generate {
				if password, err = firstLine(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			if err := setPassword(cmd.Context(), cl, types.NamespacedName{Namespace: namespace, Name: args[0]}, password); err != nil {
				return err
			}
			if generate {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), password)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&generate, "generate", false, "make a password and print it")
	return cmd
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, security.MaxPasswordBytes+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func setPassword(ctx context.Context, cl client.Client, name types.NamespacedName, password string) error {
	var a v1alpha1.Agent
	if err := cl.Get(ctx, name, &a); err != nil {
		return err
	}
	if a.Spec.PasswordSecretRef == nil {
		return fmt.Errorf("agent %s has no spec.passwordSecretRef", name.Name)
	}
	var centers v1alpha1.ContactCenterList
	if err := cl.List(ctx, &centers, client.InNamespace(name.Namespace), client.Limit(1)); err != nil {
		return err
	}
	var center *v1alpha1.ContactCenter
	if len(centers.Items) > 0 {
		center = &centers.Items[0]
	}
	if violations := admission.PolicyOf(center).Check(password); len(violations) > 0 {
		return errors.New(security.Explain(violations))
	}
	ref := a.Spec.PasswordSecretRef
	patch, err := json.Marshal(map[string]any{"data": map[string][]byte{ref.Key: []byte(password)}})
	if err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: ref.Name}}
	err = cl.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch))
	if client.IgnoreNotFound(err) != nil || err == nil {
		return err
	}
	secret.Labels = map[string]string{v1alpha1.CredentialLabel: "agent"}
	secret.Data = map[string][]byte{ref.Key: []byte(password)}
	return cl.Create(ctx, secret)
}

// generatedPassword obeys every policy that asks for up to eight characters of each sort.
func generatedPassword() string {
	sorts := []string{"abcdefghijkmnopqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789", security.DefaultSpecialCharacters}
	var out []byte
	for i := range 4 * 8 {
		sort := sorts[i%len(sorts)]
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(sort))))
		if err != nil {
			panic(err) // never fails (crypto/rand since Go 1.24)
		}
		out = append(out, sort[n.Int64()])
	}
	return string(out)
}
