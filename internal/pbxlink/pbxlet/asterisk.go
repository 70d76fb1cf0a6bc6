package pbxlet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// asterisk is one connection to the PBX.
type asterisk struct {
	*ami.Client
	version string
	started time.Time
	// run tells one run of Asterisk from another; the start time, in whole
	// seconds, does not.
	run string
}

// runVariable is a global variable that lives as long as the process.
const runVariable = "RINGMASTER_RUN"

// actionTimeout bounds actions that only read.
const actionTimeout = 15 * time.Second

// wantedEvents are all the events a connection asks for; without a filter, a
// reload of 5,000 endpoints sends thousands of others.
var wantedEvents = []string{
	"FullyBooted", "ContactStatus", "DeviceStateChange", "QueueMemberStatus", "QueueMemberAdded",
	"QueueMemberRemoved", "QueueMemberPause", "QueueMemberPenalty", "QueueCallerJoin", "QueueCallerLeave",
	"QueueCallerAbandon", "AgentCalled", "AgentConnect", "AgentComplete", "MessageWaiting",
	"Newchannel", "Newstate", "NewConnectedLine", "Hangup", "MixMonitorStart", "MixMonitorStop", "MixMonitorMute",
	"ChallengeResponseFailed",
}

// dialAsterisk connects and waits until Asterisk has loaded its modules: the
// manager interface answers before.
func dialAsterisk(ctx context.Context, cfg Config) (*asterisk, error) {
	secret, err := cfg.amiSecret()
	if err != nil {
		return nil, err
	}
	dialCtx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	client, err := ami.Dial(dialCtx, cfg.AMIAddr, cfg.AMIUser, secret)
	if err != nil {
		return nil, err
	}
	a := &asterisk{Client: client}
	if err := a.prepare(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return a, nil
}

func (a *asterisk) prepare(ctx context.Context) error {
	bootCtx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := a.Command(bootCtx, "core waitfullybooted"); err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	for _, name := range wantedEvents {
		if _, err := a.Action(ctx, "Filter", ami.Header{Name: "Operation", Value: "Add"}, ami.Header{Name: "Filter", Value: "Event: " + name}); err != nil {
			return err
		}
	}
	settings, err := a.Action(ctx, "CoreSettings")
	if err != nil {
		return err
	}
	a.version = settings.Get("AsteriskVersion")
	status, err := a.Action(ctx, "CoreStatus")
	if err != nil {
		return err
	}
	a.started, err = time.ParseInLocation("2006-01-02 15:04:05", status.Get("CoreStartupDate")+" "+status.Get("CoreStartupTime"), time.Local)
	if err != nil {
		return fmt.Errorf("pbxlet: Asterisk's start time: %w", err)
	}
	if a.run, err = a.variable(ctx, runVariable); err != nil || a.run != "" {
		return err
	}
	a.run = uuid.NewString()
	return a.act(ctx, "Setvar", ami.Header{Name: "Variable", Value: runVariable}, ami.Header{Name: "Value", Value: a.run})
}

// list bounds the time of a list.
func (a *asterisk) list(ctx context.Context, action string, headers ...ami.Header) ([]ami.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	return a.List(ctx, action, headers...)
}

// names are the values of one header of a list.
func (a *asterisk) names(ctx context.Context, action, header string) (map[string]bool, error) {
	list, err := a.list(ctx, action)
	if err != nil {
		return nil, ignoreEmpty(err)
	}
	names := make(map[string]bool, len(list))
	for _, m := range list {
		names[m.Get(header)] = true
	}
	return names, nil
}

// ignoreEmpty turns the error with which several list actions say "none" into
// an empty list.
func ignoreEmpty(err error) error {
	var failed *ami.Error
	if !errors.As(err, &failed) {
		return err
	}
	text := strings.ToLower(failed.Message)
	if strings.HasPrefix(text, "no ") || strings.Contains(text, "there are no") {
		return nil
	}
	return err
}

// variable reads a global variable or function.
func (a *asterisk) variable(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	m, err := a.Action(ctx, "Getvar", ami.Header{Name: "Variable", Value: name})
	if err != nil {
		return "", err
	}
	return m.Get("Value"), nil
}

// transports compares the transports that run with those written. A transport
// that was bound keeps its protocol and address until Asterisk is restarted.
func (a *asterisk) transports(ctx context.Context, want []voice.ExpectTransport) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	output, err := a.Command(ctx, "pjsip show transports")
	if err != nil {
		return nil, err
	}
	running := map[string]voice.ExpectTransport{}
	for line := range strings.Lines(output) {
		f := strings.Fields(line)
		// Transport:  transport-udp  udp  0  0  0.0.0.0:5060
		if len(f) == 6 && f[0] == "Transport:" {
			running[f[1]] = voice.ExpectTransport{Name: f[1], Protocol: f[2], Bind: f[5]}
		}
	}
	var restart []string
	for _, t := range want {
		now, ok := running[t.Name]
		// A WebSocket transport has no address of its own.
		if !ok || now.Protocol != t.Protocol || t.Protocol != "wss" && t.Protocol != "ws" && now.Bind != t.Bind {
			restart = append(restart, t.Name)
		}
		delete(running, t.Name)
	}
	for name := range running {
		if strings.HasPrefix(name, "transport-") {
			restart = append(restart, name)
		}
	}
	return restart, nil
}

// mapped returns a *mismatch when Asterisk does not read the types of phones' objects
// from their files: a reload would find no phone at all. So it is on a machine that was
// joined when there was one file for all, and until its restart after the next join.
func (a *asterisk) mapped(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	m, err := a.Action(ctx, "GetConfig", ami.Header{Name: "Filename", Value: "sorcery.conf"}, ami.Header{Name: "Category", Value: "res_pjsip"})
	if _, refused := errors.AsType[*ami.Error](err); err != nil && !refused {
		return err
	}
	for _, file := range slices.Sorted(maps.Keys(voice.SorceryMappings)) {
		line := voice.SorceryMappings[file]
		if !slices.ContainsFunc(m, func(h ami.Header) bool { return h.Value == line }) {
			return differs("Asterisk does not read %s: its sorcery.conf lacks %q in [res_pjsip]; run `ringmaster pbxlet join` again on its machine", file, line)
		}
	}
	value, err := a.sorcery(ctx, "aor", voice.MappedAOR, "max_contacts")
	if err == nil && value == "" {
		err = differs("Asterisk does not know %s of its pjsip_aor.conf: restart it, because it reads sorcery.conf only when it starts", voice.MappedAOR)
	}
	return err
}

// reload reloads one module and waits until it is done.
func (a *asterisk) reload(ctx context.Context, module string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := a.Action(ctx, "Reload", ami.Header{Name: "Module", Value: module})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("pbxlet: the reload of %s has not finished in %s: %w", module, timeout, err)
	}
	return err
}

// pause sets the pause of a member in all its queues.
func (a *asterisk) pause(ctx context.Context, extension string, paused bool, reason string) error {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	_, err := a.Action(ctx, "QueuePause",
		ami.Header{Name: "Interface", Value: interfacePrefix + extension},
		ami.Header{Name: "Paused", Value: strconv.FormatBool(paused)},
		ami.Header{Name: "Reason", Value: reason})
	return err
}

const contactFamily = "registrar"

// contactRecord is the stored form of a contact, whose keys other than these
// are Asterisk's own business.
func (a *asterisk) contactRecord(ctx context.Context, name string) (map[string]any, error) {
	list, err := a.list(ctx, "DBGet", ami.Header{Name: "Family", Value: contactFamily}, ami.Header{Name: "Key", Value: "contact/" + name})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	record := map[string]any{}
	if err := json.Unmarshal([]byte(list[0].Get("Val")), &record); err != nil {
		return nil, fmt.Errorf("pbxlet: contact %s: %w", name, err)
	}
	return record, nil
}

// expire makes Asterisk forget a contact of an existing AOR at its next look
// (contact_expiration_check_interval). Deleting the record behind its back
// would leave the endpoint counted as reachable for ever.
func (a *asterisk) expire(ctx context.Context, name string) error {
	record, err := a.contactRecord(ctx, name)
	if err != nil || record == nil {
		return err
	}
	record["expiration_time"] = "1"
	value, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("pbxlet: contact %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	_, err = a.Action(ctx, "DBPut", ami.Header{Name: "Family", Value: contactFamily},
		ami.Header{Name: "Key", Value: "contact/" + name}, ami.Header{Name: "Val", Value: string(value)})
	return err
}

// forget deletes the record of a contact whose AOR is gone. Asterisk keeps it
// (asterisk/asterisk#1389), and it would count again for the next owner of the
// extension.
func (a *asterisk) forget(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	_, err := a.Action(ctx, "DBDel", ami.Header{Name: "Family", Value: contactFamily}, ami.Header{Name: "Key", Value: "contact/" + name})
	return err
}

// contacts lists all contacts.
func (a *asterisk) contacts(ctx context.Context) ([]ami.Message, error) {
	list, err := a.list(ctx, "PJSIPShowContacts")
	return list, ignoreEmpty(err)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
