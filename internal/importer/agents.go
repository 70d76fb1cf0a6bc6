package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// agents completes the phones: names that are unique, extensions that are, and their Secrets.
func (im *importer) agents() ([]draft[v1alpha1.Agent], error) {
	c := credentials{options: im.options, report: &im.result.Report}
	extensions, users := map[string]*phone{}, map[string]bool{}
	var out []draft[v1alpha1.Agent]
	for _, p := range im.phones {
		spec := p.spec()
		if first := extensions[spec.Extension]; first != nil {
			p.source.note(Changed, fmt.Sprintf("extension %s belongs to [%s]: Ringmaster chooses one", spec.Extension, first.peer))
			spec.Extension = ""
		}
		if spec.Extension != "" {
			extensions[spec.Extension] = p
		} else {
			p.source.note(Changed, "it has no extension: Ringmaster chooses one, which is the phone's SIP user from then on")
		}
		p.nameAgent(im.names)
		p.nameUser(users)
		p.object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Agent"}
		p.object.Namespace = im.options.Namespace
		if err := c.complete(&p.draft, p.secretFrom, p.pinFrom); err != nil {
			return nil, err
		}
		refer(&p.draft)
		out = append(out, p.draft)
	}
	return out, nil
}

// nameAgent chooses fullName and metadata.name.
func (p *phone) nameAgent(taken names) {
	spec := p.spec()
	for _, name := range []string{fullName(p.callerName), fullName(p.person), "Agent " + cmp.Or(spec.Extension, fullName(p.peer), "new")} {
		if name != "" && name != spec.Extension {
			spec.FullName = name
			break
		}
	}
	candidates := []string{slug(spec.FullName), slug(spec.FullName + " " + spec.Extension)}
	if !isExtension(p.peer) && slug(p.peer) != "" {
		candidates = append([]string{slug(p.peer)}, candidates...)
	}
	candidates = slices.DeleteFunc(append(candidates, "agent-"+spec.Extension), func(s string) bool { return strings.Trim(s, "-") == "" })
	for i := range candidates {
		candidates[i] = strings.Trim(candidates[i], "-")
	}
	p.object.Name = taken.unique(candidates...)
}

// nameUser chooses the user of digest authentication, which is the one the phone has already if that is legal and free.
func (p *phone) nameUser(taken map[string]bool) {
	was := cmp.Or(p.user, p.peer)
	name := was
	if !isUsername(name) {
		name = cmp.Or(username(name), "agent")
	}
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%.60s_%d", cmp.Or(username(was), "agent"), i)
	}
	taken[name] = true
	p.spec().Username = name
	if name != was {
		p.source.note(Changed, fmt.Sprintf("authentication user %s becomes %s, which the phone needs", shown("", was), name))
	}
}

// ranges are what ContactCenter.spec.extensions.ranges must be so that every extension is legal: nil while the default, 1000 to 9999,
// does. Numbers of other lengths are covered from the lowest to the highest in use.
func ranges(agents []v1alpha1.Agent) []v1alpha1.ExtensionRange {
	low, high := map[int]string{}, map[int]string{}
	for _, a := range agents {
		e := a.Spec.Extension
		if e == "" || len(e) == 4 && e >= "1000" {
			continue
		}
		if low[len(e)] == "" || e < low[len(e)] {
			low[len(e)] = e
		}
		high[len(e)] = max(high[len(e)], e)
	}
	if len(low) == 0 {
		return nil
	}
	out := []v1alpha1.ExtensionRange{{From: "1000", To: "9999"}}
	for length := 2; length <= 10; length++ {
		if low[length] != "" {
			out = append(out, v1alpha1.ExtensionRange{From: low[length], To: high[length]})
		}
	}
	return out
}
