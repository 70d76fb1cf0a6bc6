package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// Permissions is the JSON in store.Agent.Permissions: what an agent may do and see, with every default filled in. An agent without one was
// recorded by a version that knew no permissions and has the defaults.
type Permissions struct {
	InternalMessenger string        `json:"internalMessenger" example:"Allowed" doc:"Allowed: the agent may write to colleagues (no server part yet); Denied"`
	RecallMeCampaign  string        `json:"recallMeCampaign" example:"Denied" doc:"Allowed: the agent may choose a campaign for calls back (no server part yet); Denied"`
	Modules           []string      `json:"modules" example:"Email,Voice" doc:"Modules of the desk that the agent has, sorted"`
	Downloads         Downloads     `json:"downloads"`
	Contacts          ContactRights `json:"contacts"`
	Role              string        `json:"role" example:"Agent" doc:"Agent; Admin: sees and may transfer every interaction of the center, and marks unread whatever the account says"`
	SensitiveData     string        `json:"sensitiveData" example:"Visible" doc:"Visible; Masked: who the customers are is hidden in everything the server answers"`
	MaskedCharacters  int           `json:"maskedCharacters,omitempty" example:"4" doc:"How many characters are hidden at the end of a local part, a word of a name or a number"`
}

// Downloads an agent may make, each Allowed or Denied.
type Downloads struct {
	Attachments  string `json:"attachments" example:"Allowed" doc:"Attachments and whole messages as they came"`
	Interactions string `json:"interactions" example:"Allowed" doc:"Interactions as a file"`
	Recordings   string `json:"recordings" example:"Allowed" doc:"Recordings of calls"`
}

// ContactRights over the center's customers, each Allowed or Denied.
type ContactRights struct {
	Edit   string `json:"edit" example:"Denied" doc:"Create, change and delete contacts"`
	Import string `json:"import" example:"Denied" doc:"Load a file of contacts"`
}

// Values of Permissions.Role.
const (
	RoleAgent = "Agent"
	RoleAdmin = "Admin"
)

func defaultPermissions() Permissions {
	p := Permissions{
		Role: RoleAgent, InternalMessenger: SettingAllowed, RecallMeCampaign: SettingDenied,
		Downloads:     Downloads{Attachments: SettingAllowed, Interactions: SettingAllowed, Recordings: SettingAllowed},
		Contacts:      ContactRights{Edit: SettingDenied, Import: SettingDenied},
		SensitiveData: SensitiveVisible,
	}
	for _, m := range v1alpha1.Modules() {
		p.Modules = append(p.Modules, string(m))
	}
	return p
}

func parsePermissions(raw []byte) (Permissions, error) {
	if len(raw) == 0 {
		return defaultPermissions(), nil
	}
	var p Permissions
	if err := json.Unmarshal(raw, &p); err != nil {
		return p, fmt.Errorf("stored permissions: %w", err)
	}
	p.Role = cmp.Or(p.Role, RoleAgent)
	p.Contacts.Edit, p.Contacts.Import = cmp.Or(p.Contacts.Edit, SettingDenied), cmp.Or(p.Contacts.Import, SettingDenied)
	return p, nil
}

// permission is one thing that an operation of the API may need.
type permission string

const (
	downloadAttachments  permission = "permissions.downloads.attachments"
	downloadInteractions permission = "permissions.downloads.interactions"
	downloadRecordings   permission = "permissions.downloads.recordings"

	editContacts   permission = "permissions.contacts.edit"
	importContacts permission = "permissions.contacts.import"

	// sensitiveData is what files need that cannot be masked.
	sensitiveData permission = "sensitiveData"

	// A module's lists need it; what a queue gave the agent does not.
	moduleColleagues = permission("permissions.modules." + v1alpha1.ModuleColleagues)
	moduleContacts   = permission("permissions.modules." + v1alpha1.ModuleContacts)
	moduleEmail      = permission("permissions.modules." + v1alpha1.ModuleEmail)
	moduleVoice      = permission("permissions.modules." + v1alpha1.ModuleVoice)
	moduleVoicemail  = permission("permissions.modules." + v1alpha1.ModuleVoicemail)
)

func (p Permissions) allows(wanted permission) bool {
	switch wanted {
	case downloadAttachments:
		return p.Downloads.Attachments == SettingAllowed
	case downloadInteractions:
		return p.Downloads.Interactions == SettingAllowed
	case downloadRecordings:
		return p.Downloads.Recordings == SettingAllowed
	case editContacts:
		return p.Contacts.Edit == SettingAllowed
	case importContacts:
		return p.Contacts.Import == SettingAllowed
	case sensitiveData:
		return p.SensitiveData != SensitiveMasked
	case moduleColleagues, moduleContacts, moduleEmail, moduleVoice, moduleVoicemail:
	}
	return slices.ContainsFunc(p.Modules, func(m string) bool { return wanted == permission("permissions.modules."+m) })
}

// may returns the problem of a caller who lacks a permission.
func (c caller) may(wanted permission) error {
	if c.permissions.allows(wanted) {
		return nil
	}
	return problem(CodePermissionDenied, "the agent's "+string(wanted)+" does not allow it")
}

const permissionsKey = "permissions"

// needing makes authorize demand permissions of an operation's callers.
func needing(op huma.Operation, wanted ...permission) huma.Operation {
	op.Metadata = map[string]any{permissionsKey: wanted}
	op.Errors = append(slices.Clone(op.Errors), http.StatusForbidden)
	for _, p := range wanted {
		op.Description += fmt.Sprintf(" Needs the permission %s.", p)
	}
	return op
}

// authorize is the one place where operations are refused for want of a permission. It runs after authenticate.
func (s *server) authorize(ctx huma.Context, next func(huma.Context)) {
	wanted, _ := ctx.Operation().Metadata[permissionsKey].([]permission)
	c := callerOf(ctx.Context())
	for _, p := range wanted {
		if err := c.may(p); err != nil {
			_, w := humago.Unwrap(ctx)
			s.asProblem(ctx.Context(), "authorizing", err).write(w)
			return
		}
	}
	next(ctx)
}

// Menu is what a client shows of the desk.
type Menu struct {
	Modules []string `json:"modules" example:"Email,Voice" doc:"Modules the agent has, sorted; the lists of the others are refused"`
}

type menuOutput struct{ Body Menu }

func (s *server) registerPermissions(api huma.API) {
	menu := operation("getMenu", http.MethodGet, "/v1/me/menu", "The modules of the desk that the agent has")
	menu.Description = "Ask again after a permissions.changed event."
	menu.Errors = []int{http.StatusUnauthorized, http.StatusServiceUnavailable}
	huma.Register(api, menu, func(ctx context.Context, _ *noBody) (*menuOutput, error) {
		return &menuOutput{Body: Menu{Modules: append([]string{}, callerOf(ctx).permissions.Modules...)}}, nil
	})
}
