package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Field indexes of the manager's cache, for client.MatchingFields. The checks need all of them; controllers use them to
// find whom a change of one object concerns.
const (
	// IndexUsername finds Agents and Telephones by the username in effect.
	IndexUsername = "admission.username"
	// IndexExtension finds Agents by spec.extension and by status.extension.
	IndexExtension = "admission.extension"
	// IndexNumber finds voice Queues by spec.number.
	IndexNumber = "admission.number"
	// IndexAddress finds EmailAccounts by spec.address in lower case.
	IndexAddress = "admission.address"
	// IndexKey finds EmailAccounts and MessageTemplates by spec.key.
	IndexKey = "admission.key"
	// IndexRole finds Agents by spec.sip.role.
	IndexRole = "admission.role"
	// IndexSecret finds Agents, ContactCenters, EmailAccounts, PBXes and Telephones by the name of every Secret they refer to.
	IndexSecret = "admission.secret"
)

// Index is one field index.
type Index struct {
	Object  client.Object
	Name    string
	Extract client.IndexerFunc
}

// Indexes are all field indexes that the checks need.
func Indexes() []Index {
	return []Index{
		{&v1alpha1.Agent{}, IndexUsername, extract(func(a *v1alpha1.Agent) []string { return []string{a.Username()} })},
		{&v1alpha1.Agent{}, IndexExtension, extract(func(a *v1alpha1.Agent) []string { return distinct(a.Spec.Extension, a.Status.Extension) })},
		{&v1alpha1.Agent{}, IndexRole, extract(func(a *v1alpha1.Agent) []string { return distinct(string(a.Spec.SIP.Role)) })},
		{&v1alpha1.Agent{}, IndexSecret, extract(func(a *v1alpha1.Agent) []string { return secretNames(agentUses(a, nil)) })},
		{&v1alpha1.ContactCenter{}, IndexSecret, extract(func(c *v1alpha1.ContactCenter) []string { return secretNames(centerUses(c)) })},
		{&v1alpha1.Queue{}, IndexNumber, extract(func(q *v1alpha1.Queue) []string { return distinct(q.Spec.Number) })},
		{&v1alpha1.EmailAccount{}, IndexAddress, extract(func(e *v1alpha1.EmailAccount) []string { return distinct(strings.ToLower(e.Spec.Address)) })},
		{&v1alpha1.EmailAccount{}, IndexKey, extract(func(e *v1alpha1.EmailAccount) []string { return distinct(e.Spec.Key) })},
		{&v1alpha1.EmailAccount{}, IndexSecret, extract(func(e *v1alpha1.EmailAccount) []string { return secretNames(accountUses(e)) })},
		{&v1alpha1.MessageTemplate{}, IndexKey, extract(func(m *v1alpha1.MessageTemplate) []string { return distinct(m.Spec.Key) })},
		{&v1alpha1.PBX{}, IndexSecret, extract(func(p *v1alpha1.PBX) []string { return secretNames(pbxUses(p)) })},
		{&v1alpha1.Telephone{}, IndexUsername, extract(func(t *v1alpha1.Telephone) []string { return []string{t.Username()} })},
		{&v1alpha1.Telephone{}, IndexSecret, extract(func(t *v1alpha1.Telephone) []string { return secretNames(telephoneUses(t)) })},
	}
}

// RegisterIndexes adds the indexes to the manager's cache. It is called once, before the manager starts.
func RegisterIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, i := range Indexes() {
		if err := indexer.IndexField(ctx, i.Object, i.Name, i.Extract); err != nil {
			return fmt.Errorf("index %s of %T: %w", i.Name, i.Object, err)
		}
	}
	return nil
}

func extract[T client.Object](values func(T) []string) client.IndexerFunc {
	return func(object client.Object) []string { return values(object.(T)) }
}

func secretNames(uses []use) []string {
	names := make([]string, 0, len(uses))
	for _, u := range uses {
		names = append(names, u.name)
	}
	return distinct(names...)
}

// distinct sorts values and leaves out repeated and empty ones.
func distinct(values ...string) []string {
	slices.Sort(values)
	values = slices.Compact(values)
	return slices.DeleteFunc(values, func(v string) bool { return v == "" })
}
