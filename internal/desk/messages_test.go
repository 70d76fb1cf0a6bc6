package desk

import (
	"mime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDownloadHeaders(t *testing.T) {
	type headers struct{ Type, Disposition string }
	for name, tc := range map[string]struct{ contentType, fileName, wantType, wantDisposition string }{
		"plain":      {"image/png", "logo.png", "image/png", "attachment; filename=logo.png"},
		"blank":      {"text/plain", "a b.txt", "text/plain", `attachment; filename="a b.txt"`},
		"umlaut":     {"text/csv", "Grüße.csv", "text/csv", "attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.csv"},
		"quotes":     {"text/plain", `a".txt`, "text/plain", `attachment; filename="a\".txt"`},
		"line break": {"text/html\r\nX-Bad: 1", "a\r\nX-Bad: 1", "application/octet-stream", `attachment; filename="a__X-Bad: 1"`},
		"path":       {"text/plain", `..\../etc/passwd`, "text/plain", "attachment; filename=.._.._etc_passwd"},
		"nothing":    {"", "", "application/octet-stream", "attachment; filename=attachment"},
		"not a type": {"text", "x", "application/octet-stream", "attachment; filename=x"},
	} {
		t.Run(name, func(t *testing.T) {
			got := headers{safeContentType(tc.contentType), saveAs(tc.fileName)}
			if diff := cmp.Diff(headers{tc.wantType, tc.wantDisposition}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHarmlessCells(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a=b": "a=b", "Re: -": "Re: -", "***@customer.example": "***@customer.example",
		"=1+1": "'=1+1", "+39": "'+39", "-1": "'-1", "@SUM(1)": "'@SUM(1)", "\t=1": "'\t=1", "\r\n =1": "'\r\n =1", "\u00a0=1": "'\u00a0=1",
		"\ufeff=1": "'\ufeff=1", "\x00=1": "'\x00=1", "\uff1d1": "'\uff1d1", "\uff20x": "'\uff20x",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// Whatever a sender names a file and its type, the headers are well-formed single lines that save it.
func FuzzDownloadHeaders(f *testing.F) {
	f.Add("text/html; charset=utf-8", "a.html")
	f.Add("text/html\r\nX: 1", "\xff\"\\;\r\n")
	f.Fuzz(func(t *testing.T, contentType, name string) {
		gotType, disposition := safeContentType(contentType), saveAs(name)
		if strings.ContainsAny(gotType+disposition, "\r\n\x00") {
			t.Fatalf("%q %q", gotType, disposition)
		}
		if _, _, err := mime.ParseMediaType(gotType); err != nil {
			t.Errorf("Content-Type %q: %v", gotType, err)
		}
		kind, params, err := mime.ParseMediaType(disposition)
		if err != nil || kind != "attachment" || params["filename"] == "" || strings.ContainsAny(params["filename"], "/\\") {
			t.Errorf("Content-Disposition %q: %v %v", disposition, params, err)
		}
	})
}
