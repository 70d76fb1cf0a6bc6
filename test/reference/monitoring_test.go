package reference_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/yaml"

	"github.com/ringmaster-dev/ringmaster/controllers"
	"github.com/ringmaster-dev/ringmaster/internal/clientlog"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
)

const monitoring = "../../config/components/monitoring/"

// series are the labels of every metric by name.
type series map[string][]string

var descText = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", .*variableLabels: \{(.*)\}\}$`)

// own are the metrics that the manager itself registers, as cmd/ringmaster does.
func own(t *testing.T) *prometheus.Registry {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	mail.NewSupervisor(nil, mail.Options{Registerer: r})
	if err := routing.RegisterMetrics(r); err != nil {
		t.Fatal(err)
	}
	r.MustRegister(controllers.NewFigures(nil))
	clientlog.New(r, slog.New(slog.DiscardHandler))
	// Metrics of objects, which cannot be gathered without any.
	described := prometheus.NewRegistry()
	described.MustRegister(r, controllers.AgentMetrics{}, controllers.StatusMetrics{})
	return described
}

// describe reads names and labels from what a registry can export, whether it has values yet or not.
func (s series) describe(t *testing.T, c prometheus.Collector) {
	t.Helper()
	descs := make(chan *prometheus.Desc)
	go func() {
		c.Describe(descs)
		close(descs)
	}()
	for d := range descs {
		found := descText.FindStringSubmatch(d.String())
		if found == nil {
			t.Errorf("not understood: %s", d)
			continue
		}
		var labels []string
		if found[2] != "" {
			labels = strings.Split(found[2], ",")
		}
		s[found[1]] = labels
	}
}

// exported are the metrics that Prometheus gets from the manager, and the labels that it adds to all of them.
func exported(t *testing.T) series {
	t.Helper()
	all := series{}
	all.describe(t, own(t))
	framework, ok := ctrlmetrics.Registry.(prometheus.Collector)
	if !ok {
		t.Fatalf("controller-runtime's registry is a %T", ctrlmetrics.Registry)
	}
	all.describe(t, framework)
	histograms := prometheus.NewRegistry()
	if err := routing.RegisterMetrics(histograms); err != nil {
		t.Fatal(err)
	}
	families, err := histograms.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetType() == dto.MetricType_HISTOGRAM {
			labels := all[f.GetName()]
			delete(all, f.GetName())
			all[f.GetName()+"_sum"], all[f.GetName()+"_count"], all[f.GetName()+"_bucket"] = labels, labels, append(slices.Clone(labels), "le")
		}
	}
	for name, labels := range all {
		all[name] = append(slices.Clone(labels), "job", "instance", "pod")
	}
	all["up"] = []string{"job", "instance", "pod", "namespace"}
	return all
}

// check says what an expression names that is not exported.
func (s series) check(expression string) (problems []string) {
	root, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return []string{err.Error()}
	}
	parser.Inspect(root, func(n parser.Node, path []parser.Node) error {
		selector, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		labels, known := s[selector.Name]
		if !known {
			problems = append(problems, "there is no metric "+selector.Name)
			return nil
		}
		used := map[string]bool{}
		for _, m := range selector.LabelMatchers {
			used[m.Name] = m.Name != model.MetricNameLabel
		}
		for _, above := range path {
			if a, ok := above.(*parser.AggregateExpr); ok {
				for _, label := range a.Grouping {
					used[label] = true
				}
			}
		}
		for label, named := range used {
			if named && !slices.Contains(labels, label) {
				problems = append(problems, fmt.Sprintf("%s has no label %s", selector.Name, label))
			}
		}
		return nil
	})
	return problems
}

func TestExpressionsAreChecked(t *testing.T) {
	known := series{"a": {"name"}, "b_bucket": {"le", "name"}}
	for expression, want := range map[string]int{
		`sum by (name) (rate(a[5m])) > 0`:                     0,
		`histogram_quantile(0.9, sum by (le) (b_bucket))`:     0,
		`sum by (name) (rate(c[5m])) > 0`:                     1,
		`a{nam="x"}`:                                          1,
		`sum by (namespace) (max by (namespace, name) (a))`:   1,
		`max by (name, queue) (a) and max by (name) (c)`:      2,
		`sum by (name) (rate(a)`:                              1,
		`count by (name) (a{name=~"x"} < 0) / (sum(a) > bool`: 1,
	} {
		if got := known.check(expression); len(got) != want {
			t.Errorf("%s: %q, want %d problems", expression, got, want)
		}
	}
}

// prometheusRule is what the operator of Prometheus reads.
type prometheusRule struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for"`
				Labels      map[string]string `json:"labels"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	} `json:"spec"`
}

var labelInText = regexp.MustCompile(`\$labels\.(\w+)`)

func TestAlertRules(t *testing.T) {
	raw, err := os.ReadFile(monitoring + "rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rule prometheusRule
	if err := yaml.UnmarshalStrict(raw, &rule); err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/operations/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	known, names := exported(t), map[string]bool{}
	for _, group := range rule.Spec.Groups {
		for _, r := range group.Rules {
			if names[r.Alert] {
				t.Errorf("%s is there twice", r.Alert)
			}
			names[r.Alert] = true
			for _, problem := range known.check(r.Expr) {
				t.Errorf("%s: %s", r.Alert, problem)
			}
			if r.For != "" {
				if _, err := model.ParseDuration(r.For); err != nil {
					t.Errorf("%s: %v", r.Alert, err)
				}
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
			}
			for _, label := range labelInText.FindAllStringSubmatch(r.Annotations["summary"], -1) {
				if by := regexp.MustCompile(`by \([^)]*\b` + label[1] + `\b`); !by.MatchString(r.Expr) {
					t.Errorf("%s: its text names %s, by which its expression does not group", r.Alert, label[1])
				}
			}
		}
	}
	if len(names) < 10 {
		t.Fatalf("%d alerts", len(names))
	}
	explained := map[string]bool{}
	for _, found := range regexp.MustCompile("(?m)^\\| `(Ringmaster\\w+)` ").FindAllStringSubmatch(string(guide), -1) {
		explained[found[1]] = true
	}
	if diff := cmp.Diff(names, explained); diff != "" {
		t.Errorf("alerts and their guide (-rules +guide):\n%s", diff)
	}
}

// dashboard is what of Grafana's model has expressions.
type dashboard struct {
	Templating struct {
		List []struct {
			Name, Definition string
		}
	}
	Panels []panel
}

type panel struct {
	ID      int
	Title   string
	Type    string
	Targets []struct{ Expr string }
	GridPos struct{ H, W, X, Y int }
}

func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	known, variables := exported(t), map[string]bool{}
	labelValues := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, v := range d.Templating.List {
		variables["$"+v.Name] = true
		if v.Definition == "" {
			continue
		}
		found := labelValues.FindStringSubmatch(v.Definition)
		if found == nil {
			t.Errorf("variable %s: %s", v.Name, v.Definition)
			continue
		}
		for _, problem := range known.check("count by (" + found[2] + ") (" + found[1] + ")") {
			t.Errorf("variable %s: %s", v.Name, problem)
		}
	}
	ids, cells, expressions := map[int]bool{}, map[[2]int]string{}, 0
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels are %d", p.ID)
		}
		ids[p.ID] = true
		p.occupy(t, cells)
		for _, target := range p.Targets {
			expressions++
			for _, name := range regexp.MustCompile(`\$\w+`).FindAllString(target.Expr, -1) {
				if name != "$__rate_interval" && !variables[name] {
					t.Errorf("%s: there is no variable %s", p.Title, name)
				}
			}
			for _, problem := range known.check(strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")) {
				t.Errorf("%s: %s", p.Title, problem)
			}
		}
	}
	if expressions < 30 {
		t.Errorf("%d expressions", expressions)
	}
}

// occupy fails where panels lie over each other.
func (p panel) occupy(t *testing.T, cells map[[2]int]string) {
	t.Helper()
	if p.GridPos.W < 1 || p.GridPos.H < 1 || p.GridPos.X+p.GridPos.W > 24 {
		t.Errorf("%s lies at %+v", p.Title, p.GridPos)
	}
	for x := range p.GridPos.W {
		for y := range p.GridPos.H {
			at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
			if other, taken := cells[at]; taken {
				t.Errorf("%s lies over %s", p.Title, other)
				return
			}
			cells[at] = p.Title
		}
	}
}

// TestMetricsReference holds the table of metrics to what is registered.
func TestMetricsReference(t *testing.T) {
	registered := series{}
	registered.describe(t, own(t))
	guide, err := os.ReadFile("../../docs/operations/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, ticked := series{}, regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| (`ringmaster_[^|]*) \\|([^|]*)\\|").FindAllStringSubmatch(string(guide), -1) {
		var labels []string
		for _, label := range ticked.FindAllStringSubmatch(row[2], -1) {
			labels = append(labels, label[1])
		}
		for _, name := range ticked.FindAllStringSubmatch(row[1], -1) {
			documented[name[1]] = labels
		}
	}
	if diff := cmp.Diff(sorted(registered), sorted(documented)); diff != "" {
		t.Errorf("(-registered +documented):\n%s", diff)
	}
}

func sorted(s series) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		lines = append(lines, name+" by "+strings.Join(slices.Sorted(slices.Values(s[name])), ", "))
	}
	return lines
}
