package desk

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// TelephoneStatus narrows the list of telephones.
type TelephoneStatus string

// Telephone states that can be asked for.
const (
	TelephoneRegistered TelephoneStatus = "Registered"
	TelephoneFree       TelephoneStatus = "Free"
)

// Telephone is one that the agent may sit at.
type Telephone struct {
	Name        string     `json:"name" doc:"Name of the Telephone object"`
	DisplayName string     `json:"displayName,omitempty"`
	Registered  bool       `json:"registered" doc:"Whether it is registered at a PBX"`
	Agent       string     `json:"agent,omitempty" doc:"Name of the agent who sits there"`
	Since       *time.Time `json:"since,omitempty" doc:"Since when"`
}

type telephonesInput struct {
	Q      string            `query:"q" maxLength:"64" doc:"Part of the name or the display name, in any case"`
	State  []TelephoneStatus `query:"state" enum:"Registered,Free" doc:"Only telephones of which all of these hold"`
	Cursor string            `query:"cursor" maxLength:"253" doc:"nextCursor of the page before"`
	Limit  int               `query:"limit" minimum:"1" maximum:"200" default:"100"`
}

type telephonesOutput struct {
	Body struct {
		Telephones []Telephone `json:"telephones" doc:"Sorted by name"`
		NextCursor string      `json:"nextCursor,omitempty" doc:"Absent on the last page"`
	}
}

type telephoneInput struct {
	Body struct {
		Telephone string `json:"telephone" minLength:"1" maxLength:"253" doc:"Name of the Telephone object"`
	}
}

func (s *server) registerTelephones(api huma.API) {
	list := operation("listTelephones", http.MethodGet, "/v1/telephones", "Telephones the agent may sit at")
	list.Description = "Hot desk: none for an agent without it."
	list.Errors = []int{http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	huma.Register(api, list, s.listTelephones)

	sit := operation("sitAtTelephone", http.MethodPut, "/v1/me/telephone", "Sit at a telephone")
	sit.Description = "The agent's calls then ring there. Another seat of the agent is given up; signing out gives up any."
	sit.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}
	huma.Register(api, sit, s.sitAtTelephone)

	leave := operation("leaveTelephone", http.MethodDelete, "/v1/me/telephone", "Leave the telephone")
	leave.Description = "The agent's calls ring at their own phone again, if there is one."
	leave.DefaultStatus = http.StatusNoContent
	leave.Errors = []int{http.StatusUnauthorized, http.StatusServiceUnavailable}
	huma.Register(api, leave, s.leaveTelephone)
}

func (s *server) listTelephones(ctx context.Context, in *telephonesInput) (*telephonesOutput, error) {
	c := callerOf(ctx)
	profile, err := parseProfile(c.Profile)
	if err != nil {
		return nil, s.fail(ctx, "reading a profile", err)
	}
	out := &telephonesOutput{}
	out.Body.Telephones = []Telephone{}
	if profile.HotDesk == nil {
		return out, nil
	}
	all, err := s.Store.ListTelephones(ctx, c.Namespace)
	if err != nil {
		return nil, s.fail(ctx, "listing telephones", err)
	}
	for _, t := range all {
		may, err := profile.MaySitAt(t.Telephone)
		if err != nil {
			return nil, s.fail(ctx, "reading a profile", err)
		}
		if !may || t.Name <= in.Cursor || !in.wants(t) {
			continue
		}
		if len(out.Body.Telephones) == in.Limit {
			out.Body.NextCursor = out.Body.Telephones[in.Limit-1].Name
			break
		}
		out.Body.Telephones = append(out.Body.Telephones, Telephone{
			Name: t.Name, DisplayName: t.DisplayName, Registered: t.Registered, Agent: t.Agent, Since: timeOrNil(t.Since),
		})
	}
	return out, nil
}

func (in *telephonesInput) wants(t store.TelephoneState) bool {
	if slices.Contains(in.State, TelephoneRegistered) && !t.Registered || slices.Contains(in.State, TelephoneFree) && t.Agent != "" {
		return false
	}
	q := strings.ToLower(in.Q)
	return strings.Contains(strings.ToLower(t.Name), q) || strings.Contains(strings.ToLower(t.DisplayName), q)
}

// checkTelephone refuses one that the agent must not sit at. One that does not exist looks the same as one the selector leaves out.
func (s *server) checkTelephone(ctx context.Context, agent store.Agent, telephone string) error {
	profile, err := parseProfile(agent.Profile)
	if err != nil {
		return err
	}
	if profile.HotDesk == nil {
		return problem(CodeHotDeskDenied, "this agent does not use hot desk")
	}
	t, err := s.Store.GetTelephone(ctx, store.Key{Namespace: agent.Namespace, Name: telephone})
	may := false
	if err == nil {
		may, err = profile.MaySitAt(t.Telephone)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && !may {
		return problem(CodeNotFound, "there is no such telephone for this agent")
	}
	return err
}

// telephoneTaken makes a problem of a refused seat, with the name of who sits there.
func (s *server) telephoneTaken(ctx context.Context, namespace string, err error) error {
	var taken *store.TakenError
	if !errors.As(err, &taken) {
		return err
	}
	name := strings.TrimPrefix(taken.By, "agent/")
	if holder, err := s.Store.GetAgent(ctx, store.Key{Namespace: namespace, Name: name}); err == nil {
		name = cmp.Or(holder.DisplayName, name)
	}
	return problem(CodeTelephoneTaken, name+" sits at "+taken.Value)
}

func (s *server) sitAtTelephone(ctx context.Context, in *telephoneInput) (*presenceOutput, error) {
	c := callerOf(ctx)
	err := s.checkTelephone(ctx, c.Agent, in.Body.Telephone)
	if err == nil {
		err = s.telephoneTaken(ctx, c.Namespace, s.Store.TakeSeat(ctx, c.Key, in.Body.Telephone))
	}
	if errors.Is(err, store.ErrConflict) {
		err = problem(CodeNotSignedIn, "")
	}
	if err != nil {
		return nil, s.fail(ctx, "taking a telephone", err)
	}
	return s.getPresence(ctx, nil)
}

func (s *server) leaveTelephone(ctx context.Context, _ *noBody) (*noBody, error) {
	if err := s.Store.ReleaseSeat(ctx, callerOf(ctx).Key); err != nil {
		return nil, s.fail(ctx, "leaving a telephone", err)
	}
	return nil, nil
}
