package message

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ownID matches the Message-IDs that replies get: the interaction and a random part, so that an answer
// finds its way back even when the customer's program cuts References.
var ownID = regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.[0-9a-z]{16,}@`)

// NewMessageID makes the Message-ID (without angle brackets) of a reply: interaction.random@domain.
func NewMessageID(interactionID, domain string) string {
	return fmt.Sprintf("%s.%s@%s", interactionID, strings.ToLower(rand.Text()), domain)
}

// threadKeys lists what a mail may be joined to an interaction by, strongest first: the interaction named
// by a Message-ID of ours, In-Reply-To, References from the end, and for a report the mails that it returns. Never an empty string, never the subject.
func (h Header) threadKeys(returned []string) []string {
	references := h.ids("References")
	candidates := h.ids("In-Reply-To")
	for _, id := range slices.Backward(references) {
		candidates = append(candidates, id)
	}
	candidates = append(candidates, returned...)
	var own, others []string
	seen := map[string]bool{}
	add := func(list *[]string, key string) {
		if !seen[key] {
			seen[key] = true
			*list = append(*list, key)
		}
	}
	for _, id := range candidates {
		if m := ownID.FindStringSubmatch(id); m != nil {
			add(&own, m[1])
		}
		add(&others, id)
	}
	keys := append(own, others...)
	return keys[:min(len(keys), maxIDs)]
}
