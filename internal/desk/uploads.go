package desk

import (
	"context"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	uploadsSuffix = "/uploads"
	uploadsPath   = "/v1/interactions/{id}" + uploadsSuffix
	// uploadsAtOnce bounds the memory that files on their way take.
	uploadsAtOnce = 8
)

// Upload is a file that waits for the answer it goes out with.
type Upload struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	ContentType string    `json:"contentType"`
	Size        int64     `json:"size" doc:"Bytes"`
	CreatedAt   time.Time `json:"createdAt"`
}

func uploadOf(u store.Upload) Upload {
	return Upload{ID: u.ID, Name: u.Name, ContentType: u.ContentType, Size: u.Size, CreatedAt: u.CreatedAt.UTC()}
}

type uploadInput struct {
	ID      string `path:"id" maxLength:"64"`
	Name    string `query:"name" required:"true" minLength:"1" maxLength:"200" pattern:"^[^\\x00-\\x1f\\x7f/\\\\]+$" doc:"File name for the recipient, without a path"`
	Type    string `query:"contentType" maxLength:"127" doc:"Media type without parameters; default application/octet-stream"`
	RawBody []byte
}

type uploadOutput struct{ Body Upload }

type uploadsOutput struct {
	Body struct {
		Uploads []Upload `json:"uploads" doc:"Oldest first"`
	}
}

type oneUploadInput struct {
	ID  string `path:"id" maxLength:"64"`
	UID string `path:"uid" maxLength:"64"`
}

func (s *server) registerUploads(api huma.API) {
	errorsOfOne := []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable}
	add := operation("addUpload", http.MethodPost, uploadsPath, "Upload a file for an answer")
	add.Description = "The body is the file. It waits for a reply or a forward that names its id, for a week at most."
	add.DefaultStatus = http.StatusCreated
	add.MaxBodyBytes = store.MaxUpload + 1 // a body of this size is refused
	add.BodyReadTimeout = downloadTimeout
	add.Middlewares = huma.Middlewares{s.waitForRoom}
	add.Errors = append([]int{http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, errorsOfOne...)
	huma.Register(api, add, s.addUpload)

	list := operation("listUploads", http.MethodGet, uploadsPath, "Files that wait for an answer")
	list.Errors = errorsOfOne
	huma.Register(api, list, s.listUploads)

	remove := operation("deleteUpload", http.MethodDelete, uploadsPath+"/{uid}", "Remove a file that waits for an answer")
	remove.DefaultStatus = http.StatusNoContent
	remove.Errors = append([]int{http.StatusConflict}, errorsOfOne...)
	huma.Register(api, remove, s.deleteUpload)
}

// waitForRoom lets only so many large bodies into memory.
func (s *server) waitForRoom(ctx huma.Context, next func(huma.Context)) {
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
		next(ctx)
	case <-ctx.Context().Done():
		_, w := humago.Unwrap(ctx)
		problem(CodeUnavailable, "").withHeader("Retry-After", "2").write(w)
	}
}

func (s *server) addUpload(ctx context.Context, in *uploadInput) (*uploadOutput, error) {
	c := callerOf(ctx)
	u := store.Upload{InteractionID: in.ID, Namespace: c.Namespace, Agent: c.Name, Name: in.Name, ContentType: "application/octet-stream"}
	if in.Type != "" {
		kind, params, err := mime.ParseMediaType(in.Type)
		if err != nil || len(params) > 0 {
			return nil, problem(CodeValidation, "contentType is no media type without parameters")
		}
		u.ContentType = kind
	}
	err := s.mustHold(ctx, in.ID)
	if err == nil {
		u, err = s.Store.AddUpload(ctx, u, in.RawBody)
	}
	if err != nil {
		return nil, s.fail(ctx, "storing a file", err)
	}
	return &uploadOutput{Body: uploadOf(u)}, nil
}

// mustHold refuses what only the agent with the open interaction may do, and hides it from those who may not see it. The store
// decides once more when it writes.
func (s *server) mustHold(ctx context.Context, id string) error {
	i, err := s.visible(ctx, id)
	if err == nil && (i.State != store.StateOpen || i.Agent != callerOf(ctx).Name) {
		err = problem(CodeNotOpen, "")
	}
	return err
}

func (s *server) listUploads(ctx context.Context, in *idInput) (*uploadsOutput, error) {
	i, err := s.visible(ctx, in.ID)
	if err != nil {
		return nil, s.fail(ctx, "listing files", err)
	}
	list, err := s.Store.ListUploads(ctx, i.Namespace, i.ID)
	if err != nil {
		return nil, s.fail(ctx, "listing files", err)
	}
	out := &uploadsOutput{}
	out.Body.Uploads = make([]Upload, 0, len(list))
	for _, u := range list {
		out.Body.Uploads = append(out.Body.Uploads, uploadOf(u))
	}
	return out, nil
}

func (s *server) deleteUpload(ctx context.Context, in *oneUploadInput) (*noBody, error) {
	c := callerOf(ctx)
	err := s.mustHold(ctx, in.ID)
	if err == nil {
		err = s.Store.DeleteUpload(ctx, c.Namespace, in.ID, in.UID, c.Name)
	}
	if err != nil {
		return nil, s.fail(ctx, "removing a file", err)
	}
	return nil, nil
}
