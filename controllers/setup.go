package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/admission"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// Options wire the controllers to the parts outside Kubernetes.
type Options struct {
	Store store.Store
	// Link to the PBXes.
	Link pbxLink
	// Observer is the one the link reports to.
	Observer *Observer
	// LinkServer is the address pbxlets are told to dial, host:port.
	LinkServer string
	// CABundle is what pbxlets verify the link with, in PEM.
	CABundle func() []byte
	// OnCAChange registers what to call when CABundle gives another one.
	OnCAChange func(func())
	// Workers of mailboxes on this replica.
	Workers mailWorkers
	// WorkerGroups are the groups of accounts that they work on; none: the accounts without one.
	WorkerGroups []string
	// Holder names this process in leases.
	Holder string
}

// workersPerKind is how many objects of one kind are worked on at a time. A pass waits for the store and the API server most
// of its time, so more than the cores help; beyond this a flood of one kind would starve the others on two cores.
const workersPerKind = 8

// Setup adds every controller to the manager and connects the observer of the link to them.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if err := registerIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("registering indexes: %w", err)
	}
	if err := admission.RegisterIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("registering indexes: %w", err)
	}
	w := &wiring{
		mgr: mgr, c: mgr.GetClient(), o: o, model: voiceModel{reader: mgr.GetClient(), store: o.Store, stateDir: func(pbx string) string { return o.Link.Status(pbx).StateDir }},
		checker: admission.Checker{Reader: mgr.GetClient(), Rivals: admission.OlderHolder},
		pacer:   newPacer(), link: newLinkView(o.Link),
		agents: newPokes(), queues: newPokes(), accounts: newPokes(), pbxes: newPokes(), telephones: newPokes(), snapshots: newPokes(), contactLists: newPokes(),
	}
	w.phones = phones{Client: w.c, model: w.model, link: w.link, store: o.Store}
	w.duty = &duty{Reader: w.c, link: o.Link, store: o.Store}
	for _, add := range []func() error{w.addCenters, w.addProfiles, w.addAgents, w.addTelephones, w.addTeams, w.addQueues, w.addAccounts, w.addMailboxes, w.addContactLists, w.addDispositions, w.addCannedAnswers, w.addTemplates, w.addSchedules, w.addFlows, w.addPBXes, w.addSnapshots, w.addFeed} {
		if err := add(); err != nil {
			return err
		}
	}
	a := &acks{
		link: o.Link, agents: w.agents, telephones: w.telephones, queues: w.queues, pbxes: w.pbxes, snapshots: w.snapshots, applied: map[string]acked{},
	}
	auto := newAutoPauses(w.c, o.Store)
	failures := newSignInFailures(w.c, o.Store)
	o.Observer.connect(o.Link, w.queues, a.changed, auto.note, failures.note)
	o.OnCAChange(func() { w.pokeEveryPBX(ctx) })
	for _, r := range []manager.Runnable{o.Observer, o.Observer.journal, auto, failures} {
		if err := mgr.Add(r); err != nil {
			return err
		}
	}
	return nil
}

// wiring says which change of what concerns whom.
type wiring struct {
	mgr                             ctrl.Manager
	c                               client.Client
	o                               Options
	model                           voiceModel
	checker                         admission.Checker
	pacer                           *pacer
	link                            linkView
	duty                            *duty
	phones                          phones
	agents, queues, accounts, pbxes pokes
	telephones, snapshots           pokes
	contactLists                    pokes
}

// ours passes changes of the specification or of labels and annotations, not of a status.
var ours = predicate.Or(predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{}, predicate.AnnotationChangedPredicate{})

func (w *wiring) build(name string) *builder.Builder {
	return ctrl.NewControllerManagedBy(w.mgr).Named(name).WithOptions(controller.Options{MaxConcurrentReconciles: workersPerKind})
}

func newLoop[T any, P object[T]](w *wiring, k kind[T, P]) *loop[T, P] {
	return &loop[T, P]{client: w.c, recorder: w.mgr.GetEventRecorder("ringmaster"), kind: k}
}

// +kubebuilder:rbac:groups=ringmaster.dev,resources=agentprofiles;agents;contactcenters;emailaccounts;messagetemplates;pbxes;queues;routingflows;schedules;teams;telephones,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=ringmaster.dev,resources=agentprofiles/status;agents/status;contactcenters/status;emailaccounts/status;messagetemplates/status;pbxes/status;queues/status;routingflows/status;schedules/status;teams/status;telephones/status,verbs=patch
// +kubebuilder:rbac:groups=ringmaster.dev,resources=agents/finalizers;pbxes/finalizers;telephones/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

func (w *wiring) addCenters() error {
	k := &centerKind{Client: w.c, checker: w.checker}
	toCenter := handler.EnqueueRequestsFromMapFunc(w.centersOf)
	return w.build("contactcenter").For(&v1alpha1.ContactCenter{}, builder.WithPredicates(ours)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(bySecret[v1alpha1.ContactCenterList](w.c))).
		Watches(&v1alpha1.Agent{}, later(toCenter), builder.WithPredicates(countChanged)).
		Watches(&v1alpha1.Queue{}, later(toCenter), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.PBX{}, later(toCenter), builder.WithPredicates(certificateChanged)).
		Watches(&v1alpha1.EmailAccount{}, later(toCenter), builder.WithPredicates(authorizationChanged)).
		Watches(&v1alpha1.EmailAccount{}, handler.EnqueueRequestsFromMapFunc(w.mailedBy), builder.WithPredicates(smtpChanged)).
		Watches(&v1alpha1.MessageTemplate{}, handler.EnqueueRequestsFromMapFunc(w.linksBy), builder.WithPredicates(ours)).
		Complete(newLoop[v1alpha1.ContactCenter](w, k))
}

func (w *wiring) addAgents() error {
	k := &agentKind{
		Client: w.c, phones: w.phones, members: membership{w.c}, checker: w.checker, link: w.link, store: w.o.Store,
		applied: newAppliedPasswords(), avatars: newAvatars(w.c, w.o.Store, newDownloader(notLocal)),
	}
	all := handler.EnqueueRequestsFromMapFunc(listAll[v1alpha1.AgentList](w.c))
	return w.build("agent").For(&v1alpha1.Agent{}, builder.WithPredicates(ours)).
		Owns(&corev1.Secret{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(bySecret[v1alpha1.AgentList](w.c))).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(byContent[v1alpha1.AgentList](w.c))).
		Watches(&v1alpha1.Queue{}, handler.EnqueueRequestsFromMapFunc(queueAgents), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.Agent{}, handler.EnqueueRequestsFromMapFunc(w.agentRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.Queue{}, handler.EnqueueRequestsFromMapFunc(w.agentRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.Telephone{}, handler.EnqueueRequestsFromMapFunc(w.agentRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.Telephone{}, later(all), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&v1alpha1.Team{}, handler.EnqueueRequestsFromMapFunc(w.supervised), builder.WithPredicates(supervisorsChanged)).
		Watches(&v1alpha1.AgentProfile{}, handler.EnqueueRequestsFromMapFunc(w.agentsOfProfile), builder.WithPredicates(profileChanged)).
		Watches(&v1alpha1.ContactCenter{}, all, builder.WithPredicates(ours)).
		Watches(&v1alpha1.PBX{}, all, builder.WithPredicates(ours)).
		Watches(&v1alpha1.MessageTemplate{}, later(handler.EnqueueRequestsFromMapFunc(w.invitableBy)), builder.WithPredicates(ours)).
		Watches(&v1alpha1.EmailAccount{}, later(handler.EnqueueRequestsFromMapFunc(w.invitableBy)), builder.WithPredicates(predicate.Or(ours, smtpChanged))).
		WatchesRawSource(w.agents.source()).
		Complete(newLoop[v1alpha1.Agent](w, k))
}

func (w *wiring) addTelephones() error {
	k := &telephoneKind{phones: w.phones, checker: w.checker, desks: w.o.Store}
	all := handler.EnqueueRequestsFromMapFunc(listAll[v1alpha1.TelephoneList](w.c))
	return w.build("telephone").For(&v1alpha1.Telephone{}, builder.WithPredicates(ours)).
		Owns(&corev1.Secret{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(bySecret[v1alpha1.TelephoneList](w.c))).
		Watches(&v1alpha1.Telephone{}, handler.EnqueueRequestsFromMapFunc(w.telephoneRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.Agent{}, handler.EnqueueRequestsFromMapFunc(w.telephoneRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.ContactCenter{}, all, builder.WithPredicates(ours)).
		Watches(&v1alpha1.PBX{}, all, builder.WithPredicates(ours)).
		WatchesRawSource(w.telephones.source()).
		Complete(newLoop[v1alpha1.Telephone](w, k))
}

func (w *wiring) addTeams() error {
	k := &teamKind{Client: w.c, agents: w.agents}
	return w.build("team").For(&v1alpha1.Team{}, builder.WithPredicates(ours)).
		Watches(&v1alpha1.Agent{}, later(handler.EnqueueRequestsFromMapFunc(w.teamsOfAgent)), builder.WithPredicates(membershipChanged)).
		Complete(newLoop[v1alpha1.Team](w, k))
}

func (w *wiring) addQueues() error {
	k := &queueKind{Client: w.c, model: w.model, checker: w.checker, link: w.link, store: w.o.Store, agents: w.agents,
		figures: w.o.Observer.queueFigures}
	all := handler.EnqueueRequestsFromMapFunc(listAll[v1alpha1.QueueList](w.c))
	return w.build("queue").For(&v1alpha1.Queue{}, builder.WithPredicates(ours)).
		Watches(&v1alpha1.Agent{}, later(handler.EnqueueRequestsFromMapFunc(w.queuesOfAgent)), builder.WithPredicates(membershipChanged)).
		Watches(&v1alpha1.Team{}, handler.EnqueueRequestsFromMapFunc(w.queuesOfTeam), builder.WithPredicates(ours)).
		Watches(&v1alpha1.Agent{}, handler.EnqueueRequestsFromMapFunc(w.queueRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.Queue{}, handler.EnqueueRequestsFromMapFunc(w.queueRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.ContactCenter{}, all, builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.PBX{}, all, builder.WithPredicates(ours)).
		WatchesRawSource(w.queues.source()).
		Complete(newLoop[v1alpha1.Queue](w, k))
}

func (w *wiring) addAccounts() error {
	k := &accountKind{Client: w.c, checker: w.checker, store: w.o.Store, logos: newLogos(w.c, w.o.Store, newDownloader(notLocal))}
	return w.build("emailaccount").For(&v1alpha1.EmailAccount{}, builder.WithPredicates(ours)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(bySecret[v1alpha1.EmailAccountList](w.c))).
		Watches(&v1alpha1.Queue{}, handler.EnqueueRequestsFromMapFunc(w.accountsOfQueue), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.RoutingFlow{}, handler.EnqueueRequestsFromMapFunc(w.accountsOfFlow), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.ContactList{}, handler.EnqueueRequestsFromMapFunc(listAll[v1alpha1.EmailAccountList](w.c)), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.MessageTemplate{}, handler.EnqueueRequestsFromMapFunc(w.accountsOfLayout), builder.WithPredicates(ours)).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(byContent[v1alpha1.EmailAccountList](w.c))).
		Watches(&v1alpha1.Agent{}, later(handler.EnqueueRequestsFromMapFunc(w.assigningAccounts)), builder.WithPredicates(membershipChanged)).
		Watches(&v1alpha1.Team{}, later(handler.EnqueueRequestsFromMapFunc(w.assigningAccounts)), builder.WithPredicates(ours)).
		Watches(&v1alpha1.EmailAccount{}, handler.EnqueueRequestsFromMapFunc(w.accountRivals), builder.WithPredicates(gone)).
		Watches(&v1alpha1.ContactCenter{}, handler.EnqueueRequestsFromMapFunc(listAll[v1alpha1.EmailAccountList](w.c)), builder.WithPredicates(ours)).
		WatchesRawSource(w.accounts.source()).
		Complete(newLoop[v1alpha1.EmailAccount](w, k))
}

func (w *wiring) addMailboxes() error {
	everyReplica := false
	groups := w.o.WorkerGroups
	if len(groups) == 0 {
		groups = []string{""}
	}
	if err := w.mgr.Add(&groupKeeper{store: w.o.Store, groups: groups, holder: w.o.Holder, renew: groupRenew}); err != nil {
		return err
	}
	r := &mailboxes{Client: w.c, checker: w.checker, workers: w.o.Workers, queues: w.o.Store, groups: groups}
	return ctrl.NewControllerManagedBy(w.mgr).Named("mailboxes").WithOptions(controller.Options{NeedLeaderElection: &everyReplica}).
		For(&v1alpha1.EmailAccount{}, builder.WithPredicates(ours)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(bySecret[v1alpha1.EmailAccountList](w.c))).
		Watches(&v1alpha1.Queue{}, later(handler.EnqueueRequestsFromMapFunc(w.accountsOfQueue)), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.RoutingFlow{}, later(handler.EnqueueRequestsFromMapFunc(w.accountsOfFlow)), builder.WithPredicates(bornOrGone)).
		Watches(&v1alpha1.ContactCenter{}, handler.EnqueueRequestsFromMapFunc(listAll[v1alpha1.EmailAccountList](w.c)), builder.WithPredicates(ours)).
		Complete(r)
}

func (w *wiring) addPBXes() error {
	k := &pbxKind{Client: w.c, model: w.model, checker: w.checker, link: w.link, store: w.o.Store, server: w.o.LinkServer, caBundle: w.o.CABundle}
	return w.build("pbx").For(&v1alpha1.PBX{}, builder.WithPredicates(ours)).
		Owns(&corev1.Secret{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(bySecret[v1alpha1.PBXList](w.c))).
		Watches(&v1alpha1.ContactCenter{}, handler.EnqueueRequestsFromMapFunc(listAll[v1alpha1.PBXList](w.c)), builder.WithPredicates(bornOrGone)).
		WatchesRawSource(w.pbxes.source()).
		Complete(newLoop[v1alpha1.PBX](w, k))
}

// pokeEveryPBX brings a new authority into every link Secret.
func (w *wiring) pokeEveryPBX(ctx context.Context) {
	var pbxes v1alpha1.PBXList
	if err := w.c.List(ctx, &pbxes); err != nil {
		return // before the cache is filled, or after its end: every PBX gets a pass then, or nobody needs one
	}
	for i := range pbxes.Items {
		w.pbxes.poke(nameOf(&pbxes.Items[i]))
	}
}

func (w *wiring) addSnapshots() error {
	r := &snapshots{Client: w.c, model: w.model, link: w.o.Link, pacer: w.pacer, duty: w.duty}
	noted := handler.EnqueueRequestsFromMapFunc(w.noted)
	return ctrl.NewControllerManagedBy(w.mgr).Named("snapshot").
		For(&v1alpha1.PBX{}, builder.WithPredicates(ours)).
		Watches(&v1alpha1.Agent{}, noted, builder.WithPredicates(endpointChanged)).
		Watches(&v1alpha1.AgentProfile{}, noted, builder.WithPredicates(profileChanged)).
		Watches(&v1alpha1.Telephone{}, noted, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.ContactCenter{}, noted, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Queue{}, noted, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Team{}, noted, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Secret{}, noted).
		WatchesRawSource(w.snapshots.source()).
		Complete(r)
}

func (w *wiring) addFeed() error {
	commands := newErrand("call-commands", (&callCommands{store: w.o.Store, link: w.o.Link}).run)
	if err := w.mgr.Add(commands); err != nil {
		return err
	}
	recordings := newErrand("recordings", (&recordingReads{store: w.o.Store, link: w.o.Link}).run)
	if err := w.mgr.Add(recordings); err != nil {
		return err
	}
	notices := newVoicemailNotices(w.c, w.o.Store)
	if err := w.mgr.Add(notices); err != nil {
		return err
	}
	return w.mgr.Add(&feed{
		Reader: w.c, store: w.o.Store, duty: w.duty, agents: w.agents, queues: w.queues, accounts: w.accounts, pbxes: w.pbxes,
		telephones: w.telephones, snapshots: w.snapshots, contactLists: w.contactLists, command: commands.notice, recording: recordings.notice, voicemail: notices.notice,
		recorder: w.mgr.GetEventRecorder("ringmaster"),
	})
}

// requests makes one request per object of a list.
func requests(namespace string, names ...string) []reconcile.Request {
	out := make([]reconcile.Request, 0, len(names))
	for _, name := range names {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
	}
	return out
}
