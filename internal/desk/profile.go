package desk

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Identity is who an agent is.
type Identity struct {
	Center      string `json:"center" doc:"Namespace of the contact center"`
	Name        string `json:"name" doc:"Name of the Agent object"`
	Username    string `json:"username"`
	DisplayName string `json:"displayName"`
	Alias       string `json:"alias,omitempty"`
	Email       string `json:"email,omitempty"`
	Extension   string `json:"extension,omitempty"`
}

func identityOf(a store.Agent) Identity {
	return Identity{
		Center: a.Namespace, Name: a.Name, Username: a.Username, DisplayName: a.DisplayName,
		Alias: a.Alias, Email: a.Email, Extension: a.Extension,
	}
}

// PresenceState of an agent.
type PresenceState string

// Presence states.
const (
	PresenceSignedOut PresenceState = "SignedOut"
	PresenceReady     PresenceState = "Ready"
	PresencePaused    PresenceState = "Paused"
)

// Presence is whether an agent takes work.
type Presence struct {
	State     PresenceState `json:"state" enum:"SignedOut,Ready,Paused"`
	Reason    string        `json:"reason,omitempty" doc:"Why paused"`
	Since     *time.Time    `json:"since,omitempty"`
	Source    store.Client  `json:"source,omitempty" enum:"Phonebar,Web,Other" doc:"The kind of client that changed it last; absent when the server did"`
	Telephone string        `json:"telephone,omitempty" doc:"Name of the telephone where the agent sits (hot desk)"`
	WrapUp    *time.Time    `json:"wrapUpUntil,omitempty" doc:"End of the wrap-up time in which queues offer nothing; absent when none runs"`
}

func presenceOf(p store.Presence) Presence {
	out := Presence{State: PresenceSignedOut, Since: timeOrNil(p.Since), Source: p.Source, Telephone: p.Telephone}
	if p.SignedIn {
		out.WrapUp = timeOrNil(p.WrapUp)
	}
	switch {
	case p.SignedIn && p.Paused:
		out.State, out.Reason = PresencePaused, p.Reason
	case p.SignedIn:
		out.State = PresenceReady
	}
	return out
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// Profile is everything a client needs to start.
type Profile struct {
	Agent        Identity      `json:"agent"`
	Presence     Presence      `json:"presence"`
	Queues       []string      `json:"queues" doc:"Names of the queues the agent is a member of"`
	Capabilities Capabilities  `json:"capabilities"`
	Permissions  Permissions   `json:"permissions"`
	Client       ClientProfile `json:"client"`
	ClientLogs   *ClientLogs   `json:"clientLogs,omitempty" doc:"What the client is to send of its own log; tell the agent. Absent: nothing"`
	SIP          *SIPSecret    `json:"sip,omitempty" doc:"What the phone registers with; absent while unavailable"`
	// SIPUnavailable is set exactly when SIP is not.
	SIPUnavailable Code `json:"sipUnavailable,omitempty" example:"SIP_SECRET_UNAVAILABLE" doc:"Code of the reason why sip is absent"`
}

// Capabilities say what the agent may do.
type Capabilities struct {
	ChangePassword bool `json:"changePassword"`
	// ChangePresence depends on the client the session was opened with.
	ChangePresence         bool `json:"changePresence" doc:"False for a web client of an agent whose phonebar alone does it"`
	ForwardCalls           bool `json:"forwardCalls"`
	RecordCalls            bool `json:"recordCalls" doc:"Start, pause, resume and restart recordings"`
	HotDesk                bool `json:"hotDesk" doc:"Sit at telephones"`
	PreviewDialDuringPause bool `json:"previewDialDuringPause"`
	Supervise              bool `json:"supervise" doc:"See and transfer interactions of others: of the members of teams that the agent supervises, or of all with role Admin"`
	EmailCapacity          int  `json:"emailCapacity" doc:"E-mail interactions held at once; 0 means any number"`
}

type profileOutput struct{ Body Profile }

type presenceOutput struct{ Body Presence }

type presenceInput struct {
	Body struct {
		State  PresenceState `json:"state" enum:"Ready,Paused"`
		Reason string        `json:"reason,omitempty" maxLength:"80" pattern:"^[^\\x00-\\x1f\\x7f]*$" doc:"Why paused, on one line; kept only while paused"`
	}
}

// Colleague is what agents of a center see of each other.
type Colleague struct {
	Name        string   `json:"name" doc:"Name of the Agent object"`
	DisplayName string   `json:"displayName"`
	Extension   string   `json:"extension,omitempty"`
	Presence    Presence `json:"presence"`
}

type colleaguesInput struct {
	Cursor string `query:"cursor" maxLength:"253" doc:"nextCursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
}

type colleaguesOutput struct {
	Body struct {
		Agents     []Colleague `json:"agents" doc:"Sorted by name"`
		NextCursor string      `json:"nextCursor,omitempty" doc:"Absent on the last page"`
	}
}

func (s *server) registerProfile(api huma.API) {
	errorsOfReads := []int{http.StatusUnauthorized, http.StatusServiceUnavailable}

	me := operation("getProfile", http.MethodGet, "/v1/me", "The own profile, client settings and SIP secret")
	me.Errors = errorsOfReads
	huma.Register(api, me, s.profile)

	get := operation("getPresence", http.MethodGet, "/v1/me/presence", "The own presence")
	get.Errors = errorsOfReads
	huma.Register(api, get, s.getPresence)

	put := operation("setPresence", http.MethodPut, "/v1/me/presence", "Get ready or pause")
	put.Description = "Pausing gives running offers back to their queue; open interactions stay. A web client of an agent with typology " +
		"Phonebar is refused unless the center allows it."
	put.Errors = append([]int{http.StatusBadRequest, http.StatusConflict}, errorsOfReads...)
	huma.Register(api, put, s.setPresence)

	end := operation("endWrapUp", http.MethodDelete, "/v1/me/presence/wrap-up", "End the own wrap-up time")
	end.Description = "Queues offer again at once, unless the agent is paused. Nothing changes when none runs. That of a queue for calls runs in the PBX, which ends " +
		"none early. A web client of an agent with typology Phonebar is refused unless the center allows it."
	end.Errors = append([]int{http.StatusConflict}, errorsOfReads...)
	huma.Register(api, end, s.endWrapUp)

	agents := operation("listAgents", http.MethodGet, "/v1/agents", "Colleagues of the center")
	agents.Errors = append([]int{http.StatusUnprocessableEntity}, errorsOfReads...)
	huma.Register(api, needing(agents, moduleColleagues), s.listAgents)
}

func (s *server) profile(ctx context.Context, _ *noBody) (*profileOutput, error) {
	c := callerOf(ctx)
	client, err := parseProfile(c.Profile)
	if err != nil {
		return nil, s.fail(ctx, "reading a profile", err)
	}
	logs, err := parseClientLogs(c.ClientLogs)
	if err != nil {
		return nil, s.fail(ctx, "reading a profile", err)
	}
	presence, err := s.Store.GetPresence(ctx, c.Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, s.fail(ctx, "reading presence", err)
	}
	queues, err := s.Store.QueuesOf(ctx, c.Key)
	if err != nil {
		return nil, s.fail(ctx, "reading queues", err)
	}
	supervises, err := s.supervises(ctx)
	if err != nil {
		return nil, s.fail(ctx, "reading supervision", err)
	}
	out := &profileOutput{Body: Profile{
		Agent:    identityOf(c.Agent),
		Presence: presenceOf(presence),
		Queues:   append([]string{}, queues...),
		Capabilities: Capabilities{
			ChangePassword:         client.PasswordManagement != PasswordEnforced,
			ChangePresence:         client.mayChangePresence(c.client),
			ForwardCalls:           client.mayForward(),
			RecordCalls:            client.mayRecord(),
			HotDesk:                client.HotDesk != nil,
			PreviewDialDuringPause: client.PreviewDialDuringPause == SettingAllowed,
			Supervise:              supervises,
			EmailCapacity:          c.EmailCapacity,
		},
		Permissions: c.permissions,
		Client:      client.served(c.Agent),
		ClientLogs:  logs,
	}}
	secret, err := s.SIPSecrets.SIPSecret(ctx, c.Key)
	if err != nil {
		s.Logger.WarnContext(ctx, "SIP secret unavailable", "agent", c.String(), "requestID", requestID(ctx), "error", err)
		out.Body.SIPUnavailable = CodeSIPUnavailable
		return out, nil
	}
	out.Body.SIP = &secret
	return out, nil
}

func (s *server) getPresence(ctx context.Context, _ *noBody) (*presenceOutput, error) {
	p, err := s.Store.GetPresence(ctx, callerOf(ctx).Key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, s.fail(ctx, "reading presence", err)
	}
	return &presenceOutput{Body: presenceOf(p)}, nil
}

func (s *server) setPresence(ctx context.Context, in *presenceInput) (*presenceOutput, error) {
	c := callerOf(ctx)
	if err := s.mayChangePresence(ctx, c); err != nil {
		return nil, err
	}
	p := store.Presence{Agent: c.Key, SignedIn: true, Source: c.client}
	if in.Body.State == PresencePaused {
		p.Paused, p.Reason = true, in.Body.Reason
	}
	if err := s.Store.SetPresence(ctx, p); err != nil {
		return nil, s.fail(ctx, "setting presence", err)
	}
	return s.getPresence(ctx, nil)
}

// mayChangePresence refuses a client that shows presence only.
func (s *server) mayChangePresence(ctx context.Context, c caller) error {
	profile, err := parseProfile(c.Profile)
	if err != nil {
		return s.fail(ctx, "reading a profile", err)
	}
	if !profile.mayChangePresence(c.client) {
		return problem(CodePhonebarControls, "the phonebar of this agent changes the presence; this client shows it")
	}
	return nil
}

func (s *server) endWrapUp(ctx context.Context, _ *noBody) (*presenceOutput, error) {
	c := callerOf(ctx)
	if err := s.mayChangePresence(ctx, c); err != nil {
		return nil, err
	}
	if err := s.Store.EndWrapUp(ctx, c.Key); err != nil {
		return nil, s.fail(ctx, "ending wrap-up time", err)
	}
	return s.getPresence(ctx, nil)
}

func (s *server) listAgents(ctx context.Context, in *colleaguesInput) (*colleaguesOutput, error) {
	namespace := callerOf(ctx).Namespace
	all, err := s.Store.ListPresence(ctx, namespace)
	if err != nil {
		return nil, s.fail(ctx, "listing presence", err)
	}
	out := &colleaguesOutput{}
	out.Body.Agents = []Colleague{}
	for _, p := range all {
		if p.Agent.Name <= in.Cursor {
			continue
		}
		if len(out.Body.Agents) == in.Limit {
			out.Body.NextCursor = out.Body.Agents[in.Limit-1].Name
			break
		}
		agent, err := s.Store.GetAgent(ctx, p.Agent)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted since the list was read
		} else if err != nil {
			return nil, s.fail(ctx, "reading an agent", err)
		}
		out.Body.Agents = append(out.Body.Agents, Colleague{
			Name: agent.Name, DisplayName: agent.DisplayName, Extension: agent.Extension, Presence: presenceOf(p),
		})
	}
	return out, nil
}
