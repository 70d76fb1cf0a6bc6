package controllers

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
)

// permissions of an agent as the desk decides by them. It takes the snapshot of the modules, which the status keeps.
func permissions(a *v1alpha1.Agent, center *v1alpha1.ContactCenter) ([]byte, error) {
	p := a.Spec.Permissions
	a.Status.ModulesSnapshot = modulesSnapshot(p.Modules, a.Status.ModulesSnapshot, v1alpha1.Modules())
	granted := grantedModules(p.Modules, a.Status.ModulesSnapshot, v1alpha1.Modules())
	modules := make([]string, 0, len(granted))
	for _, m := range granted {
		modules = append(modules, string(m))
	}
	d := desk.Permissions{
		Role:              cmp.Or(string(a.Spec.Role), desk.RoleAgent),
		InternalMessenger: string(p.InternalMessenger),
		RecallMeCampaign:  string(p.RecallMeCampaign),
		Modules:           modules,
		Downloads: desk.Downloads{
			Attachments:  string(p.Downloads.Attachments),
			Interactions: string(p.Downloads.Interactions),
			Recordings:   string(p.Downloads.Recordings),
		},
		Contacts:      desk.ContactRights{Edit: orDenied(p.Contacts.Edit), Import: orDenied(p.Contacts.Import)},
		SensitiveData: string(a.Spec.SensitiveData),
	}
	if a.Spec.SensitiveData == v1alpha1.SensitiveMasked {
		d.MaskedCharacters = int(center.Spec.Security.Masking.Characters)
	}
	return json.Marshal(d)
}

// orDenied is a permission of an agent that may be older than its field.
func orDenied(p v1alpha1.Permission) string { return string(cmp.Or(p, v1alpha1.Denied)) }

// clientLogs of an agent as the desk decides by them; nothing while they are disabled.
func clientLogs(a *v1alpha1.Agent, center *v1alpha1.ContactCenter) ([]byte, error) {
	wanted, to := a.Spec.ClientLogs, center.Spec.ClientLogs
	if wanted.Level == "" || wanted.Level == v1alpha1.ClientLogsDisabled {
		return nil, nil
	}
	l := desk.ClientLogs{Level: string(wanted.Level), Sink: to.Sink}
	for _, scope := range wanted.Scopes {
		l.Scopes = append(l.Scopes, string(scope))
	}
	if to.Sink == v1alpha1.ClientLogsVolume {
		l.RetentionDays = int(math.Ceil(duration(to.Retention, 7*24*time.Hour).Hours() / 24))
	}
	return json.Marshal(l)
}

// modulesSnapshot is what the agent gets by policy AllowAll: what was known when it was first looked at, and what came since while that
// was allowed. Names that this version does not know stay, for the version that does.
func modulesSnapshot(m v1alpha1.ModulePermissions, before, known []v1alpha1.ModuleName) []v1alpha1.ModuleName {
	if len(before) > 0 && m.NewModules != v1alpha1.NewModulesAllow {
		return before
	}
	after := slices.Concat(before, known)
	slices.Sort(after)
	return slices.Compact(after)
}

// grantedModules are sorted.
func grantedModules(m v1alpha1.ModulePermissions, snapshot, known []v1alpha1.ModuleName) []v1alpha1.ModuleName {
	from := snapshot
	if m.Policy == v1alpha1.ModulesList {
		from = m.List
	}
	var granted []v1alpha1.ModuleName
	for _, name := range known {
		if slices.Contains(from, name) && !slices.Contains(m.Denied, name) {
			granted = append(granted, name)
		}
	}
	slices.Sort(granted)
	return granted
}
