package controllers

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/routing"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// feedPoll is how long the feed relies on wake-ups before it looks by itself: changes made by other replicas wake nobody here.
const feedPoll = 500 * time.Millisecond

// feed turns what happens in the store into passes over the objects that show it, and presence into member states at the
// PBXes. It runs on the leader.
type feed struct {
	client.Reader
	store    store.Events
	duty     *duty
	agents   pokes
	queues   pokes
	accounts pokes
	pbxes    pokes
	// telephones show who sits there; snapshots hold whose queues ring there.
	telephones, snapshots pokes
	contactLists          pokes
	// command is called when an agent asks something of a call.
	command func()
	// recording is called when somebody wants a part of a recording.
	recording func()
	// voicemail is called when an agent has more or fewer voice messages than before.
	voicemail func()
	recorder  events.EventRecorder
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (f *feed) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (f *feed) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("feed")
	var cursor store.Cursor
	started := false
	for ctx.Err() == nil {
		wake := f.store.Wake()
		err := func() (err error) {
			if !started {
				// What happened before is in the first pass over every object.
				if cursor, err = f.store.LastCursor(ctx); err != nil {
					return err
				}
				if err = f.catchUp(ctx, cursor); err != nil {
					return err
				}
				started = true
			}
			cursor, err = f.drain(ctx, cursor)
			return err
		}()
		pause := feedPoll
		if err != nil && ctx.Err() == nil {
			logger.Error(err, "reading events")
			pause = soon
			wake = nil
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-time.After(pause):
		}
	}
	return nil
}

// leaderless is how long there may be no leader, with a margin: a lease is held for 15 s, and caches have to fill.
const leaderless = time.Minute

// catchUp makes the Events of what happened up to the cursor while nobody was the leader. Some of them may be made twice, but none is lost.
func (f *feed) catchUp(ctx context.Context, end store.Cursor) error {
	cursor, err := f.store.CursorBefore(ctx, leaderless)
	for err == nil && cursor != end {
		var happened []store.Event
		if happened, err = f.store.EventsAfter(ctx, "", cursor, batch); len(happened) == 0 {
			break
		}
		for _, e := range happened {
			if e.Kind == store.EventUnread {
				f.interaction(ctx, e)
			}
			if cursor = e.Cursor; cursor == end {
				break
			}
		}
	}
	return err
}

// batch is how many events are read at a time.
const batch = 500

// drain handles everything after cursor and returns the new one.
func (f *feed) drain(ctx context.Context, cursor store.Cursor) (store.Cursor, error) {
	for {
		happened, err := f.store.EventsAfter(ctx, "", cursor, batch)
		if err != nil {
			return cursor, err
		}
		present := map[string]bool{}
		for _, e := range happened {
			f.handle(ctx, e)
			switch e.Kind {
			case store.EventPresence, store.EventSeat, store.EventForward:
				present[e.Namespace] = true
			}
			cursor = e.Cursor
		}
		for namespace := range present {
			if err := f.duty.push(ctx, namespace); err != nil {
				return cursor, err
			}
		}
		if len(happened) < batch {
			return cursor, nil
		}
	}
}

func (f *feed) handle(ctx context.Context, e store.Event) {
	key := types.NamespacedName{Namespace: e.Namespace, Name: e.Subject}
	switch e.Kind {
	case store.EventPresence:
		f.agents.coalesced(key)
		f.pokeQueues(ctx, e.Namespace, "")
	case store.EventCredential, store.EventForward, store.EventStream:
		f.agents.coalesced(key)
	case store.EventVoicemail:
		f.agents.coalesced(key)
		f.voicemail()
	case store.EventSeat:
		f.agents.coalesced(key)
		f.pokeTelephones(ctx, e.Namespace)
		f.pokeSnapshots(ctx, e.Namespace)
	case store.EventCall:
		f.pokePBXes(ctx, e.Namespace)
	case store.EventCallCommand:
		f.command()
	case store.EventRecordingRead:
		f.recording()
	case store.EventContacts:
		f.contactLists.coalesced(key)
	case store.EventAccountStatus:
		f.accounts.coalesced(key)
	case store.EventRegistration:
		var agents v1alpha1.AgentList
		if err := f.List(ctx, &agents, client.InNamespace(e.Namespace), client.MatchingFields{admission.IndexExtension: e.Subject}); err == nil {
			for i := range agents.Items {
				f.agents.coalesced(nameOf(&agents.Items[i]))
			}
		}
		var telephones v1alpha1.TelephoneList
		if err := f.List(ctx, &telephones, client.InNamespace(e.Namespace), client.MatchingFields{admission.IndexUsername: e.Subject}); err == nil {
			for i := range telephones.Items {
				f.telephones.coalesced(nameOf(&telephones.Items[i]))
			}
		}
		f.pokePBXes(ctx, e.Namespace)
	case store.EventQueued, store.EventUnread, store.EventMessage, store.EventOpened, store.EventClosed, store.EventOffered:
		f.interaction(ctx, e)
		f.pokeQueues(ctx, e.Namespace, v1alpha1.ChannelEmail)
	}
}

// interaction asks for a coalesced pass over the interaction's account, which shows how many mails came and where they are, and makes an Event of an
// assignment that has lasted too long.
func (f *feed) interaction(ctx context.Context, e store.Event) {
	var data struct {
		Account string `json:"account"`
		Reason  string `json:"reason"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil || data.Account == "" {
		return
	}
	key := types.NamespacedName{Namespace: e.Namespace, Name: data.Account}
	f.accounts.coalesced(key)
	if e.Kind != store.EventUnread || data.Reason != routing.ReasonAssignmentExpired {
		return
	}
	var account v1alpha1.EmailAccount
	if err := f.Get(ctx, key, &account); err != nil {
		return // deleted meanwhile
	}
	f.recorder.Eventf(&account, nil, corev1.EventTypeWarning, data.Reason, "Route",
		"interaction %s was with agent %s for longer than spec.routing.maxAssignmentAge of the ContactCenter; it is Unread now", e.Subject, e.Agent)
}

// pokeTelephones asks for a pass over the telephones of a namespace: a seat that is taken may be another one released.
func (f *feed) pokeTelephones(ctx context.Context, namespace string) {
	var telephones v1alpha1.TelephoneList
	if err := f.List(ctx, &telephones, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for i := range telephones.Items {
		f.telephones.coalesced(nameOf(&telephones.Items[i]))
	}
}

// pokeSnapshots asks for new files at once: the queues of who sat down ring at the telephone now.
func (f *feed) pokeSnapshots(ctx context.Context, namespace string) {
	var pbxes v1alpha1.PBXList
	if err := f.List(ctx, &pbxes, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for i := range pbxes.Items {
		f.snapshots.poke(nameOf(&pbxes.Items[i]))
	}
}

// pokeQueues asks for a coalesced pass over the queues of a namespace, of one channel or of all.
func (f *feed) pokeQueues(ctx context.Context, namespace string, channel v1alpha1.QueueChannel) {
	var queues v1alpha1.QueueList
	if err := f.List(ctx, &queues, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return // the cache is going away, and so are we
	}
	for i := range queues.Items {
		if channel == "" || queues.Items[i].Spec.Channel == channel {
			f.queues.coalesced(nameOf(&queues.Items[i]))
		}
	}
}

func (f *feed) pokePBXes(ctx context.Context, namespace string) {
	var pbxes v1alpha1.PBXList
	if err := f.List(ctx, &pbxes, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for i := range pbxes.Items {
		f.pbxes.coalesced(nameOf(&pbxes.Items[i]))
	}
}

// acks asks for passes over the objects whose place in the acknowledged configuration of a PBX changed.
type acks struct {
	link       pbxLink
	agents     pokes
	telephones pokes
	queues     pokes
	pbxes      pokes
	snapshots  pokes

	mu      sync.Mutex
	applied map[string]acked
}

type acked struct {
	connected bool
	rejected  bool
	objects   map[string]string
	stateDir  string
}

// changed is told by the link that the status of a PBX is another.
func (a *acks) changed(pbx string) {
	status := a.link.Status(pbx)
	now := acked{connected: status.Connected && status.AsteriskUp, rejected: rejected(status), objects: status.AppliedObjects, stateDir: status.StateDir}
	a.mu.Lock()
	before := a.applied[pbx]
	a.applied[pbx] = now
	a.mu.Unlock()

	namespace, name := splitKey(pbx)
	a.pbxes.poke(types.NamespacedName{Namespace: namespace, Name: name})
	if before.stateDir != now.stateDir {
		a.snapshots.poke(types.NamespacedName{Namespace: namespace, Name: name})
	}
	everyone := before.connected != now.connected || before.rejected != now.rejected
	for key, hash := range now.objects {
		if everyone || before.objects[key] != hash {
			a.poke(namespace, key)
		}
	}
	for key := range before.objects {
		if _, still := now.objects[key]; !still || everyone {
			a.poke(namespace, key)
		}
	}
}

func (a *acks) poke(namespace, key string) {
	kind, name := splitKey(key)
	target := map[string]pokes{agentKeyPrefix: a.agents, telephoneKeyPrefix: a.telephones, queueKeyPrefix: a.queues}[kind]
	target.poke(types.NamespacedName{Namespace: namespace, Name: name})
}
