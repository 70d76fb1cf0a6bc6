package asteriskconf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

// The real Asterisk reads the same out of the same files.
func TestAgreesWithAsterisk(t *testing.T) {
	asterisk := env.Asterisk(t)
	client, err := ami.Dial(t.Context(), asterisk.AMIAddr, asterisk.AMIUser, asterisk.AMISecret)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	write := func(t *testing.T, files map[string]string) {
		for name, text := range files {
			path := filepath.Join(asterisk.ConfigDir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
			})
		}
	}
	// Where this package helps people and Asterisk refuses or takes the bytes as they are.
	kinder := []string{"what is not followed", "byte order mark and carriage returns", "Windows-1252"}
	for name, test := range readCases {
		if slices.Contains(kinder, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			write(t, test.files)
			message, err := client.Action(t.Context(), "GetConfig", ami.Header{Name: "Filename", Value: "a"},
				ami.Header{Name: "Filter", Value: "TEMPLATES=include"})
			if err != nil {
				t.Fatal(err)
			}
			ours, err := Read(os.DirFS(asterisk.ConfigDir), "a")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(asAsterisk(message), asOurs(ours)); diff != "" {
				t.Errorf("(-Asterisk +ours):\n%s", diff)
			}
		})
	}
	for name, test := range refused {
		t.Run(name, func(t *testing.T) {
			write(t, test.files)
			if message, err := client.Action(t.Context(), "GetConfig", ami.Header{Name: "Filename", Value: "a"}); err == nil {
				t.Errorf("Asterisk reads it: %v", message)
			}
		})
	}
}

// asAsterisk is the answer to GetConfig as lines.
func asAsterisk(m ami.Message) []string {
	var out []string
	for c := 0; ; c++ {
		category := m.Get(fmt.Sprintf("Category-%06d", c))
		if category == "" {
			return out
		}
		out = append(out, "["+category+"]")
		for l := 0; ; l++ {
			line := m.Get(fmt.Sprintf("Line-%06d-%06d", c, l))
			if line == "" {
				break
			}
			out = append(out, line)
		}
	}
}

func asOurs(f *File) []string {
	var out []string
	for _, s := range f.Sections {
		out = append(out, "["+s.Name+"]")
		for _, v := range s.Settings {
			out = append(out, v.Name+"="+strings.TrimSpace(v.Value))
		}
	}
	return out
}
