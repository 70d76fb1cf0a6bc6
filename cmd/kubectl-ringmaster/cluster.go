package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// cluster is where kubectl's own flags point to.
type cluster struct {
	rules     *clientcmd.ClientConfigLoadingRules
	overrides *clientcmd.ConfigOverrides
}

func newCluster() *cluster {
	return &cluster{rules: clientcmd.NewDefaultClientConfigLoadingRules(), overrides: &clientcmd.ConfigOverrides{}}
}

// addFlags adds --kubeconfig, --context, --namespace and the others that kubectl has.
func (c *cluster) addFlags(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&c.rules.ExplicitPath, "kubeconfig", "", "Path to the kubeconfig file")
	clientcmd.BindOverrideFlags(c.overrides, flags, clientcmd.RecommendedConfigOverrideFlags(""))
}

// namespace that was asked for by flag, or "".
func (c *cluster) namespace() string { return c.overrides.Context.Namespace }

// config of the client and the namespace in effect.
func (c *cluster) config() (namespace string, config *rest.Config, err error) {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(c.rules, c.overrides)
	if namespace, _, err = loader.Namespace(); err != nil {
		return "", nil, fmt.Errorf("kubeconfig: %w", err)
	}
	if config, err = loader.ClientConfig(); err != nil {
		return "", nil, fmt.Errorf("kubeconfig: %w", err)
	}
	config.UserAgent = "kubectl-ringmaster/" + version
	return namespace, config, nil
}

// connect returns a client and the namespace in effect.
func (c *cluster) connect() (client.Client, string, error) {
	namespace, config, err := c.config()
	if err != nil {
		return nil, "", err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, "", err
		}
	}
	cl, err := client.New(config, client.Options{Scheme: scheme})
	return cl, namespace, err
}

// pageSize of lists, as kubectl has it.
const pageSize = 500

// pages fills list with one page after the other; each step has the page, or why there is none.
func pages(ctx context.Context, cl client.Client, list client.ObjectList, opts ...client.ListOption) iter.Seq[error] {
	return func(yield func(error) bool) {
		for more := true; more; more = list.GetContinue() != "" {
			err := cl.List(ctx, list, slices.Concat(opts, []client.ListOption{client.Limit(pageSize), client.Continue(list.GetContinue())})...)
			if !yield(err) || err != nil {
				return
			}
		}
	}
}

// annotate asks the manager for something: it sets one annotation, whatever else of the object has changed meanwhile.
func annotate(ctx context.Context, cl client.Client, o client.Object, name, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{name: value}}})
	if err != nil {
		return err
	}
	return cl.Patch(ctx, o, client.RawPatch(types.MergePatchType, patch))
}
