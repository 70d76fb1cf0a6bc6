package join

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// ownedMark is the first line of a file that is Ringmaster's as a whole.
	ownedMark = "; Written by `ringmaster pbxlet join`; `leave` brings the file before back.\n"
	// blockBegin and blockEnd enclose Ringmaster's lines in a file of the site.
	blockBegin = "; begin ringmaster: written by `ringmaster pbxlet join`, removed by `leave`\n"
	blockEnd   = "; end ringmaster\n"
	// backupSuffix names the file as it was before Ringmaster changed it.
	backupSuffix = ".before-ringmaster"
)

func owned(text []byte) []byte { return append([]byte(ownedMark), text...) }

func isOwned(text []byte) bool { return bytes.HasPrefix(text, []byte(ownedMark)) }

// block is Ringmaster's lines with their marks.
func block(lines string) string {
	return blockBegin + strings.TrimRight(lines, "\n") + "\n" + blockEnd
}

// withoutBlock takes Ringmaster's lines out of a file.
func withoutBlock(text []byte) []byte {
	before, rest, found := bytes.Cut(text, []byte(blockBegin))
	if !found {
		return text
	}
	_, after, found := bytes.Cut(rest, []byte(blockEnd))
	if !found {
		return text
	}
	return slices.Concat(before, after)
}

// prepend puts Ringmaster's lines in front: of several sections of one name
// Asterisk reads the first, and Ringmaster's have to count.
func prepend(text []byte, lines string) []byte {
	return slices.Concat([]byte(block(lines)+"\n"), bytes.TrimPrefix(withoutBlock(text), []byte("\n")))
}

// appendTo puts Ringmaster's lines behind.
func appendTo(text []byte, lines string) []byte {
	text = withoutBlock(text)
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		text = append(slices.Clone(text), '\n')
	}
	return slices.Concat(text, []byte(block(lines)))
}

// includes tells whether the file includes path by a line of its own.
func includes(text []byte, path string) bool {
	pattern := regexp.MustCompile(`^\s*#(try)?include\s+["<]?` + regexp.QuoteMeta(path) + `[">]?\s*(;.*)?$`)
	return slices.ContainsFunc(effective(text), pattern.MatchString)
}

// effective are the lines that are no comments.
func effective(text []byte) []string {
	var lines []string
	hidden := false
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		switch {
		case hidden:
			hidden = !strings.Contains(line, "--;")
		case strings.HasPrefix(line, ";--") && !strings.HasPrefix(line, ";---"):
			hidden = !strings.Contains(line[3:], "--;")
		case line != "" && !strings.HasPrefix(line, ";"):
			lines = append(lines, line)
		}
	}
	return lines
}

// section returns the lines of the sections of that name, and whether there is
// one at all.
func section(text []byte, name string) (lines []string, found bool) {
	inside := false
	for _, line := range effective(text) {
		if strings.HasPrefix(line, "[") {
			header, _, _ := strings.Cut(line[1:], "]")
			inside = strings.EqualFold(strings.TrimSpace(header), name)
			found = found || inside
			continue
		}
		if inside && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines, found
}

// setting is the last value of a variable in a section; empty when it has none.
func setting(text []byte, sectionName, variable string) string {
	value := ""
	lines, _ := section(text, sectionName)
	for _, line := range lines {
		name, rest, ok := strings.Cut(line, "=")
		if ok && strings.EqualFold(strings.TrimSpace(name), variable) {
			rest, _, _ = strings.Cut(strings.TrimPrefix(rest, ">"), ";")
			value = strings.TrimSpace(rest)
		}
	}
	return value
}

// mergedSections says, for a file of the site's own that is to include
// Ringmaster's, what cannot be (problem) and what the site has to know (note).
func mergedSections(name string, text []byte) (problem, note string) {
	if slices.Contains(typeFiles, name) {
		return fmt.Sprintf("%s has content of the site's own; Ringmaster needs the name. Move it to pjsip.conf or to a file that this includes", name), ""
	}
	if lines, _ := section(text, "globals"); name == "extensions.conf" && len(lines) > 0 {
		return fmt.Sprintf("%s has global variables (%s): Asterisk reads one [globals] only, and that is Ringmaster's. "+
			"Set them by Set(GLOBAL(NAME)=value) or move what needs them out of this Asterisk", name, variableNames(lines)), ""
	}
	if lines, _ := section(text, "general"); len(lines) > 0 && name != "pjsip.conf" {
		return "", fmt.Sprintf("its [general] (%s) no longer counts where Ringmaster's file has one", variableNames(lines))
	}
	return "", ""
}

func variableNames(lines []string) string {
	var names []string
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, strings.TrimSpace(name))
	}
	return strings.Join(names, ", ")
}

// packaged tells whether text is the file as its Debian package brought it.
// status is dpkg's, which lists "<path> <md5>" for every configuration file.
func packaged(status []byte, path string, text []byte) bool {
	sum := md5.Sum(text)
	return bytes.Contains(status, fmt.Appendf(nil, "\n %s %s\n", path, hex.EncodeToString(sum[:])))
}
