package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// AgentName checks the characters of an agent's full name where the center restricts them.
func (c Checker) AgentName(ctx context.Context, agent *v1alpha1.Agent) ([]Problem, error) {
	center, err := c.Center(ctx, agent.Namespace)
	if err != nil || center == nil || center.Spec.Validation.NameCharacters != v1alpha1.NameCharactersRestricted {
		return nil, err
	}
	illegal := unrestricted(agent.Spec.FullName)
	if illegal == "" {
		return nil, nil
	}
	return []Problem{{specPath.Child("fullName"), field.ErrorTypeInvalid, v1alpha1.ReasonNameCharacters,
		fmt.Sprintf("ContactCenter %s permits letters, digits, blanks, \\, _ and - only (validation.nameCharacters), not %s", center.Name, illegal)}}, nil
}

// unrestricted lists, quoted and once each, the characters of a name that a center with restricted names does not permit. An accent may be a character of
// its own behind its letter.
func unrestricted(name string) string {
	var illegal []string
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune(` \_-`, r) {
			continue
		}
		if quoted := fmt.Sprintf("%q", r); !slices.Contains(illegal, quoted) {
			illegal = append(illegal, quoted)
		}
	}
	return strings.Join(illegal, " ")
}

// ContactCenterWarnings name the agents whose names a center does not accept any more. Their conditions say the same.
func (c Checker) ContactCenterWarnings(ctx context.Context, center *v1alpha1.ContactCenter) ([]string, error) {
	if center.Spec.Validation.NameCharacters != v1alpha1.NameCharactersRestricted {
		return nil, nil
	}
	var agents v1alpha1.AgentList
	if err := c.Reader.List(ctx, &agents, client.InNamespace(center.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list Agents: %w", err)
	}
	var names []string
	for i := range agents.Items {
		if unrestricted(agents.Items[i].Spec.FullName) != "" {
			names = append(names, agents.Items[i].Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	slices.Sort(names)
	const shown = 5
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return []string{fmt.Sprintf("spec.validation.nameCharacters: fullName of %d agents has other characters; they go on to work, with condition NameAccepted False: %s%s",
		len(names), strings.Join(names[:min(len(names), shown)], ", "), more)}, nil
}
