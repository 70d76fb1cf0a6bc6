package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// MaxCSV is the largest CSV file, in bytes.
const MaxCSV = 64 << 20

// readCSV returns records and the lines they begin at; the first one is the header.
func readCSV(file string, from io.Reader) ([][]string, []int, error) {
	data, err := io.ReadAll(io.LimitReader(from, MaxCSV+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case len(data) > MaxCSV:
		return nil, nil, fmt.Errorf("%s: larger than %d MiB", file, MaxCSV>>20)
	case bytes.IndexByte(data, 0) >= 0:
		return nil, nil, fmt.Errorf("%s: not a text file: it contains a NUL byte", file)
	case !utf8.Valid(data):
		return nil, nil, fmt.Errorf("%s: not UTF-8: save it as CSV UTF-8", file)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	r.Comma = separator(data)
	var records [][]string
	var lines []int
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		records, lines = append(records, record), append(lines, line)
	}
	if len(records) == 0 {
		return nil, nil, fmt.Errorf("%s: empty: the first line names the columns", file)
	}
	return records, lines, nil
}

// separator of the header: the semicolon of spreadsheets in countries with a decimal comma, if it is the more frequent one.
func separator(data []byte) rune {
	header, _, _ := bytes.Cut(data, []byte("\n"))
	if bytes.Count(header, []byte(";")) > bytes.Count(header, []byte(",")) {
		return ';'
	}
	return ','
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
