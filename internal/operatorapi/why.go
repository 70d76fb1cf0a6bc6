package operatorapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/wire"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

func (s *server) why(r *http.Request) (any, error) {
	ctx, namespace, id := r.Context(), r.PathValue("namespace"), r.PathValue("name")
	i, err := s.Store.GetInteraction(ctx, namespace, id)
	if err != nil {
		return nil, err
	}
	history, err := s.Store.History(ctx, namespace, id)
	if err != nil {
		return nil, err
	}
	out := wire.Why{Interaction: interactionOf(i), History: make([]wire.Transition, 0, len(history))}
	if out.Now, err = s.Store.Now(ctx); err != nil {
		return nil, err
	}
	for _, t := range history {
		out.History = append(out.History, wire.Transition{
			At: t.At, From: string(t.From), To: string(t.To), Agent: t.Agent, Queue: t.Queue, Reason: t.Reason, Detail: t.Detail,
		})
	}
	return out, s.explainWait(ctx, i, &out)
}

// explainWait says what must happen next.
func (s *server) explainWait(ctx context.Context, i store.Interaction, out *wire.Why) error {
	switch i.State {
	case store.StateOffered:
		who, have := i.Agent, "who has"
		if len(i.OfferedTo) > 0 {
			who, have = strings.Join(i.OfferedTo, ", "), "who have"
		}
		out.Waiting = fmt.Sprintf("offered to %s, %s until %s to answer", who, have, i.Deadline.UTC().Format("15:04:05 MST"))
		if i.Deadline.IsZero() {
			out.Waiting = "offered to " + who
		}
	case store.StateOpen:
		out.Waiting = "open with " + i.Agent + ", who answers and closes it"
	case store.StateUnread:
		out.Waiting = "in nobody's queue: " + lastReason(out.History) + "; an agent takes it over, or the customer's next mail queues it again"
	case store.StateQueued:
		return s.explainQueue(ctx, i, out)
	case store.StateNew:
		out.Waiting = "in its account's flow: " + cmp.Or(i.WaitDetail, lastReason(out.History))
	case store.StateClosed: // waits for nothing
	}
	return nil
}

func lastReason(history []wire.Transition) string {
	if len(history) == 0 {
		return "no history"
	}
	last := history[len(history)-1]
	return strings.TrimSuffix(last.Reason+" "+last.Detail, " ")
}

// explainQueue looks at every member as routing does.
func (s *server) explainQueue(ctx context.Context, i store.Interaction, out *wire.Why) error {
	if i.WaitsFor != "" {
		out.Waiting = cmp.Or(i.WaitDetail, "waits for "+i.WaitsFor) + "; nobody else is asked meanwhile"
		return nil
	}
	queue, err := s.Store.GetQueue(ctx, store.Key{Namespace: i.Namespace, Name: i.Queue})
	if errors.Is(err, store.ErrNotFound) {
		out.Waiting = "in queue " + i.Queue + ", which does not exist any more"
		return nil
	}
	if err != nil {
		return err
	}
	presences, err := s.Store.ListPresence(ctx, i.Namespace)
	if err != nil {
		return err
	}
	of := map[string]store.Presence{}
	for _, p := range presences {
		of[p.Agent.Name] = p
	}
	counts := map[string]int{}
	for _, m := range queue.Members {
		member, err := s.member(ctx, i.Namespace, m, of[m.Agent])
		if err != nil {
			return err
		}
		counts[member.Verdict]++
		out.Members = append(out.Members, member)
	}
	slices.SortStableFunc(out.Members, func(a, b wire.Member) int { return a.Penalty - b.Penalty })
	out.Waiting = waiting(i, len(queue.Members), counts)
	return nil
}

func waiting(i store.Interaction, members int, counts map[string]int) string {
	if members == 0 {
		return "in queue " + i.Queue + ", which has no members"
	}
	var parts []string
	for _, verdict := range []string{wire.MemberFree, wire.MemberFull, wire.MemberWrapUp, wire.MemberPaused, wire.MemberSignedOut, wire.MemberDeactivated} {
		if n := counts[verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	text := fmt.Sprintf("in queue %s with %d members: %s", i.Queue, members, strings.Join(parts, ", "))
	if counts[wire.MemberFree] > 0 && i.WaitDetail != "" {
		return text + "; when it was looked at last: " + i.WaitDetail
	}
	if counts[wire.MemberFree] > 0 {
		return text + "; who is free has declined it before, or is offered it in a moment"
	}
	return text + "; it is offered when one of them has room"
}

func (s *server) member(ctx context.Context, namespace string, m store.QueueMember, p store.Presence) (wire.Member, error) {
	out := wire.Member{Agent: m.Agent, Penalty: m.Penalty, Verdict: wire.MemberFree}
	agent, err := s.Store.GetAgent(ctx, store.Key{Namespace: namespace, Name: m.Agent})
	switch {
	case errors.Is(err, store.ErrNotFound) || (err == nil && !agent.Active):
		out.Verdict = wire.MemberDeactivated
		return out, nil
	case err != nil:
		return out, err
	case !p.SignedIn:
		out.Verdict = wire.MemberSignedOut
		return out, nil
	case p.Paused:
		out.Verdict, out.Detail = wire.MemberPaused, p.Reason
		return out, nil
	}
	held, err := s.Store.CountInteractions(ctx, store.InteractionFilter{
		Namespace: namespace, Agent: m.Agent, States: []store.InteractionState{store.StateOffered, store.StateOpen},
	})
	if err != nil {
		return out, err
	}
	out.Detail = fmt.Sprintf("holds %d", held)
	if agent.EmailCapacity > 0 {
		out.Detail += fmt.Sprintf(" of %d", agent.EmailCapacity)
		if held >= agent.EmailCapacity {
			out.Verdict = wire.MemberFull
		}
	}
	if out.Verdict == wire.MemberFree && !p.WrapUp.IsZero() {
		out.Verdict, out.Detail = wire.MemberWrapUp, "until "+p.WrapUp.UTC().Format("15:04:05 MST")
	}
	return out, nil
}
