package message

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// transferDecode undoes a Content-Transfer-Encoding. It never fails: what is broken is left out or stays as it is.
func transferDecode(body []byte, encoding string) []byte {
	encoding, _, _ = strings.Cut(strings.ToLower(encoding), ";")
	switch strings.TrimSpace(encoding) {
	case "base64", "base-64":
		return decodeBase64(body)
	case "quoted-printable", "quotedprintable":
		return decodeQuotedPrintable(body)
	case "x-uuencode", "uuencode", "x-uue":
		if _, files := cutUUEncoded(body); len(files) > 0 {
			return files[0].content
		}
	}
	return body
}

// decodeBase64 passes over everything outside the alphabet and goes on after padding: some programs encode piece by piece.
func decodeBase64(body []byte) []byte {
	clean := slices.Clone(body)
	n, err := base64.StdEncoding.Decode(clean, body)
	if err == nil {
		return clean[:n]
	}
	var out []byte
	for chunk := range bytes.SplitSeq(body, []byte("=")) {
		clean = clean[:0]
		for _, c := range chunk {
			if isBase64(c) {
				clean = append(clean, c)
			}
		}
		if len(clean)%4 == 1 {
			clean = clean[:len(clean)-1] // six bits are no byte
		}
		out, _ = base64.RawStdEncoding.AppendDecode(out, clean)
	}
	return out
}

// decodeQuotedPrintable is for what the standard library refuses: lines without end, and equals signs that were not encoded.
func decodeQuotedPrintable(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for len(body) > 0 {
		line, rest, ended := bytes.Cut(body, []byte("\n"))
		body = rest
		line = bytes.TrimRight(line, " \t\r")
		soft := bytes.HasSuffix(line, []byte("="))
		if soft {
			line = line[:len(line)-1]
		}
		for i := 0; i < len(line); i++ {
			if line[i] == '=' && i+2 < len(line) {
				if b, err := hex.DecodeString(string(line[i+1 : i+3])); err == nil {
					out = append(out, b...)
					i += 2
					continue
				}
			}
			out = append(out, line[i])
		}
		if ended && !soft {
			out = append(out, '\r', '\n')
		}
	}
	return out
}

// uuFile is a file written into text as programs did before MIME.
type uuFile struct {
	name    string
	content []byte
}

var uuBegin = regexp.MustCompile(`^begin [0-7]{3,4} ([^\r\n]+)\r?\n`)

// findUUBegin is where the first line stands that begins a file, and the name in it. Every text is asked, so the
// expression only sees lines that begin with the word: as (?m) over whole texts it took a third of an ingest's CPU.
func findUUBegin(text []byte) []int {
	for from := 0; ; {
		n := bytes.Index(text[from:], []byte("begin "))
		if n < 0 {
			return nil
		}
		from += n
		if from == 0 || text[from-1] == '\n' {
			if at := uuBegin.FindSubmatchIndex(text[from:]); at != nil {
				return []int{from, from + at[1], from + at[2], from + at[3]}
			}
		}
		from++
	}
}

// cutUUEncoded takes the files out of a text. One that does not end is none: people write "begin 644" as well.
func cutUUEncoded(text []byte) (rest []byte, files []uuFile) {
	for len(files) < maxParts {
		at := findUUBegin(text)
		if at == nil {
			break
		}
		content, after, ok := readUUEncoded(text[at[1]:])
		if !ok {
			rest = append(rest, text[:at[1]]...)
			text = text[at[1]:]
			continue
		}
		files = append(files, uuFile{name: string(text[at[2]:at[3]]), content: content})
		rest = append(rest, text[:at[0]]...)
		text = after
	}
	return append(rest, text...), files
}

func readUUEncoded(body []byte) (content, after []byte, ok bool) {
	for len(body) > 0 {
		var line []byte
		line, body = cutLine(body)
		if string(line) == "end" {
			return content, body, true
		}
		line = bytes.TrimRight(line, " ")
		if len(line) == 0 || line[0] == '`' {
			continue
		}
		n := int(line[0]-' ') & 63
		if line[0] < ' ' || line[0] > '`' || (n+2)/3*4 < len(line)-3 {
			return nil, nil, false
		}
		groups := make([]byte, (n+2)/3*4)
		copy(groups, line[1:])
		out := make([]byte, 0, len(groups)/4*3)
		for i := 0; i+3 < len(groups); i += 4 {
			a, b, c, d := sixBits(groups[i]), sixBits(groups[i+1]), sixBits(groups[i+2]), sixBits(groups[i+3])
			out = append(out, a<<2|b>>4, b<<4|c>>2, c<<6|d)
		}
		content = append(content, out[:n]...)
	}
	return nil, nil, false
}

// sixBits of a character; spaces at the end of a line get lost and are zero like the accent written for them.
func sixBits(c byte) byte {
	if c < ' ' {
		return 0
	}
	return (c - ' ') & 63
}
