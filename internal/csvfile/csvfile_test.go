package csvfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		file    string
		records [][]string
		lines   []int
		says    string
	}{
		"commas":      {file: "a,b\n1,2\n", records: [][]string{{"a", "b"}, {"1", "2"}}, lines: []int{1, 2}},
		"semicolons":  {file: "a;b\r\n1,5;2\r\n", records: [][]string{{"a", "b"}, {"1,5", "2"}}, lines: []int{1, 2}},
		"a mark":      {file: "\xef\xbb\xbfa\n1\n", records: [][]string{{"a"}, {"1"}}, lines: []int{1, 2}},
		"lines":       {file: "a,b\n\"1\n2\",\n\n3,4,5\n", records: [][]string{{"a", "b"}, {"1\n2", ""}, {"3", "4", "5"}}, lines: []int{1, 2, 5}},
		"empty":       {file: "\n\n", says: "empty"},
		"binary":      {file: "a\x00", says: "NUL"},
		"Latin-1":     {file: "na\xefve", says: "UTF-8"},
		"open quotes": {file: "a\n\"b\n", says: "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			records, lines, err := Read([]byte(test.file))
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, want %q", err, test.says)
			}
			if diff := cmp.Diff(test.records, records) + cmp.Diff(test.lines, lines); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
