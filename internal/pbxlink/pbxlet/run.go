package pbxlet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

const (
	// linkRetry is the longest wait between two attempts to reach the manager.
	linkRetry = 15 * time.Second
	// eventInterval is the least time between two batches of events.
	eventInterval = 20 * time.Millisecond
)

// Run works until the context ends. It returns early only when its
// configuration or state directory is unusable.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	st, err := openState(cfg.StateDir)
	if err != nil {
		return err
	}
	defer st.close()
	out := newOutbox()
	t := newTables(out.wake, cfg.SpoolDir)
	e, err := newEngine(cfg, st, t, out)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { e.run(ctx) })
	recordings := newReader(cfg.SpoolDir, out)
	wg.Go(func() { recordings.run(ctx) })
	wg.Go(func() { (&dialer{cfg: cfg, engine: e, recordings: recordings, tables: t, out: out}).run(ctx) })
	wg.Wait()
	return nil
}

// outbox holds answers until the link can carry them.
type outbox struct {
	wakeup chan struct{}
	mu     sync.Mutex
	queue  []*pbxlinkv1.SyncRequest
}

func newOutbox() *outbox { return &outbox{wakeup: make(chan struct{}, 1)} }

func (o *outbox) wake() {
	select {
	case o.wakeup <- struct{}{}:
	default:
	}
}

func (o *outbox) put(m *pbxlinkv1.SyncRequest) {
	o.mu.Lock()
	o.queue = append(o.queue, m)
	o.mu.Unlock()
	o.wake()
}

func (o *outbox) take() []*pbxlinkv1.SyncRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue
	o.queue = nil
	return q
}

// dialer keeps a stream to the manager.
type dialer struct {
	cfg        Config
	engine     *engine
	recordings *reader
	tables     *tables
	out        *outbox
}

func (d *dialer) run(ctx context.Context) {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		started := time.Now()
		err := d.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > linkRetry {
			wait = 0
		}
		wait = min(linkRetry, max(200*time.Millisecond, 2*wait))
		d.cfg.Logger.Warn("the manager is out of reach", "error", err)
		// Full jitter, so that the pbxlets of a manager that comes back do not
		// all come back at once.
		sleep(ctx, rand.N(wait))
	}
}

func (d *dialer) session(ctx context.Context) error {
	p, err := d.cfg.peer()
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.ca) {
		return errors.New("pbxlet: link: the CA file holds no certificate")
	}
	conn, err := grpc.NewClient(p.addr,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: p.serverName, MinVersion: tls.VersionTLS13})),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pbxlink.MaxMessage), grpc.MaxCallSendMsgSize(pbxlink.MaxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: pbxlink.KeepaliveInterval, Timeout: pbxlink.KeepaliveTimeout, PermitWithoutStream: true,
		}))
	if err != nil {
		return fmt.Errorf("pbxlet: link: %w", err)
	}
	defer func() { _ = conn.Close() }()

	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(ctx,
		pbxlink.MetadataPBX, p.pbx, pbxlink.MetadataAuthorization, "Bearer "+p.token))
	defer cancel()
	stream, err := pbxlinkv1.NewPBXLinkClient(conn).Sync(ctx)
	if err != nil {
		return fmt.Errorf("pbxlet: link: %w", err)
	}
	if err := d.hello(stream, p.pbx); err != nil {
		return fmt.Errorf("pbxlet: link: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.receive(stream) }()
	err = d.send(ctx, stream, ended)
	d.engine.reset()
	return err
}

type syncStream = grpc.BidiStreamingClient[pbxlinkv1.SyncRequest, pbxlinkv1.SyncResponse]

func (d *dialer) hello(stream syncStream, pbx string) error {
	hello := &pbxlinkv1.Hello{
		Pbx: pbx, PbxletVersion: d.cfg.Version, Asterisk: d.tables.getAsterisk(), AppliedVersion: d.engine.appliedVersion(),
		StateDir: d.engine.state.dir,
	}
	m, err := d.engine.state.manifest(goodLink)
	if err != nil {
		d.cfg.Logger.Error("the last good files cannot be used", "error", err)
	}
	if m != nil {
		hello.FileHashes = m.Hashes
	}
	// Answers to questions of an earlier session mean nothing in this one.
	d.out.take()
	d.tables.markAll()
	return stream.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Hello{Hello: hello}})
}

func (d *dialer) receive(stream syncStream) error {
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		switch m := m.GetMessage().(type) {
		case *pbxlinkv1.SyncResponse_Snapshot:
			d.engine.offer(m.Snapshot)
		case *pbxlinkv1.SyncResponse_Command:
			if m.Command.GetReadRecording() != nil {
				d.recordings.ask(m.Command)
			} else {
				d.engine.command(m.Command)
			}
		}
	}
}

// send carries answers at once and events in batches.
func (d *dialer) send(ctx context.Context, stream syncStream, ended <-chan error) error {
	for {
		for _, m := range d.out.take() {
			if err := stream.Send(m); err != nil {
				return <-ended
			}
		}
		if events := d.tables.take(); events != nil {
			if err := stream.Send(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Events{Events: events}}); err != nil {
				return <-ended
			}
			sleep(ctx, eventInterval)
			continue
		}
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-d.out.wakeup:
		}
	}
}
