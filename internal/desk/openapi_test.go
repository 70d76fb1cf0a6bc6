package desk_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/desk"
)

var update = flag.Bool("update", false, "rewrite docs/reference")

func checkReference(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "reference", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is not current; run go test ./internal/desk -run Reference -update (-want +got):\n%s", name, cmp.Diff(string(want), string(got)))
	}
}

func TestReferenceOpenAPI(t *testing.T) {
	f := newFixture(t)
	asYAML := f.do("", "GET", "/openapi.yaml", nil)
	if asYAML.status != 200 || !strings.Contains(string(asYAML.raw), "openapi: 3.1.0") {
		t.Fatalf("openapi.yaml: %d", asYAML.status)
	}
	checkReference(t, "desk-openapi.yaml", asYAML.raw)

	asJSON := f.do("", "GET", "/openapi.json", nil)
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Security  []map[string][]string
			Responses map[string]any
		}
	}
	if err := json.Unmarshal(asJSON.raw, &document); err != nil || document.OpenAPI != "3.1.0" {
		t.Fatalf("openapi.json: %v %q", err, document.OpenAPI)
	}
	for path, methods := range document.Paths {
		for method, op := range methods {
			if slices.Contains([]string{"/v1/login", "/v1/password", "/v1/password-reset", "/v1/password-links"}, path) {
				continue // the password or the link's token is in the request, or none is needed
			}
			if len(op.Security) == 0 || op.Responses["401"] == nil {
				t.Errorf("%s %s needs no session", method, path)
			}
			// What the document says holds: nothing without a session.
			path := strings.NewReplacer("{id}", "x", "{name}", "x", "{mid}", "x", "{n}", "0").Replace(path)
			f.want(401, desk.CodeAuthRequired, "", strings.ToUpper(method), path, nil)
		}
	}
}

func TestReferenceProblems(t *testing.T) {
	checkReference(t, "desk-problems.md", desk.ProblemReference())
}
