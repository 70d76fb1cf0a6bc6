package controllers

import (
	"strings"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
)

// microsoft365Scanned are the headers that Microsoft 365 adds to what it has scanned.
var microsoft365Scanned = []string{
	"X-Microsoft-Antispam", "X-Forefront-Antispam-Report", "X-Microsoft-Antispam-Mailbox-Delivery", "X-Microsoft-Antispam-Message-Info",
}

// headerFilters of an account, from either notation and the preset.
func headerFilters(in *v1alpha1.EmailIMAP) []v1alpha1.HeaderFilter {
	filters := append(parseHeaderFilter(in.HeaderFilter), in.HeaderFilters...)
	if in.HeaderFilterPreset == "Microsoft365Scanned" {
		for _, name := range microsoft365Scanned {
			filters = append(filters, v1alpha1.HeaderFilter{Name: name})
		}
	}
	return filters
}

// parseHeaderFilter reads the notation of older systems; the field's pattern has made sure that it can be read.
func parseHeaderFilter(text string) []v1alpha1.HeaderFilter {
	var filters []v1alpha1.HeaderFilter
	for item := range strings.SplitSeq(text, ",") {
		name, value, valued := strings.Cut(item, "=")
		f := v1alpha1.HeaderFilter{Name: strings.TrimSpace(name)}
		if value = strings.TrimSpace(value); valued && value != "" {
			f.Value = &value
		}
		if f.Name != "" {
			filters = append(filters, f)
		}
	}
	return filters
}

// mailFilters are the same as the worker has them.
func mailFilters(in *v1alpha1.EmailIMAP) []message.HeaderFilter {
	var filters []message.HeaderFilter
	for _, f := range headerFilters(in) {
		filter := message.HeaderFilter{Name: f.Name}
		if f.Value != nil {
			filter.Value, filter.HasValue = *f.Value, true
		}
		filters = append(filters, filter)
	}
	return filters
}
