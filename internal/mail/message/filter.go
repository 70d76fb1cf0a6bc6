package message

import "strings"

// HeaderFilter accepts mails that have a header field. All filters of a list must accept.
type HeaderFilter struct {
	// Name of the field; its case does not matter.
	Name string
	// Value the field must have exactly, case included; any when HasValue is false.
	Value    string
	HasValue bool
}

// Accepts reports whether the header passes every filter. A field may occur several times; one that
// matches is enough. IMAP's own HEADER search is a case-blind substring match, so it cannot decide this.
func Accepts(h Header, filters []HeaderFilter) bool {
	for _, f := range filters {
		if !f.accepts(h) {
			return false
		}
	}
	return true
}

func (f HeaderFilter) accepts(h Header) bool {
	for _, v := range h.Values(f.Name) {
		if !f.HasValue || v == strings.Trim(f.Value, " \t") {
			return true
		}
	}
	return false
}
