package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/importer"
)

// importFlags are those of every import.
type importFlags struct {
	typology  string
	passwords bool
	number    int
	output    string
	force     bool
}

func importCommand(c *cluster) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Turn files of another system into manifests; nothing is changed in a cluster",
		Long: `Turn files of another system into manifests, for git. Nothing is changed in a cluster.

The manifests go to standard output, or with -o into a directory: agents.yaml, queues.yaml, secrets.yaml,
kustomization.yaml and report.md. The report names every line that could not be carried over; without -o it
goes to standard error. The exit status is 0, or 2 if the input cannot be read.`,
	}
	flags := cmd.PersistentFlags()
	flags.StringVar(&f.typology, "typology", "", "typology of agents whose phone does not show it: Phonebar, External or WebRTC (default External for asterisk, Phonebar for csv)")
	flags.BoolVar(&f.passwords, "generate-passwords", false, "give agents without one a sign-in password, and mailboxes a new PIN where theirs is not legal")
	flags.StringVarP(&f.output, "output-directory", "o", "", "write files into this directory")
	flags.BoolVar(&f.force, "force", false, "overwrite files in the output directory")
	asterisk := &cobra.Command{
		Use:   "asterisk DIRECTORY | FILE...",
		Short: "Import sip.conf, pjsip.conf, voicemail.conf, queues.conf, and the numbers of queues from extensions.conf",
		Long: `Import the files of an Asterisk: sip.conf, pjsip.conf, voicemail.conf and queues.conf, and out of extensions.conf the numbers of queues.
Included files are followed inside the directory; programs behind #exec are never run.`,
		Example: "  kubectl ringmaster import asterisk /etc/asterisk -o center\n  kubectl ringmaster import asterisk old/sip.conf old/queues.conf > center.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.asterisk(cmd, c, args) },
	}
	asterisk.Flags().IntVar(&f.number, "first-queue-number", importer.DefaultFirstQueueNumber, "where numbers begin for queues that extensions.conf does not tell the number of")
	csv := &cobra.Command{
		Use:     "csv FILE",
		Short:   "Import agents from CSV; - reads standard input",
		Example: "  kubectl ringmaster import csv agents.csv --generate-passwords -o center",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.csv(cmd, c, args[0]) },
	}
	cmd.AddCommand(asterisk, csv)
	return cmd
}

// options out of the flags.
func (f *importFlags) options(c *cluster) (importer.Options, error) {
	o := importer.Options{
		Namespace: c.namespace(), Typology: v1alpha1.AgentTypology(f.typology), GeneratePasswords: f.passwords, FirstQueueNumber: f.number,
	}
	switch o.Typology {
	case "", v1alpha1.TypologyPhonebar, v1alpha1.TypologyExternal, v1alpha1.TypologyWebRTC:
	default:
		return o, fmt.Errorf("--typology: %q is none of Phonebar, External and WebRTC (Mobile needs settings of its own)", f.typology)
	}
	// Ten digits are the longest number, and the queues to come need some room.
	if f.number < 0 || f.number > 0 && (f.number < 10 || f.number > 9_000_000_000) {
		return o, fmt.Errorf("--first-queue-number: %d has not 2 to 10 digits", f.number)
	}
	return o, nil
}

func (f *importFlags) asterisk(cmd *cobra.Command, c *cluster, args []string) error {
	options, err := f.options(c)
	if err != nil {
		return err
	}
	dir, names, err := sources(args)
	if err != nil {
		return unreadable{err}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return unreadable{err}
	}
	defer root.Close()
	result, err := importer.Asterisk(cmd.Context(), importer.Source{FS: root.FS(), Names: names}, options)
	if err != nil {
		return unreadable{err}
	}
	return f.write(cmd, result)
}

// sources are the directory and the names of the files in it: those that are there, or those that are named.
func sources(args []string) (string, []string, error) {
	info, err := os.Stat(args[0])
	if err != nil {
		return "", nil, err
	}
	if info.IsDir() {
		if len(args) > 1 {
			return "", nil, errors.New("give one directory, or the names of files in one")
		}
		var names []string
		for _, name := range importer.Files {
			if _, err := os.Stat(filepath.Join(args[0], name)); err == nil {
				names = append(names, name)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return "", nil, err
			}
		}
		if len(names) == 0 {
			return "", nil, fmt.Errorf("%s holds none of %s", args[0], strings.Join(importer.Files, ", "))
		}
		return args[0], names, nil
	}
	dir := filepath.Dir(args[0])
	var names []string
	for _, arg := range args {
		name := filepath.Base(arg)
		if filepath.Dir(arg) != dir {
			return "", nil, errors.New("give files of one directory: names in #include are relative to it")
		}
		if !slices.Contains(importer.Files, name) {
			return "", nil, fmt.Errorf("%s is none of %s", arg, strings.Join(importer.Files, ", "))
		}
		names = append(names, name)
	}
	return dir, names, nil
}

func (f *importFlags) csv(cmd *cobra.Command, c *cluster, name string) error {
	options, err := f.options(c)
	if err != nil {
		return err
	}
	from := cmd.InOrStdin()
	label := "standard input"
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return unreadable{err}
		}
		defer file.Close()
		from, label = file, filepath.Base(name)
	}
	result, err := importer.CSV(cmd.Context(), label, from, options)
	if err != nil {
		return unreadable{err}
	}
	return f.write(cmd, result)
}

// write puts manifests and report where they belong.
func (f *importFlags) write(cmd *cobra.Command, result *importer.Result) error {
	stderr := cmd.ErrOrStderr()
	if f.output != "" {
		if err := result.WriteDirectory(f.output, f.force); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "%swritten to %s; report.md there has the details\n", result.Summary(), f.output)
		return nil
	}
	if err := result.WriteManifests(cmd.OutOrStdout()); err != nil {
		return err
	}
	return report(stderr, result)
}

// report on a terminal: one line each.
func report(w io.Writer, result *importer.Result) error {
	for _, item := range result.Report.Items() {
		what := strings.Join(slices.DeleteFunc([]string{item.Section, item.Option}, func(s string) bool { return s == "" }), " ")
		if item.Value != "" {
			what += "=" + item.Value
		}
		fmt.Fprintf(w, "%s: %s: %s: %s\n", item.Position, what, item.Effect, item.Why)
	}
	_, err := io.WriteString(w, result.Summary())
	return err
}
