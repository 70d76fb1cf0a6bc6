package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// settle is how long contacts are gathered after a PBX connected or changed, before the store is told.
const settle = 300 * time.Millisecond

// Observer hears from the link what happens at the PBXes and passes it on: contacts to the store, acknowledgements and counts
// to the objects that show them. Setup connects it to the controllers.
type Observer struct {
	store RegistrationStore

	mu       sync.Mutex
	onStatus func(pbx string)
	contacts func(pbx string) map[string][]pbxlink.Contact
	online   func(pbx string) bool
	queues   pokes
	figures  map[string]map[string]pbxlink.QueueFigures // namespace/queue → pbx
	dirty    map[string]bool
	wake     chan struct{}
	// written is what the store was told, by PBX and extension; absent until the first full replacement.
	written map[string]map[string]string
	journal *journal
	paused  func(pbx string, m pbxlink.QueueMember)
	failed  func(pbx, extension string, count int, address string)
}

// ObserverStore is what an Observer writes to.
type ObserverStore interface {
	RegistrationStore
	CallStore
}

// RegistrationStore keeps contacts.
type RegistrationStore interface {
	SetRegistrations(ctx context.Context, pbx store.Key, regs []store.Registration) error
	PutRegistration(ctx context.Context, pbx store.Key, r store.Registration) error
}

var _ pbxlink.Observer = (*Observer)(nil)

// NewObserver returns an observer that drops everything until Setup connects it.
func NewObserver(s ObserverStore) *Observer {
	return &Observer{
		store: s, onStatus: func(string) {}, queues: newPokes(), figures: map[string]map[string]pbxlink.QueueFigures{},
		dirty: map[string]bool{}, wake: make(chan struct{}, 1), written: map[string]map[string]string{},
		journal: newJournal(s), paused: func(string, pbxlink.QueueMember) {},
		failed: func(string, string, int, string) {},
	}
}

func (o *Observer) connect(link pbxLink, queues pokes, onStatus func(pbx string), paused func(pbx string, m pbxlink.QueueMember),
	failed func(pbx, extension string, count int, address string),
) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.contacts, o.onStatus, o.queues, o.paused, o.failed = link.Contacts, onStatus, queues, paused, failed
	o.online = func(pbx string) bool {
		status := link.Status(pbx)
		return status.Connected && status.AsteriskUp
	}
	o.journal.mu.Lock()
	defer o.journal.mu.Unlock()
	o.journal.calls, o.journal.online = link.Calls, o.online
}

// OnStatusChange implements pbxlink.Observer.
func (o *Observer) OnStatusChange(pbx string) {
	o.mu.Lock()
	onStatus := o.onStatus
	if o.online != nil && !o.online(pbx) {
		delete(o.written, pbx) // what the store knows may be old by the time it is back
	}
	o.mu.Unlock()
	onStatus(pbx)
	o.journal.statusChanged(pbx)
	o.mark(pbx)
}

// OnContacts implements pbxlink.Observer.
func (o *Observer) OnContacts(pbx, _ string, _ []pbxlink.Contact) { o.mark(pbx) }

// OnQueueMember implements pbxlink.Observer. Member states at the PBX follow presence; only a pause that the PBX set by itself is news.
func (o *Observer) OnQueueMember(pbx string, m pbxlink.QueueMember) {
	if !m.Paused || m.PauseReason != asteriskAutoPause {
		return
	}
	o.mu.Lock()
	paused := o.paused
	o.mu.Unlock()
	paused(pbx, m)
}

// OnDeviceState implements pbxlink.Observer. Whether a phone is in use shows in its calls.
func (o *Observer) OnDeviceState(string, string, string) {}

// OnSignInFailures implements pbxlink.Observer.
func (o *Observer) OnSignInFailures(pbx, extension string, count int, address string) {
	o.mu.Lock()
	failed := o.failed
	o.mu.Unlock()
	failed(pbx, extension, count, address)
}

// OnCall implements pbxlink.Observer.
func (o *Observer) OnCall(pbx string, c pbxlink.Call) { o.journal.call(pbx, c) }

// OnVoicemail implements pbxlink.Observer.
func (o *Observer) OnVoicemail(pbx, extension string, unread, read int) {
	o.journal.voicemail(pbx, store.Voicemail{Extension: extension, Unread: unread, Read: read})
}

// OnQueueFigures implements pbxlink.Observer.
func (o *Observer) OnQueueFigures(pbx, queue string, f pbxlink.QueueFigures) {
	namespace, _ := splitKey(pbx)
	key := namespace + "/" + queue
	o.mu.Lock()
	if o.figures[key] == nil {
		o.figures[key] = map[string]pbxlink.QueueFigures{}
	}
	o.figures[key][pbx] = f
	queues := o.queues
	o.mu.Unlock()
	queues.coalesced(types.NamespacedName{Namespace: namespace, Name: queue})
}

// queueFigures of a voice queue, over all PBXes: sums, and averages weighted by completed calls.
func (o *Observer) queueFigures(queue store.Key) pbxlink.QueueFigures {
	o.mu.Lock()
	defer o.mu.Unlock()
	var total pbxlink.QueueFigures
	var hold, talk, good float64
	for _, f := range o.figures[queue.String()] {
		total.Waiting += f.Waiting
		total.Completed += f.Completed
		total.Abandoned += f.Abandoned
		hold += f.HoldTime.Seconds() * float64(f.Completed)
		talk += f.TalkTime.Seconds() * float64(f.Completed)
		good += f.ServiceLevelPerformance * float64(f.Completed)
	}
	if n := float64(total.Completed); n > 0 {
		total.HoldTime = time.Duration(hold / n * float64(time.Second))
		total.TalkTime = time.Duration(talk / n * float64(time.Second))
		total.ServiceLevelPerformance = good / n
	}
	return total
}

func (o *Observer) mark(pbx string) {
	o.mu.Lock()
	o.dirty[pbx] = true
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: the link is the leader's.
func (o *Observer) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable: it brings the contacts of changed PBXes into the store until ctx ends.
func (o *Observer) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("registrations")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.wake:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
		o.mu.Lock()
		dirty := o.dirty
		o.dirty = map[string]bool{}
		o.mu.Unlock()
		for pbx := range dirty {
			if err := o.record(ctx, pbx); err != nil && ctx.Err() == nil {
				logger.Error(err, "recording registrations", "pbx", pbx)
				time.AfterFunc(soon, func() { o.mark(pbx) })
			}
		}
	}
}

// record replaces what the store knows of a PBX the first time after it connected, and writes differences afterwards. While the
// PBX cannot be asked, nothing is written: unknown is not absent.
func (o *Observer) record(ctx context.Context, pbx string) error {
	o.mu.Lock()
	contacts, online := o.contacts, o.online
	written, known := o.written[pbx]
	o.mu.Unlock()
	if contacts == nil || !online(pbx) {
		return nil
	}
	namespace, name := splitKey(pbx)
	key := store.Key{Namespace: namespace, Name: name}
	now := map[string]string{}
	var all []store.Registration
	for extension, cs := range contacts(pbx) {
		if len(cs) == 0 {
			continue
		}
		now[extension] = cs[0].URI
		all = append(all, store.Registration{PBX: name, Extension: extension, URI: cs[0].URI, UserAgent: cs[0].UserAgent})
	}
	if !known {
		if err := o.store.SetRegistrations(ctx, key, all); err != nil {
			return err
		}
	} else {
		for _, r := range all {
			if written[r.Extension] != r.URI {
				if err := o.store.PutRegistration(ctx, key, r); err != nil {
					return err
				}
			}
		}
		for extension := range written {
			if now[extension] == "" {
				if err := o.store.PutRegistration(ctx, key, store.Registration{PBX: name, Extension: extension}); err != nil {
					return err
				}
			}
		}
	}
	o.mu.Lock()
	o.written[pbx] = now
	o.mu.Unlock()
	return nil
}
