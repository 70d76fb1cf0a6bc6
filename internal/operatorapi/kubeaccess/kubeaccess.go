// Package kubeaccess lets the Kubernetes API server say who a caller is and what they may do. A caller shows what they show the API
// server: a bearer token (TokenReview), or a client certificate of the cluster's authority, which the API server publishes for servers
// beside it. A SubjectAccessReview decides about the rest, so roles and bindings are the only place where rights are given.
package kubeaccess

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi"
)

// Where the API server publishes the authority of client certificates.
const (
	authorityNamespace = "kube-system"
	authorityConfigMap = "extension-apiserver-authentication"
	authorityKey       = "client-ca-file"
)

// How long an answer of the API server is believed. A right that was taken away ends within the first of them.
const (
	allowTTL = time.Minute
	denyTTL  = 10 * time.Second
)

// Access asks the API server. It implements operatorapi.Access.
type Access struct {
	authority     *dynamiccertificates.ConfigMapCAController
	authenticator authenticator.Request
	authorizer    authorizer.Authorizer
	logger        *slog.Logger
}

var _ operatorapi.Access = (*Access)(nil)

// New connects nothing; Start follows the cluster's authority.
func New(config *rest.Config, logger *slog.Logger) (*Access, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("operator API: %w", err)
	}
	authority, err := dynamiccertificates.NewDynamicCAFromConfigMapController("client-ca", authorityNamespace, authorityConfigMap, authorityKey, client)
	if err != nil {
		return nil, fmt.Errorf("operator API: authority of client certificates: %w", err)
	}
	backoff := &wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 4}
	authentication, _, err := authenticatorfactory.DelegatingAuthenticatorConfig{
		Anonymous:                          &apiserver.AnonymousAuthConfig{Enabled: false},
		CacheTTL:                           denyTTL,
		TokenAccessReviewClient:            client.AuthenticationV1(),
		TokenAccessReviewTimeout:           10 * time.Second,
		WebhookRetryBackoff:                backoff,
		ClientCertificateCAContentProvider: authority,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("operator API: authentication: %w", err)
	}
	authorization, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: client.AuthorizationV1(), AllowCacheTTL: allowTTL, DenyCacheTTL: denyTTL, WebhookRetryBackoff: backoff,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("operator API: authorization: %w", err)
	}
	return &Access{authority: authority, authenticator: authentication, authorizer: authorization, logger: logger}, nil
}

// Start follows the authority until ctx ends. Without one only tokens are accepted.
func (a *Access) Start(ctx context.Context) error {
	if err := a.authority.RunOnce(ctx); err != nil && ctx.Err() == nil {
		a.logger.WarnContext(ctx, "the cluster's authority of client certificates cannot be read yet; only tokens are accepted", "error", err)
	}
	a.authority.Run(ctx, 1)
	return nil
}

// Allow implements operatorapi.Access.
func (a *Access) Allow(r *http.Request, attributes operatorapi.Attributes) (string, error) {
	who, ok, err := a.authenticator.AuthenticateRequest(r)
	if err != nil || !ok {
		if err != nil {
			a.logger.DebugContext(r.Context(), "a caller of the operator API is not known", "error", err)
		}
		return "", operatorapi.ErrUnknownCaller
	}
	user := who.User.GetName()
	decision, _, err := a.authorizer.Authorize(r.Context(), authorizer.AttributesRecord{
		User: who.User, Verb: attributes.Verb, Namespace: attributes.Namespace, APIGroup: v1alpha1.GroupVersion.Group,
		APIVersion: v1alpha1.GroupVersion.Version, Resource: attributes.Resource, Subresource: attributes.Subresource,
		Name: attributes.Name, ResourceRequest: true, Path: r.URL.Path,
	})
	if err != nil {
		return user, fmt.Errorf("asking the API server about %s: %w", user, err)
	}
	if decision != authorizer.DecisionAllow {
		resource := attributes.Resource
		if attributes.Subresource != "" {
			resource += "/" + attributes.Subresource
		}
		return user, fmt.Errorf("%w: %s may not %s %s.%s in namespace %s", operatorapi.ErrForbidden, user, attributes.Verb, resource,
			v1alpha1.GroupVersion.Group, attributes.Namespace)
	}
	return user, nil
}
