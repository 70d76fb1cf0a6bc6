package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer"
)

func exportCommand(c *cluster) *cobra.Command {
	var format, selector string
	cmd := &cobra.Command{Use: "export", Short: "Write what is in the cluster so that it can be applied again"}
	agents := &cobra.Command{
		Use:   "agents",
		Short: "Write the agents of a namespace as CSV or YAML",
		Long: `Write the agents of a namespace. Passwords and PINs stay references to Secrets. What is written can be applied again:
YAML with kubectl apply, CSV with kubectl ringmaster import csv.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parsed, err := labels.Parse(selector)
			if err != nil {
				return fmt.Errorf("--selector: %w", err)
			}
			write := importer.ExportYAML
			switch format {
			case "yaml":
			case "csv":
				write = importer.ExportCSV
			default:
				return fmt.Errorf("--format: %q is neither csv nor yaml", format)
			}
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			list := v1alpha1.AgentList{}
			var all []v1alpha1.Agent
			for err := range pages(cmd.Context(), cl, &list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: parsed}) {
				if err != nil {
					return err
				}
				all = append(all, list.Items...)
			}
			return write(cmd.OutOrStdout(), all)
		},
	}
	center := &cobra.Command{
		Use:   "center",
		Short: "Write all objects of a namespace as YAML",
		Long: `Write the objects of all kinds of a namespace, what is referred to before what refers to it. Secrets and ConfigMaps are not written, only
the references to them; annotations that ask for something once (unlock, invite, verify) are left out. kubectl apply makes the same center of it
in another namespace or cluster.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, namespace, err := c.connect()
			if err != nil {
				return err
			}
			return exportCenter(cmd.Context(), cl, namespace, cmd.OutOrStdout())
		},
	}
	agents.Flags().StringVar(&format, "format", "yaml", "csv or yaml")
	agents.Flags().StringVarP(&selector, "selector", "l", "", "only agents whose labels match")
	cmd.AddCommand(agents, center)
	return cmd
}

// exportOrder has what is referred to before what refers to it, so that admission has nothing to warn of.
var exportOrder = []string{
	"ContactCenter", "Schedule", "MessageTemplate", "ContactList", "PBX", "AgentProfile", "Agent", "Telephone", "Team", "Queue", "RoutingFlow", "DispositionSet",
	"CannedAnswerSet", "EmailAccount",
}

func exportCenter(ctx context.Context, cl client.Client, namespace string, w io.Writer) error {
	for _, kind := range exportOrder {
		// As the API server has them: a typed object would lose what says something by being empty.
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind + "List"))
		for err := range pages(ctx, cl, &list, client.InNamespace(namespace)) {
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			if err := importer.ExportObjects(w, list.Items); err != nil {
				return err
			}
		}
	}
	return nil
}
