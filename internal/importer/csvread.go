package importer

import (
	"fmt"
	"io"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/csvfile"
)

// MaxCSV is the largest CSV file, in bytes.
const MaxCSV = 64 << 20

// readCSV returns records and the lines they begin at; the first one is the header.
func readCSV(file string, from io.Reader) ([][]string, []int, error) {
	data, err := io.ReadAll(io.LimitReader(from, MaxCSV+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(data) > MaxCSV {
		return nil, nil, fmt.Errorf("%s: larger than %d MiB", file, MaxCSV>>20)
	}
	records, lines, err := csvfile.Read(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return records, lines, nil
}

// cellText is a cell without the apostrophe that keeps spreadsheets from taking it for a formula.
func cellText(cell string) string {
	cell = strings.TrimSpace(cell)
	if rest, ok := strings.CutPrefix(cell, "'"); ok && formula(rest) {
		return rest
	}
	return cell
}

// formula tells whether a spreadsheet would calculate a cell, or an apostrophe in front already keeps it from that.
func formula(cell string) bool {
	rest := strings.TrimLeft(cell, "'")
	return rest != "" && strings.ContainsRune("=+-@", rune(rest[0]))
}
