// Package csvfile reads the CSV files that people make with spreadsheets.
package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"unicode/utf8"
)

// Read returns records and the lines they begin at; the first one is the header. The separator is the comma or the semicolon, and a byte order mark is
// passed over. Errors say what is wrong with the file, and at which line, in words for who made it.
func Read(data []byte) (records [][]string, lines []int, err error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch {
	case bytes.IndexByte(data, 0) >= 0:
		return nil, nil, errors.New("not a text file: it contains a NUL byte")
	case !utf8.Valid(data):
		return nil, nil, errors.New("not UTF-8: save it as CSV UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	r.Comma = separator(data)
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		line, _ := r.FieldPos(0)
		records, lines = append(records, record), append(lines, line)
	}
	if len(records) == 0 {
		return nil, nil, errors.New("empty: the first line names the columns")
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
