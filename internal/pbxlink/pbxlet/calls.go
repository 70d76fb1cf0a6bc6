package pbxlet

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// maxEnded bounds the ended calls that wait for a manager that is away; the
// oldest go first.
const maxEnded = 1000

// calls are the channels of our endpoints.
type calls struct {
	// endpoints are the names of our endpoints.
	endpoints map[string]bool
	live      map[string]*pbxlinkv1.Call
	// ended calls have not been told.
	ended []*pbxlinkv1.Call
	// gone are the channels that ended while listing.
	gone    map[string]bool
	listing bool
	// unnamed are calls whose newest recording's file is not known.
	unnamed map[string]bool
	dirty   map[string]bool
	all     bool
	// spool is Asterisk's directory of recordings, with a slash at its end.
	spool string
}

func newCalls(spool string) calls {
	return calls{
		endpoints: map[string]bool{}, live: map[string]*pbxlinkv1.Call{}, gone: map[string]bool{},
		unnamed: map[string]bool{}, dirty: map[string]bool{}, spool: spool,
	}
}

// endpointOf is the endpoint of a channel: "PJSIP/<endpoint>-<8 hex digits>".
func endpointOf(channel string) string {
	name, ok := strings.CutPrefix(channel, interfacePrefix)
	end := strings.LastIndexByte(name, '-')
	if !ok || end < 0 {
		return ""
	}
	return name[:end]
}

// event takes in one event about a channel and tells whether a call changed.
func (c *calls) event(m ami.Message) bool {
	switch m.Event() {
	case "Newchannel":
		return c.begin(m)
	case "Newstate", "NewConnectedLine":
		call, ok := c.live[m.Get("Uniqueid")]
		return ok && c.change(call, func() { c.channel(call, m) })
	case "AgentCalled":
		call, ok := c.live[m.Get("DestUniqueid")]
		return ok && c.change(call, func() { call.Queue = m.Get("Queue") })
	case "Hangup":
		return c.end(m.Get("Uniqueid"), eventTime(m))
	default:
		return c.recordingEvent(m)
	}
}

func (c *calls) begin(m ami.Message) bool {
	endpoint := endpointOf(m.Get("Channel"))
	if !c.endpoints[endpoint] {
		return false
	}
	call := &pbxlinkv1.Call{
		Id: m.Get("Uniqueid"), Extension: endpoint,
		// "Ring" is the state of a channel that an INVITE of the phone opened.
		Inbound:   m.Get("ChannelState") != "4",
		StartedAt: timestamppb.New(eventTime(m)), Recording: pbxlinkv1.RecordingState_RECORDING_STATE_OFF,
	}
	if !call.GetInbound() {
		call.Number = m.Get("Exten")
	}
	c.live[call.GetId()] = call
	return c.change(call, func() { c.channel(call, m) })
}

// channel takes over what every event about a channel says of it.
func (c *calls) channel(call *pbxlinkv1.Call, m ami.Message) {
	call.LinkedId = m.Get("Linkedid")
	if number := known(m.Get("ConnectedLineNum")); number != "" {
		call.Number, call.Name = number, known(m.Get("ConnectedLineName"))
	}
	if m.Get("ChannelState") != "6" {
		call.State = pbxlinkv1.CallState_CALL_STATE_RINGING
		return
	}
	if call.GetState() != pbxlinkv1.CallState_CALL_STATE_UP {
		call.State = pbxlinkv1.CallState_CALL_STATE_UP
		if m.Event() != "Status" {
			call.AnsweredAt = timestamppb.New(eventTime(m))
		}
	}
}

// known drops what Asterisk says when it knows nothing.
func known(s string) string {
	if s == "<unknown>" || s == "(null)" {
		return ""
	}
	return s
}

func (c *calls) change(call *pbxlinkv1.Call, change func()) bool {
	before := proto.CloneOf(call)
	change()
	if proto.Equal(before, call) {
		return false
	}
	c.dirty[call.GetId()] = true
	return true
}

func (c *calls) end(id string, at time.Time) bool {
	if c.listing {
		c.gone[id] = true
	}
	call, ok := c.live[id]
	if !ok {
		return false
	}
	delete(c.live, id)
	delete(c.unnamed, id)
	delete(c.dirty, id)
	call.State, call.EndedAt = pbxlinkv1.CallState_CALL_STATE_ENDED, timestamppb.New(at)
	call.Recording = pbxlinkv1.RecordingState_RECORDING_STATE_OFF
	if len(c.ended) == maxEnded {
		c.ended = c.ended[1:]
	}
	c.ended = append(c.ended, call)
	return true
}

// set replaces everything by a Status list. What is missing from it has ended.
func (c *calls) set(list []ami.Message) {
	queues := map[string]string{}
	for _, m := range list {
		if m.Get("Application") == "Queue" {
			queues[m.Get("Linkedid")], _, _ = strings.Cut(m.Get("Data"), ",")
		}
	}
	listed := map[string]bool{}
	for _, m := range list {
		id, endpoint := m.Get("Uniqueid"), endpointOf(m.Get("Channel"))
		if !c.endpoints[endpoint] || c.gone[id] {
			continue
		}
		listed[id] = true
		call, ok := c.live[id]
		if !ok {
			call = c.found(m, endpoint)
			if call.GetInbound() && m.Get("Application") == "AppQueue" {
				call.Queue = queues[m.Get("Linkedid")]
			}
			c.live[id] = call
		}
		c.channel(call, m)
		c.recordingStatus(call, m)
	}
	now := time.Now()
	for id := range c.live {
		if !listed[id] {
			c.end(id, now)
		}
	}
	clear(c.gone)
	c.listing, c.all = false, true
}

// found is a call whose beginning was not seen. Only the channel of a phone
// that called has a dialled number.
func (c *calls) found(m ami.Message, endpoint string) *pbxlinkv1.Call {
	id, dialled := m.Get("Uniqueid"), known(m.Get("DNID"))
	return &pbxlinkv1.Call{
		Id: id, Extension: endpoint, Inbound: dialled == "", Number: dialled, StartedAt: timestamppb.New(startOf(id, m)),
	}
}

// startOf is when a channel was made, from its Uniqueid
// "[<system>-]<seconds>.<number>" or else from its age.
func startOf(id string, m ami.Message) time.Time {
	stamp, _, _ := strings.Cut(id[strings.LastIndexByte(id, '-')+1:], ".")
	if seconds, err := strconv.ParseInt(stamp, 10, 64); err == nil {
		return time.Unix(seconds, 0)
	}
	return time.Now().Add(-time.Duration(max(0, number(m.Get("Seconds")))) * time.Second)
}

// eventTime is when an event happened, which Asterisk says when its
// manager.conf has timestampevents.
func eventTime(m ami.Message) time.Time {
	seconds, err := strconv.ParseFloat(m.Get("Timestamp"), 64)
	if err != nil {
		return time.Now()
	}
	return time.UnixMicro(int64(seconds * 1e6))
}

// take moves what is unsent into a batch.
func (c *calls) take(e *pbxlinkv1.Events) {
	e.CallsComplete = c.all
	dirty := c.dirty
	if c.all {
		dirty = keysOf(c.live)
	}
	for id := range dirty {
		e.Calls = append(e.Calls, proto.CloneOf(c.live[id]))
	}
	e.Calls = append(e.Calls, c.ended...)
	slices.SortFunc(e.Calls, func(a, b *pbxlinkv1.Call) int { return a.GetStartedAt().AsTime().Compare(b.GetStartedAt().AsTime()) })
	c.dirty, c.ended, c.all = map[string]bool{}, nil, false
}

// setEndpoints says which endpoints are ours.
func (t *tables) setEndpoints(names []string) {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls.endpoints = set
	t.failures.keep(set)
}

// setCalls replaces all calls by a Status list, asked for after listCalls.
func (t *tables) setCalls(list []ami.Message) {
	t.mu.Lock()
	t.calls.set(list)
	t.mu.Unlock()
	t.wake()
}

// listCalls begins a listing: what ends from now on is not in it, or no more.
func (t *tables) listCalls() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.calls.gone)
	t.calls.listing = true
}

// unnamedRecordings are the calls with a recording whose file is not known.
func (t *tables) unnamedRecordings() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.calls.unnamed))
}

// nameRecording completes a recording with its file.
func (t *tables) nameRecording(id, file string) {
	t.mu.Lock()
	t.calls.named(id, file)
	t.mu.Unlock()
	t.wake()
}

func (e *engine) syncCalls(ctx context.Context, a *asterisk) error {
	e.tables.listCalls()
	list, err := a.list(ctx, "Status", ami.Header{Name: "Variables", Value: recordingVariables})
	if err := ignoreEmpty(err); err != nil {
		return err
	}
	e.tables.setCalls(list)
	return nil
}
