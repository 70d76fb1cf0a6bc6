package desk

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

const (
	exportPath = "/v1/interactions.csv"
	// maxExport is how many interactions a file has at most; those that the agent holds come on top.
	maxExport = 10_000
	// exportPage is how many are in memory at a time.
	exportPage = 100

	csvType = "text/csv; charset=utf-8; header=present"
)

// exportColumns of the file, in the order of exportRecord.
var exportColumns = []string{
	"id", "state", "account", "queue", "agent", "title", "subject", "tags", "customerAddress", "customerName", "createdAt", "updatedAt",
	"read", "messageCount", "lastDirection", "disposition", "dispositionNote",
}

type exportInput struct {
	ListFilter
	OfAccount
}

func (s *server) registerExport(api huma.API) {
	op := operation("exportInteractions", http.MethodGet, exportPath, "Interactions of the agent as a file")
	op.Description = fmt.Sprintf("The interactions that GET /v1/interactions lists, as CSV (RFC 4180): the columns %s. At most %d. "+
		"A cell that a spreadsheet would take for a formula has an apostrophe in front. When reading fails midway the connection breaks off.",
		strings.Join(exportColumns, ", "), maxExport)
	op.Errors = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	op.Responses = download("text/csv")
	huma.Register(api, needing(op, moduleEmail, downloadInteractions), s.exportInteractions)
}

// exportInteractions prepares everything that may fail while a status can still tell.
func (s *server) exportInteractions(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	f, none, err := in.filter(callerOf(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	page := listed(nil, exportPage)
	if !none {
		if err := s.exportable(ctx, f, in.Mine); err != nil {
			return nil, s.fail(ctx, "counting interactions", err)
		}
		if page, err = s.list(ctx, f, ListPage{Limit: exportPage}, in.Mine); err != nil {
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", csvType)
		w.Header().Set("Content-Disposition", saveAs("interactions-"+time.Now().UTC().Format(time.DateOnly)+".csv"))
		if err := s.writeExport(hctx.Context(), w, page, func(cursor string) (*listOutput, error) {
			return s.list(hctx.Context(), f, ListPage{Cursor: cursor, Limit: exportPage}, in.Mine)
		}); err != nil {
			s.Logger.DebugContext(hctx.Context(), "export broke off", "requestID", requestID(hctx.Context()), "error", err)
			panic(http.ErrAbortHandler) // or the client would take the part for the whole
		}
	}}, nil
}

// exportable refuses what would not fit into one file. What the agent holds is little and may be in the other views, too.
func (s *server) exportable(ctx context.Context, f store.InteractionFilter, mine bool) error {
	views, err := s.views(ctx, f, mine)
	if err != nil {
		return err
	}
	if !mine {
		views = views[1:]
	}
	total := 0
	for _, view := range views {
		n, err := s.Store.CountInteractions(ctx, view)
		if err != nil {
			return err
		}
		if total += n; total > maxExport {
			return problem(CodeExportTooLarge, fmt.Sprintf("more than %d interactions match", maxExport))
		}
	}
	return nil
}

// writeExport writes page and those after it.
func (s *server) writeExport(ctx context.Context, w http.ResponseWriter, page *listOutput, next func(cursor string) (*listOutput, error)) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(exportColumns); err != nil {
		return err
	}
	for {
		for _, i := range masked(callerOf(ctx), page.Body.Interactions) {
			if err := out.Write(exportRecord(i)); err != nil {
				return err
			}
		}
		out.Flush()
		if err := out.Error(); err != nil {
			return err
		}
		if page.Body.NextCursor == "" {
			return nil
		}
		var err error
		if page, err = next(page.Body.NextCursor); err != nil {
			return err
		}
	}
}

func exportRecord(i Interaction) []string {
	record := []string{
		i.ID, string(i.State), i.Account, i.Queue, i.Agent, i.Title, i.Subject, strings.Join(i.Tags, ","), i.Customer.Address, i.Customer.Name,
		i.CreatedAt.Format(time.RFC3339), i.UpdatedAt.Format(time.RFC3339), strconv.FormatBool(i.Read), strconv.Itoa(i.MessageCount),
		string(i.LastMessage.Direction), i.Disposition, i.Note,
	}
	for n, cell := range record {
		record[n] = harmless(cell)
	}
	return record
}

// harmless keeps spreadsheets from calculating a cell that a customer wrote. They skip what is blank and take the wide forms
// of the signs as well.
func harmless(cell string) string {
	start := strings.TrimLeftFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) })
	if start != "" && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", []rune(start)[0]) {
		return "'" + cell
	}
	return cell
}
