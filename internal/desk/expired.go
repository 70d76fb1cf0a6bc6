package desk

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type expiredInput struct {
	address string
	Body    struct {
		Center   string `json:"center,omitempty" maxLength:"63" example:"support" doc:"Namespace of the contact center; may be omitted when the user name exists in one center only"`
		Username string `json:"username" minLength:"1" maxLength:"64" example:"alice.r"`
		Current  string `json:"current" minLength:"1" maxLength:"1024"`
		New      string `json:"new" minLength:"1" maxLength:"1024"`
	}
}

// Resolve takes the caller's address from the request, which an operation does not see otherwise.
func (in *expiredInput) Resolve(ctx huma.Context) []error {
	in.address, _ = ctx.Context().Value(addressKey).(string)
	return nil
}

// registerExpired adds the way on for agents who cannot sign in because their password is too old.
func (s *server) registerExpired(api huma.API) {
	op := operation("replacePassword", http.MethodPost, "/v1/password", "Replace a password without a session")
	op.Description = "For an agent whose sign-in answered PASSWORD_EXPIRED. Ends all sessions of the agent and opens none: sign in afterwards."
	op.Security = nil
	op.DefaultStatus = http.StatusNoContent
	op.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable}
	huma.Register(api, op, s.replacePassword)
}

func (s *server) replacePassword(ctx context.Context, in *expiredInput) (*noBody, error) {
	known, err := s.verifyAgent(ctx, in.address, in.Body.Center, in.Body.Username, in.Body.Current)
	if err == nil {
		err = mayChooseOwn(known.Agent)
	}
	if err == nil {
		err = s.choosePassword(ctx, known, in.Body.New, "")
	}
	if err != nil {
		return nil, s.fail(ctx, "replacing a password", err)
	}
	return nil, nil
}
