package admission

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func withNames(allowed v1alpha1.NameCharacters) *v1alpha1.ContactCenter {
	c := center("main", 9)
	c.Spec.Validation.NameCharacters = allowed
	return c
}

func TestNameCharacters(t *testing.T) {
	const permits = `NameCharactersRestricted spec.fullName: Invalid value: ContactCenter main permits letters, digits, blanks, \, _ and - only (validation.nameCharacters), not `
	for name, test := range map[string]struct {
		center *v1alpha1.ContactCenter
		called string
		want   []string
	}{
		"all that is permitted":  {withNames(v1alpha1.NameCharactersRestricted), `Anna-Maria O\Brien_2 Rossi`, nil},
		"letters of Europe":      {withNames(v1alpha1.NameCharactersRestricted), "Jürgen Weiß Łukasz", nil},
		"accents of their own":   {withNames(v1alpha1.NameCharactersRestricted), "Ju\u0308rgen", nil},
		"another script":         {withNames(v1alpha1.NameCharactersRestricted), "山田 太郎 ٣", nil},
		"others, once each":      {withNames(v1alpha1.NameCharactersRestricted), "O'Brien (J.R.'s)", []string{permits + `'\'' '(' '.' ')'`}},
		"no blank but the plain": {withNames(v1alpha1.NameCharactersRestricted), "Anna\u00a0Rossi", []string{permits + `'\u00a0'`}},
		"a picture":              {withNames(v1alpha1.NameCharactersRestricted), "Anna ☎", []string{permits + `'☎'`}},
		"any":                    {withNames(v1alpha1.NameCharactersAny), "O'Brien (J.R.)", nil},
		"said nothing":           {withNames(""), "O'Brien (J.R.)", nil},
		"no center":              {nil, "O'Brien (J.R.)", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			if test.center != nil {
				objects = append(objects, test.center)
			}
			problems, err := Checker{Reader: reader(t, objects...)}.AgentName(t.Context(), agent("alice", 1, isCalled(test.called)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, asText(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// Who restricts names is told whom that concerns, and a few of them by name.
func TestNamesOlderThanTheRule(t *testing.T) {
	elsewhere := agent("zoe", 9, isCalled("O'Neill"))
	elsewhere.Namespace = "other"
	objects := []client.Object{agent("jurgen", 9, isCalled("Jürgen")), elsewhere}
	c := Checker{Reader: reader(t, objects...)}
	warnings, err := c.ContactCenterWarnings(t.Context(), withNames(v1alpha1.NameCharactersRestricted))
	checkWarnings(t, warnings, err, nil)
	for i := range 7 {
		objects = append(objects, agent(fmt.Sprintf("agent%d", i), 9, isCalled("O'Brien")))
	}
	c = Checker{Reader: reader(t, objects...)}
	warnings, err = c.ContactCenterWarnings(t.Context(), withNames(v1alpha1.NameCharactersRestricted))
	checkWarnings(t, warnings, err, []string{
		"spec.validation.nameCharacters: fullName of 7 agents has other characters; they go on to work, with condition NameAccepted False: agent0, agent1, agent2, agent3, agent4 and 2 more"})
	warnings, err = c.ContactCenterWarnings(t.Context(), withNames(v1alpha1.NameCharactersAny))
	checkWarnings(t, warnings, err, nil)
}
