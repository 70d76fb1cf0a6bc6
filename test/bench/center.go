package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

const (
	// inFlight requests at a time are full speed for two cores: more of them only wait for each other.
	inFlight = 16
	// readyTimeout bounds what is measured, far above every budget.
	readyTimeout = 15 * time.Minute

	passwordKey, sipKey = "password", "sip"
)

// center is a whole running contact center with as many agents as the run asks for.
type center struct {
	stack  *env.Stack
	client client.Client
	logs   string
	agents int
	signIn bool

	// withoutManager is how long the API server took for the same objects while no manager ran; created is how long it
	// took with one, and ready how long until all were Ready, both from the first request on.
	withoutManager, created, ready time.Duration
	// emptyRSS is the manager's memory before the first agent, in bytes.
	emptyRSS float64
}

// newCenter brings everything up and makes the agents.
func newCenter(ctx context.Context, b *bench) (_ *center, err error) {
	stack, err := env.Up(ctx, b.dir, env.StackOptions{}, env.Progress(progress))
	if err != nil {
		return nil, err
	}
	c := &center{stack: stack, agents: b.agents, signIn: b.signIn, logs: b.keepLogs}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	if c.client, err = client.New(stack.Control.Config, client.Options{Scheme: scheme}); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{c.measureWithoutManager, c.widenRanges, c.fill} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// close takes everything down; a nil center is down already.
func (c *center) close() error {
	if c == nil || c.stack == nil {
		return nil
	}
	stack := c.stack
	c.stack = nil
	var err error
	if c.logs != "" {
		err = os.CopyFS(c.logs, os.DirFS(filepath.Join(stack.Env.Dir, "log")))
	}
	return errors.Join(err, stack.Down())
}

// measureWithoutManager creates the same objects in a namespace of their own while neither manager nor webhooks are there.
func (c *center) measureWithoutManager(ctx context.Context) error {
	const ns = "without-manager"
	say("creating %d agents and Secrets without a manager", c.agents)
	links := occurrences(c.stack.Manager.LogFile(), linkUp)
	if err := c.stack.Manager.Stop(); err != nil {
		return err
	}
	restore, err := c.withoutWebhooks(ctx)
	if err != nil {
		return err
	}
	if err := c.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}); err != nil {
		return err
	}
	if c.withoutManager, err = c.create(ctx, ns); err != nil {
		return err
	}
	if _, err := c.stack.Env.Kubectl(ctx, c.stack.Control, nil, "delete", "namespace", ns, "--timeout=5m"); err != nil {
		return err
	}
	if err := restore(ctx); err != nil {
		return err
	}
	if err := c.stack.Manager.Restart(ctx); err != nil {
		return err
	}
	return await(ctx, "the pbxlet to come back", func() bool { return occurrences(c.stack.Manager.LogFile(), linkUp) > links })
}

// linkUp is what the manager says when a pbxlet has connected.
const linkUp = "pbxlet connected"

// widenRanges makes room for as many extensions; the samples have a thousand.
func (c *center) widenRanges(ctx context.Context) error {
	_, err := c.stack.Env.Kubectl(ctx, c.stack.Control, nil, "patch", "contactcenter", "acme", "--type=merge", "-p",
		`{"spec":{"extensions":{"ranges":[{"from":"10000","to":"99999"}]}}}`)
	return err
}

// fill creates the agents in the live center and waits until every one is Ready.
func (c *center) fill(ctx context.Context) (err error) {
	if c.emptyRSS, err = memoryOf(c.stack.Manager.PID(), "VmRSS"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	ready, err := c.watchReady(ctx)
	if err != nil {
		return err
	}
	say("creating %d agents and Secrets with manager and PBX", c.agents)
	begin := time.Now()
	if c.created, err = c.create(ctx, env.CenterNamespace); err != nil {
		return err
	}
	select {
	case <-ready.all:
		c.ready = time.Since(begin)
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d of %d agents are Ready: %w", ready.count(), c.agents, ctx.Err())
	}
}

// create makes every agent and its Secret, as fast as the API server takes them.
func (c *center) create(ctx context.Context, namespace string) (time.Duration, error) {
	objects := make([][2]client.Object, c.agents)
	for n := range objects {
		objects[n] = c.agentObjects(namespace, n)
	}
	begin := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for _, pair := range objects {
		g.Go(func() error {
			return errors.Join(c.client.Create(ctx, pair[0]), c.client.Create(ctx, pair[1]))
		})
	}
	err := g.Wait()
	return time.Since(begin), err
}

func agentName(n int) string { return fmt.Sprintf("agent%05d", n) }

// agentObjects are a Secret and the Agent that takes both its passwords from there.
func (c *center) agentObjects(namespace string, n int) [2]client.Object {
	name := agentName(n)
	ref := func(key string) *v1alpha1.SecretKeyReference {
		return &v1alpha1.SecretKeyReference{Name: name, Key: key}
	}
	spec := v1alpha1.AgentSpec{FullName: "Agent " + strconv.Itoa(n), Email: name + "@example.com", SIP: v1alpha1.AgentSIP{SIPAccount: v1alpha1.SIPAccount{PasswordSecretRef: ref(sipKey)}}}
	if c.signIn {
		spec.PasswordSecretRef = ref(passwordKey)
	}
	return [2]client.Object{
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.CredentialLabel: "agent"}},
			StringData: map[string]string{passwordKey: fmt.Sprintf("Harbor-%05d-Violet", n), sipKey: fmt.Sprintf("phone-%05d-first", n)},
		},
		&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec},
	}
}

// readiness counts the agents that are Ready.
type readiness struct {
	mu    sync.Mutex
	want  int
	ready map[string]bool
	// all is closed once every agent is Ready at the same time.
	all  chan struct{}
	once sync.Once
}

func (r *readiness) see(object any) {
	a, ok := object.(*v1alpha1.Agent)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if meta.IsStatusConditionTrue(a.Status.Conditions, v1alpha1.ConditionReady) {
		r.ready[a.Name] = true
	} else {
		delete(r.ready, a.Name)
	}
	if len(r.ready) == r.want {
		r.once.Do(func() { close(r.all) })
	}
}

func (r *readiness) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ready)
}

// watchReady follows the agents by a watch, which tells the moment and costs the API server less than asking.
func (c *center) watchReady(ctx context.Context) (*readiness, error) {
	r := &readiness{want: c.agents, ready: map[string]bool{}, all: make(chan struct{})}
	informers, err := cache.New(c.stack.Control.Config, cache.Options{
		Scheme: c.client.Scheme(), DefaultNamespaces: map[string]cache.Config{env.CenterNamespace: {}},
	})
	if err != nil {
		return nil, err
	}
	informer, err := informers.GetInformer(ctx, &v1alpha1.Agent{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, err
	}
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: r.see, UpdateFunc: func(_, now any) { r.see(now) },
	}); err != nil {
		return nil, err
	}
	go func() { _ = informers.Start(ctx) }()
	if !informers.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("watching agents: %w", context.Cause(ctx))
	}
	return r, nil
}

// agentsByName reads the whole list once.
func (c *center) agentsByName(ctx context.Context) (map[string]*v1alpha1.Agent, error) {
	var list v1alpha1.AgentList
	if err := c.client.List(ctx, &list, client.InNamespace(env.CenterNamespace)); err != nil {
		return nil, err
	}
	byName := make(map[string]*v1alpha1.Agent, len(list.Items))
	for i := range list.Items {
		byName[list.Items[i].Name] = &list.Items[i]
	}
	return byName, nil
}

// setSIPPassword edits the Secret that an agent's spec refers to.
func (c *center) setSIPPassword(ctx context.Context, agent, password string) error {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: env.CenterNamespace, Name: agent}}
	patch := fmt.Sprintf(`{"stringData":{%q:%q}}`, sipKey, password)
	return c.client.Patch(ctx, s, client.RawPatch(client.Merge.Type(), []byte(patch)))
}

// occurrences counts the lines of a log that contain a text.
func occurrences(file, text string) (n int) {
	for line := range strings.Lines(fileText(file)) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// await polls for what has no event to wait for.
func await(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !done() {
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// memoryOf reads a field of /proc/PID/status, in bytes.
func memoryOf(pid int, field string) (float64, error) {
	text := fieldOf(fileText(fmt.Sprintf("/proc/%d/status", pid)), field)
	kib, err := strconv.ParseFloat(strings.TrimSuffix(text, " kB"), 64)
	if err != nil {
		return 0, fmt.Errorf("%s of process %d: %w", field, pid, err)
	}
	return kib * 1024, nil
}
