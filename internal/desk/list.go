package desk

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// ListFilter narrows a list of interactions: every attribute given must match.
type ListFilter struct {
	State []store.InteractionState `query:"state" enum:"New,Offered,Open,Closed,Queued,Unread" doc:"Only these states"`
	Queue string                   `query:"queue" maxLength:"253" doc:"Only this Queue"`
	Agent string                   `query:"agent" maxLength:"253" doc:"Only those that are with this agent or were last accepted by them"`
	Read  string                   `query:"read" enum:"true,false" doc:"true: only those whose last customer message was read; false: only the others"`
	From  time.Time                `query:"from" doc:"Only those that began then or later"`
	To    time.Time                `query:"to" doc:"Only those that began before"`
	Tags  []string                 `query:"tags" maxItems:"20" doc:"Only those with one of these tags, letter case counts"`
	Text  string                   `query:"text" maxLength:"200" doc:"Only those whose title or subject, or the customer's name or address, contains it"`
	Mine  bool                     `query:"mine" doc:"Only those offered to or open with the agent now"`

	// repeated names an attribute that was given more than once.
	repeated string
}

// Resolve keeps what is seen only in the raw query: the last of several values would silently win.
func (f *ListFilter) Resolve(ctx huma.Context) []error {
	f.repeated = repeatedAttribute(ctx)
	return nil
}

// repeatedAttribute is the first attribute of the query that is given more than once.
func repeatedAttribute(ctx huma.Context) string {
	u := ctx.URL()
	query := u.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if len(query[name]) > 1 {
			return name
		}
	}
	return ""
}

func repeatedProblem(name string) *Problem {
	return problem(CodeDuplicateFilter, name+" is given more than once; several values are separated by commas")
}

// OfAccount narrows a list of interactions to those of an account.
type OfAccount struct {
	Account string `query:"account" maxLength:"253" doc:"Only this EmailAccount"`
}

// filter is f as the store takes it, of one account unless that is empty. With none, nothing can match it.
func (f *ListFilter) filter(c caller, account string) (filter store.InteractionFilter, none bool, err error) {
	if f.repeated != "" {
		return store.InteractionFilter{}, false, repeatedProblem(f.repeated)
	}
	states := f.State
	if f.Mine {
		states = heldStates(f.State)
		none = len(states) == 0 // nobody holds an interaction in the states asked for
	}
	return store.InteractionFilter{
		Namespace: c.Namespace, States: states, Account: account, Queue: f.Queue, Concerns: f.Agent,
		Read: f.Read == "true", Unread: f.Read == "false", From: f.From, To: f.To, Tags: f.Tags, Text: f.Text,
		HideCustomer: !c.permissions.allows(sensitiveData), // or guesses would find out
	}, none, nil
}

// ListPage is the part of a list that is asked for.
type ListPage struct {
	Cursor string `query:"cursor" format:"uuid" doc:"nextCursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
}

type listInput struct {
	ListFilter
	OfAccount
	ListPage
}

type accountListInput struct {
	Name string `path:"name" maxLength:"253" doc:"Name of an EmailAccount object"`
	ListFilter
	ListPage
}

type unreadInput struct {
	OfAccount
	ListPage
}

type listOutput struct {
	Body struct {
		Interactions []Interaction `json:"interactions" doc:"Newest first"`
		NextCursor   string        `json:"nextCursor,omitempty" doc:"Absent on the last page"`
	}
}

func (s *server) registerLists(api huma.API) {
	list := operation("listInteractions", http.MethodGet, "/v1/interactions", "Interactions of the agent")
	list.Description = "Those offered to or open with the agent, those of accounts the agent is assigned to, and, of accounts nobody is assigned to, those the agent was the last to accept. A supervisor also sees those that are with the members of the team, or were last accepted by them; role Admin sees all."
	list.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, needing(list, moduleEmail), s.listInteractions)

	ofAccount := operation("listAccountInteractions", http.MethodGet, "/v1/emailaccounts/{name}/interactions", "Interactions of an account")
	ofAccount.Description = "Those of GET /v1/interactions that are the account's. Not found for agents who are not among those assigned to it and supervise nobody."
	ofAccount.Errors = append([]int{http.StatusNotFound}, list.Errors...)
	huma.Register(api, needing(ofAccount, moduleEmail), s.listAccountInteractions)

	unread := operation("listUnread", http.MethodGet, "/v1/unread", "Interactions that routing gave up")
	unread.Description = "Those in state Unread that the agent may see. Nobody is offered them any more: POST /v1/interactions/{id}/take opens one with the agent."
	unread.Errors = []int{http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, needing(unread, moduleEmail), s.listUnread)
}

func (s *server) listInteractions(ctx context.Context, in *listInput) (*listOutput, error) {
	return s.filtered(ctx, &in.ListFilter, in.Account, in.ListPage)
}

func (s *server) listAccountInteractions(ctx context.Context, in *accountListInput) (*listOutput, error) {
	if err := s.maySeeAccount(ctx, in.Name); err != nil {
		return nil, s.fail(ctx, "reading the agents of an account", err)
	}
	return s.filtered(ctx, &in.ListFilter, in.Name, in.ListPage)
}

// maySeeAccount: an account is not found by agents when others are assigned to it, unless they are over somebody. Which of its interactions they see is decided for each.
func (s *server) maySeeAccount(ctx context.Context, name string) error {
	c := callerOf(ctx)
	key := store.Key{Namespace: c.Namespace, Name: name}
	if _, err := s.Store.GetAccount(ctx, key); err != nil {
		return err
	}
	agents, err := s.Store.AccountAgents(ctx, key)
	if err != nil {
		return err
	}
	if len(agents) == 0 || slices.Contains(agents, c.Name) {
		return nil
	}
	supervises, err := s.supervises(ctx)
	if err == nil && !supervises {
		err = fmt.Errorf("account of others: %w", store.ErrNotFound)
	}
	return err
}

func (s *server) filtered(ctx context.Context, in *ListFilter, account string, p ListPage) (*listOutput, error) {
	f, none, err := in.filter(callerOf(ctx), account)
	if err != nil {
		return nil, err
	}
	if none {
		return listed(nil, p.Limit), nil
	}
	return s.list(ctx, f, p, in.Mine)
}

func (s *server) listUnread(ctx context.Context, in *unreadInput) (*listOutput, error) {
	f := store.InteractionFilter{Namespace: callerOf(ctx).Namespace, States: []store.InteractionState{store.StateUnread}, Account: in.Account}
	return s.list(ctx, f, in.ListPage, false)
}

func (s *server) list(ctx context.Context, f store.InteractionFilter, p ListPage, mine bool) (*listOutput, error) {
	f.After, f.Limit = p.Cursor, p.Limit+1
	found, err := s.visibleInteractions(ctx, f, mine)
	if err != nil {
		return nil, s.fail(ctx, "listing interactions", err)
	}
	return listed(found, p.Limit), nil
}

// listed cuts what was found to a page.
func listed(found []store.Interaction, limit int) *listOutput {
	out := &listOutput{}
	out.Body.Interactions = []Interaction{}
	if len(found) > limit {
		found = found[:limit]
		out.Body.NextCursor = found[limit-1].ID
	}
	for _, i := range found {
		out.Body.Interactions = append(out.Body.Interactions, interactionOf(i))
	}
	return out
}

// visibleInteractions returns the newest of those that f describes and the caller may see, f.Limit of them or more. An
// interaction may be found in several ways; each has its index.
func (s *server) visibleInteractions(ctx context.Context, f store.InteractionFilter, mine bool) ([]store.Interaction, error) {
	views, err := s.views(ctx, f, mine)
	if err != nil {
		return nil, err
	}
	var all []store.Interaction
	for _, view := range views {
		found, err := s.Store.ListInteractions(ctx, view)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	// Each list holds the newest of its kind, so together they hold the newest of all.
	slices.SortFunc(all, func(a, b store.Interaction) int { return cmp.Compare(b.ID, a.ID) })
	return slices.CompactFunc(all, func(a, b store.Interaction) bool { return a.ID == b.ID }), nil
}

// views narrows f in each way in which the caller may see an interaction: first to what they hold, which is all with mine. The
// others have nothing in common.
func (s *server) views(ctx context.Context, f store.InteractionFilter, mine bool) ([]store.InteractionFilter, error) {
	c := callerOf(ctx)
	held, handled, assigned := f, f, f
	held.Agent = c.Name
	if mine {
		return []store.InteractionFilter{held}, nil
	}
	if c.isAdmin() {
		return []store.InteractionFilter{held, f}, nil
	}
	handled.LastAgent, handled.Unassigned = c.Name, true
	accounts, err := s.Store.AccountsOf(ctx, c.Key)
	if err != nil {
		return nil, err
	}
	views := []store.InteractionFilter{held, handled}
	if assigned.Accounts = accounts; len(accounts) > 0 {
		views = append(views, assigned)
	}
	supervises, err := s.Store.Supervises(ctx, c.Key)
	if supervises {
		supervised := f
		supervised.Supervisor, supervised.OtherAccounts = c.Name, accounts
		views = append(views, supervised)
	}
	return views, err
}

// heldStates narrows wanted (empty: any) to the states in which an agent holds an interaction.
func heldStates(wanted []store.InteractionState) []store.InteractionState {
	if len(wanted) == 0 {
		return []store.InteractionState{store.StateOffered, store.StateOpen}
	}
	var held []store.InteractionState
	for _, state := range wanted {
		if state == store.StateOffered || state == store.StateOpen {
			held = append(held, state)
		}
	}
	return held
}

// visible returns the interaction when the caller may see it: it is offered to or open with them, they are assigned to its
// account, or nobody is and they were the last to accept it, or they are over the agent whom it is with or who was. Anything else is not found.
func (s *server) visible(ctx context.Context, id string) (store.Interaction, error) {
	c := callerOf(ctx)
	i, err := s.Store.GetInteraction(ctx, c.Namespace, id)
	if err != nil {
		return store.Interaction{}, err
	}
	*c.customers = append(*c.customers, i.Name)
	if i.Agent == c.Name || slices.Contains(i.OfferedTo, c.Name) {
		return i, nil
	}
	agents, err := s.Store.AccountAgents(ctx, store.Key{Namespace: i.Namespace, Name: i.Account})
	if err != nil {
		return store.Interaction{}, err
	}
	if slices.Contains(agents, c.Name) || (len(agents) == 0 && i.LastAgent == c.Name) {
		return i, nil
	}
	if oversees, err := s.oversees(ctx, i); oversees || err != nil {
		return i, err
	}
	return store.Interaction{}, fmt.Errorf("interaction of others: %w", store.ErrNotFound)
}
