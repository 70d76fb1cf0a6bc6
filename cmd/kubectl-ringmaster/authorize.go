package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/oauth"
)

// authorizationWait is how long a person has to confirm, if the provider gives more.
const authorizationWait = 15 * time.Minute

func authorizeCommand(c *cluster) *cobra.Command {
	return &cobra.Command{
		Use:   "authorize EMAILACCOUNT",
		Short: "Let a mailbox's owner allow Ringmaster in, and store the refresh token",
		Long: `Begin the device grant (RFC 8628) of an EmailAccount whose authentication has grant DeviceCode: open the page that is named, in
any browser, sign in as the mailbox and enter the code. The refresh token is stored in the Secret of refreshTokenSecretRef, which is made
if it does not exist. It needs the rights to get the account and to read and write that Secret; the token is not shown.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			var account v1alpha1.EmailAccount
			if err := cl.Get(cmd.Context(), types.NamespacedName{Namespace: namespace, Name: args[0]}, &account); err != nil {
				return err
			}
			return authorize(cmd.Context(), cl, &account, cmd.OutOrStdout())
		},
	}
}

// authorize runs the grant for each sign-in of the account that has a refresh token of its own.
func authorize(ctx context.Context, c client.Client, account *v1alpha1.EmailAccount, out io.Writer) error {
	done := map[v1alpha1.SecretKeyReference]bool{}
	for _, auth := range []*v1alpha1.EmailAuthentication{&account.Spec.Authentication, account.Spec.IMAP.Authentication, account.Spec.SMTP.Authentication} {
		if auth == nil || auth.OAuth2 == nil || auth.OAuth2.Grant != v1alpha1.GrantDeviceCode || done[*auth.OAuth2.RefreshTokenSecretRef] {
			continue
		}
		token, err := deviceToken(ctx, c, account, auth.OAuth2, out)
		if err != nil {
			return err
		}
		if err := storeToken(ctx, c, account.Namespace, *auth.OAuth2.RefreshTokenSecretRef, token); err != nil {
			return err
		}
		done[*auth.OAuth2.RefreshTokenSecretRef] = true
		fmt.Fprintf(out, "The refresh token is in Secret %s.\n", auth.OAuth2.RefreshTokenSecretRef.Name)
	}
	if len(done) == 0 {
		return fmt.Errorf("EmailAccount %s has no authentication of type OAuth2 with grant DeviceCode", account.Name)
	}
	return nil
}

// deviceToken asks for a code, shows it, and waits until somebody confirmed it.
func deviceToken(ctx context.Context, c client.Client, account *v1alpha1.EmailAccount, o *v1alpha1.OAuth2Authentication, out io.Writer) (string, error) {
	where := oauth.EndpointsOf(o)
	secret, err := valueOf(ctx, c, account.Namespace, o.ClientSecretRef)
	if err != nil {
		return "", err
	}
	var bundle string
	if o.Endpoints != nil {
		if bundle, err = valueOf(ctx, c, account.Namespace, o.Endpoints.CASecretRef); err != nil {
			return "", err
		}
	}
	http, err := oauth.HTTPClient(bundle)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, http), authorizationWait)
	defer cancel()
	style := oauth2.AuthStyleInParams
	if where.BasicAuthentication {
		style = oauth2.AuthStyleInHeader
	}
	config := oauth2.Config{
		ClientID: o.ClientID, ClientSecret: secret, Scopes: where.Scopes,
		Endpoint: oauth2.Endpoint{TokenURL: where.TokenURL, DeviceAuthURL: where.DeviceAuthorizationURL, AuthStyle: style},
	}
	code, err := config.DeviceAuth(ctx)
	if err != nil {
		return "", fmt.Errorf("beginning the authorization: %w", oauth.Classify(ctx, err))
	}
	fmt.Fprintf(out, "Open %q, sign in as the mailbox %s and enter the code %q.\n", code.VerificationURI, account.Spec.Address, code.UserCode)
	token, err := config.DeviceAccessToken(ctx, code)
	if err != nil {
		return "", fmt.Errorf("waiting for the authorization: %w", oauth.Classify(ctx, err))
	}
	if token.RefreshToken == "" {
		return "", errors.New("the provider gave no refresh token: ask for it by a scope such as offline_access")
	}
	return token.RefreshToken, nil
}

func valueOf(ctx context.Context, c client.Client, namespace string, ref *v1alpha1.SecretKeyReference) (string, error) {
	if ref == nil {
		return "", nil
	}
	var s corev1.Secret
	if err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, &s); err != nil {
		return "", err
	}
	value, ok := s.Data[ref.Key]
	if !ok {
		return "", fmt.Errorf("the Secret %s has no key %q", ref.Name, ref.Key)
	}
	return string(value), nil
}

// storeToken adds the token to the Secret, or makes it.
func storeToken(ctx context.Context, c client.Client, namespace string, ref v1alpha1.SecretKeyReference, token string) error {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ref.Name}}
	err := c.Get(ctx, client.ObjectKeyFromObject(s), s)
	if apierrors.IsNotFound(err) {
		s.Labels = map[string]string{v1alpha1.CredentialLabel: "mailbox"}
		s.Data = map[string][]byte{ref.Key: []byte(token)}
		return c.Create(ctx, s)
	}
	if err != nil {
		return err
	}
	before := s.DeepCopy()
	if s.Data == nil {
		s.Data = map[string][]byte{}
	}
	if _, labelled := s.Labels[v1alpha1.CredentialLabel]; !labelled {
		return fmt.Errorf("the Secret %s lacks the label %s, so Ringmaster may not read it", ref.Name, v1alpha1.CredentialLabel)
	}
	s.Data[ref.Key] = []byte(token)
	return c.Patch(ctx, s, client.MergeFrom(before))
}
