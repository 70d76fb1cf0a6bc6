package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Files of a directory that an import writes.
const (
	FileAgents        = "agents.yaml"
	FileQueues        = "queues.yaml"
	FileSecrets       = "secrets.yaml"
	FileKustomization = "kustomization.yaml"
	FileReport        = "report.md"
	// FileCenter is only written when extensions lie outside the default ranges. It is no resource of its own.
	FileCenter = "contactcenter.yaml"
)

// Modes of what is written: secrets.yaml holds passwords in clear.
const (
	modePublic os.FileMode = 0o644
	modeSecret os.FileMode = 0o600
)

// WriteManifests writes all objects as YAML documents: Secrets first, as kubectl applies them in that order.
func (r *Result) WriteManifests(w io.Writer) error {
	parts := []string{r.centerComment()}
	for _, documents := range []func() (string, error){
		func() (string, error) { return documents(r.Secrets) },
		func() (string, error) { return documents(r.Agents) },
		func() (string, error) { return documents(r.Queues) },
	} {
		text, err := documents()
		if err != nil {
			return err
		}
		parts = append(parts, text)
	}
	_, err := io.WriteString(w, strings.Join(parts, ""))
	return err
}

// WriteDirectory writes agents.yaml, queues.yaml, secrets.yaml, kustomization.yaml and report.md, and contactcenter.yaml where it
// is needed. The directory is made if it is missing; unless force is set, files that exist are not overwritten.
func (r *Result) WriteDirectory(dir string, force bool) error {
	type file struct {
		content string
		mode    os.FileMode
	}
	files := map[string]file{FileReport: {r.Report.Markdown(), modePublic}}
	var resources []string
	for _, kind := range []struct {
		name string
		mode os.FileMode
		text func() (string, error)
	}{
		{FileSecrets, modeSecret, func() (string, error) { return documents(r.Secrets) }},
		{FileAgents, modePublic, func() (string, error) { return documents(r.Agents) }},
		{FileQueues, modePublic, func() (string, error) { return documents(r.Queues) }},
	} {
		text, err := kind.text()
		if err != nil {
			return err
		}
		if text != "" {
			files[kind.name] = file{text, kind.mode}
			resources = append(resources, kind.name)
		}
	}
	if len(r.Ranges) > 0 {
		text, err := r.center()
		if err != nil {
			return err
		}
		files[FileCenter] = file{text, modePublic}
	}
	files[FileKustomization] = file{r.kustomization(resources), modePublic}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if !force {
		for name := range files {
			if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%s exists already in %s: use another directory or --force", name, dir)
			}
		}
	}
	for name, f := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(f.content), f.mode); err != nil {
			return err
		}
		// WriteFile keeps the mode of a file that existed.
		if err := os.Chmod(path, f.mode); err != nil {
			return err
		}
	}
	return nil
}

func (r *Result) kustomization(resources []string) string {
	var b strings.Builder
	b.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
	if len(r.Ranges) > 0 {
		b.WriteString("# contactcenter.yaml is no resource: its ranges belong into your ContactCenter, before the agents are applied.\n")
	}
	if len(resources) == 0 {
		b.WriteString("resources: []\n")
		return b.String()
	}
	b.WriteString("resources:\n")
	for _, name := range resources {
		fmt.Fprintf(&b, "- %s\n", name)
	}
	return b.String()
}

// center is the part of a ContactCenter that the extensions need.
func (r *Result) center() (string, error) {
	spec, err := yaml.Marshal(map[string]any{"spec": map[string]any{"extensions": v1alpha1.ExtensionsSpec{Ranges: r.Ranges}}})
	if err != nil {
		return "", err
	}
	return "# Some extensions lie outside the default ranges: take these into your ContactCenter, which has one list.\n" + string(spec), nil
}

// centerComment is center as a comment, for a stream of manifests.
func (r *Result) centerComment() string {
	if len(r.Ranges) == 0 {
		return ""
	}
	text, err := r.center()
	if err != nil {
		return ""
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("# " + strings.TrimPrefix(line, "# "))
	}
	return b.String()
}

// documents of YAML, each object without what says nothing.
func documents[T any](objects []T) (string, error) {
	var b bytes.Buffer
	for i := range objects {
		object, err := toMap(objects[i])
		if err != nil {
			return "", err
		}
		text, err := yaml.Marshal(object)
		if err != nil {
			return "", err
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	return b.String(), nil
}

// Summary is what an import made, in a few lines.
func (r *Result) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d agents, %d queues, %d Secrets\n", len(r.Agents), len(r.Queues), len(r.Secrets))
	fmt.Fprintf(&b, "%d lines could not be carried over, %d were changed\n", r.Report.Count(Dropped), r.Report.Count(Changed))
	if len(r.Ranges) > 0 {
		b.WriteString("some extensions lie outside the default ranges: see " + FileCenter + " or the head of the manifests\n")
	}
	return b.String()
}
