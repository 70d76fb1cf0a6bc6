package desk

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// ProblemReference is docs/reference/desk-problems.md.
func ProblemReference() []byte {
	var b bytes.Buffer
	b.WriteString("# Problems of the desk API\n\n" +
		"Every error of the desk API is an `application/problem+json` document (RFC 9457). Decide by `code`; the texts may change.\n" +
		"Its `type` is `" + problemTypeBase + "` followed by the code. This page is generated: `go test ./internal/desk -run Reference -update`.\n\n" +
		"| code | status | meaning |\n|---|---|---|\n")
	names := slices.SortedFunc(maps.Keys(codes), func(x, y Code) int {
		return cmp.Or(cmp.Compare(codes[x].status, codes[y].status), cmp.Compare(x, y))
	})
	for _, code := range names {
		fmt.Fprintf(&b, "| `%s` | %d | %s. %s |\n", code, codes[code].status, codes[code].title, codes[code].help)
	}
	return b.Bytes()
}
