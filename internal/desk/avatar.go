package desk

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

type avatarInput struct {
	Name        string `path:"name" maxLength:"253" doc:"The agent's name, as in the list of colleagues"`
	IfNoneMatch string `header:"If-None-Match" maxLength:"1024" doc:"ETag of the picture the client has"`
}

type avatarOutput struct {
	Status       int
	ContentType  string `header:"Content-Type"`
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

// registerAvatars adds the pictures of colleagues.
func (s *server) registerAvatars(api huma.API) {
	op := operation("getAvatar", http.MethodGet, "/v1/agents/{name}/avatar", "Picture of an agent of the center, PNG or JPEG")
	op.Description = "304 without a body when the client's ETag is the present one. NOT_FOUND: the agent has none."
	op.Errors = []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	binary := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	op.Responses = map[string]*huma.Response{
		"200": {Description: "The picture", Content: map[string]*huma.MediaType{"image/png": binary, "image/jpeg": binary}},
		"304": {Description: "The client has it"},
	}
	huma.Register(api, op, s.avatar)
}

func (s *server) avatar(ctx context.Context, in *avatarInput) (*avatarOutput, error) {
	agent := store.Key{Namespace: callerOf(ctx).Namespace, Name: in.Name}
	known, err := s.Store.AvatarOf(ctx, agent)
	if err != nil {
		return nil, s.fail(ctx, "reading an avatar", err)
	}
	out := &avatarOutput{Status: http.StatusNotModified, ETag: etagOf(known), CacheControl: "private, no-cache"}
	if matchesAny(in.IfNoneMatch, out.ETag) {
		return out, nil
	}
	a, err := s.Store.GetAvatar(ctx, agent)
	if err != nil {
		return nil, s.fail(ctx, "reading an avatar", err)
	}
	out.Status, out.ETag, out.ContentType, out.Body = http.StatusOK, etagOf(a), a.ContentType, a.Content
	return out, nil
}

func etagOf(a store.Avatar) string { return `"` + a.SHA256 + `"` }

// matchesAny is If-None-Match (RFC 9110, 13.1.2) by weak comparison.
func matchesAny(header, etag string) bool {
	return slices.ContainsFunc(strings.Split(header, ","), func(candidate string) bool {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		return candidate == "*" || candidate == etag
	})
}
