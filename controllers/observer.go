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
	waiting  map[string]map[string]int // namespace/queue → pbx → callers
	dirty    map[string]bool
	wake     chan struct{}
	// written is what the store was told, by PBX and extension; absent until the first full replacement.
	written map[string]map[string]string
}

// RegistrationStore keeps contacts.
type RegistrationStore interface {
	SetRegistrations(ctx context.Context, pbx store.Key, regs []store.Registration) error
	PutRegistration(ctx context.Context, pbx store.Key, r store.Registration) error
}

var _ pbxlink.Observer = (*Observer)(nil)

// NewObserver returns an observer that drops everything until Setup connects it.
func NewObserver(s RegistrationStore) *Observer {
	return &Observer{
		store: s, onStatus: func(string) {}, queues: newPokes(), waiting: map[string]map[string]int{},
		dirty: map[string]bool{}, wake: make(chan struct{}, 1), written: map[string]map[string]string{},
	}
}

func (o *Observer) connect(link pbxLink, queues pokes, onStatus func(pbx string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.contacts, o.onStatus, o.queues = link.Contacts, onStatus, queues
	o.online = func(pbx string) bool {
		status := link.Status(pbx)
		return status.Connected && status.AsteriskUp
	}
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
	o.mark(pbx)
}

// OnContacts implements pbxlink.Observer.
func (o *Observer) OnContacts(pbx, _ string, _ []pbxlink.Contact) { o.mark(pbx) }

// OnQueueMember implements pbxlink.Observer. Member states at the PBX follow presence, which is shown from the store.
func (o *Observer) OnQueueMember(string, pbxlink.QueueMember) {}

// OnDeviceState implements pbxlink.Observer. Nothing shows device states yet.
func (o *Observer) OnDeviceState(string, string, string) {}

// OnQueueWaiting implements pbxlink.Observer.
func (o *Observer) OnQueueWaiting(pbx, queue string, callers int) {
	namespace, _ := splitKey(pbx)
	key := namespace + "/" + queue
	o.mu.Lock()
	if o.waiting[key] == nil {
		o.waiting[key] = map[string]int{}
	}
	o.waiting[key][pbx] = callers
	queues := o.queues
	o.mu.Unlock()
	queues.coalesced(types.NamespacedName{Namespace: namespace, Name: queue})
}

// callersWaiting in a voice queue, over all PBXes.
func (o *Observer) callersWaiting(queue store.Key) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	total := 0
	for _, n := range o.waiting[queue.String()] {
		total += n
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
