package desk

import (
	"context"
	"html"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/mail/message"
)

const viewSuffix = "/html"

// What a browser may do with a message. A client that puts the document into a frame of its own leaves the header behind, so
// the document says it as well; frame-ancestors and sandbox count in a header only.
const (
	viewPolicy         = "default-src 'none'; base-uri 'none'; form-action 'none'"
	viewPicturesPolicy = viewPolicy + "; img-src http: https:"
	viewHeaderPolicy   = "; frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

type viewInput struct {
	ID     string `path:"id" maxLength:"64"`
	MID    string `path:"mid" maxLength:"64"`
	Remote string `query:"remote" enum:"block,allow" default:"block" doc:"allow: pictures from elsewhere are kept; loading them tells the sender that, when and where the message is read"`
}

type viewOutput struct {
	ContentType   string `header:"Content-Type"`
	ContentPolicy string `header:"Content-Security-Policy"`
	Body          []byte
}

func (s *server) registerViews(api huma.API) {
	view := operation("getMessageView", http.MethodGet, messagePath+viewSuffix, "A message as a page")
	view.Description = "HTML without scripts, styles and forms; the text where the message has no HTML. Show it in a sandboxed frame. " +
		"Content-Security-Policy, in the header and in the page, lets a browser load nothing but the pictures that were asked for."
	view.Errors = []int{http.StatusUnauthorized, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	view.Responses = map[string]*huma.Response{"200": {
		Description: "The page",
		Content:     map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	huma.Register(api, needing(view, sensitiveData), s.messageView)
}

func (s *server) messageView(ctx context.Context, in *viewInput) (*viewOutput, error) {
	raw, err := s.rawOf(ctx, in.ID, in.MID)
	if err != nil {
		return nil, s.fail(ctx, "reading a raw message", err)
	}
	remote, policy := in.Remote == "allow", viewPolicy
	if remote {
		policy = viewPicturesPolicy
	}
	source, err := message.View(raw, remote)
	if err != nil {
		return nil, s.fail(ctx, "reading a message", err)
	}
	page := `<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">` +
		`<meta http-equiv="Content-Security-Policy" content="` + html.EscapeString(policy) + `"></head><body>` + source + `</body></html>`
	return &viewOutput{ContentType: "text/html; charset=utf-8", ContentPolicy: policy + viewHeaderPolicy, Body: []byte(page)}, nil
}
