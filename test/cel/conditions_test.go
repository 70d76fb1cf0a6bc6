package cel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Every condition and every reason that a status may show is explained to whoever reads it.
func TestEveryConditionIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations/conditions.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	// Every second piece stands between backquotes.
	for i, piece := range strings.Split(string(page), "`") {
		named[piece] = named[piece] || i%2 == 1
	}
	words := apiWords(t)
	if len(words) < 60 {
		t.Fatalf("only %d conditions and reasons found", len(words))
	}
	for _, word := range words {
		if !named[word] {
			t.Errorf("docs/operations/conditions.md does not explain %s", word)
		}
	}
}

// apiWords are the values of the API's constants Condition… and Reason….
func apiWords(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../api/v1alpha1/conditions.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Condition") && !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		words = append(words, word)
		return false
	})
	return words
}
