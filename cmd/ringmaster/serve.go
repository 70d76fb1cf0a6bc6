package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/ringmaster-dev/ringmaster/controllers"
	"github.com/ringmaster-dev/ringmaster/internal/clientlog"
	"github.com/ringmaster-dev/ringmaster/internal/desk"
	"github.com/ringmaster-dev/ringmaster/internal/mail"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi"
	"github.com/ringmaster-dev/ringmaster/internal/operatorapi/kubeaccess"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/servingcert"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// stopGrace is how long open requests have when the manager stops.
const stopGrace = 5 * time.Second

// everywhere is a part that runs on every replica, leader or not.
type everywhere func(context.Context) error

// Start implements manager.Runnable.
func (f everywhere) Start(ctx context.Context) error { return f(ctx) }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (everywhere) NeedLeaderElection() bool { return false }

// linkServer carries the PBX link. Only the leader listens, because only the leader renders; pbxlets of the others find no
// listener and dial until they reach it. Meanwhile Asterisk goes on with what it has.
type linkServer struct {
	address string
	link    *pbxlink.Server
	cert    *servingcert.Rotator
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (linkServer) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (l linkServer) Start(ctx context.Context) error {
	listener, err := net.Listen("tcp", l.address)
	if err != nil {
		return fmt.Errorf("listening for pbxlets: %w", err)
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: l.cert.GetCertificate, NextProtos: []string{"h2"}}
	server := grpc.NewServer(append(pbxlink.ServerOptions(), grpc.Creds(credentials.NewTLS(tlsConfig)))...)
	l.link.Register(server)
	context.AfterFunc(ctx, func() {
		l.link.Shutdown()
		timer := time.AfterFunc(stopGrace, server.Stop)
		server.GracefulStop()
		timer.Stop()
	})
	return server.Serve(listener)
}

// serveDesk adds the agents' API, on every replica.
func serveDesk(mgr ctrl.Manager, db *store.DB, cert *servingcert.Rotator, o managerOptions, logger *slog.Logger) error {
	side := controllers.DeskSide{Reader: mgr.GetClient(), Logos: db}
	exporters := clientlog.New(metrics.Registry, logger.With("part", "client-logs"))
	if err := mgr.Add(everywhere(exporters.Run)); err != nil {
		return err
	}
	export := func(ctx context.Context, namespace string, entries []clientlog.Entry) (int, error) {
		collector, err := side.ClientLogCollector(ctx, namespace)
		if err != nil {
			return 0, err
		}
		return exporters.Keep(namespace, collector, entries)
	}
	handler, err := desk.New(desk.Options{
		Store: db, SIPSecrets: side, Composer: side, PasswordRules: side.PasswordRules, PasswordReset: side.PasswordReset,
		Logger: logger.With("part", "desk"), AllowedOrigins: o.origins, ClientLogDirectory: o.clientLogs, ClientLogExport: export, Version: version,
	})
	if err != nil {
		return err
	}
	return mgr.Add(serveHTTPS(o.deskAddress, handler, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.GetCertificate}, logger))
}

// serveOperators adds the API behind kubectl ringmaster, on every replica. A client certificate is asked for, and judged by kubeaccess.
func serveOperators(mgr ctrl.Manager, db *store.DB, workers *mail.Supervisor, cert *servingcert.Rotator, o managerOptions, logger *slog.Logger) error {
	if o.operatorAddress == "0" {
		return nil
	}
	logger = logger.With("part", "operator-api")
	access, err := kubeaccess.New(mgr.GetConfig(), logger)
	if err != nil {
		return err
	}
	if err := mgr.Add(everywhere(access.Start)); err != nil {
		return err
	}
	handler := operatorapi.New(operatorapi.Options{Store: db, Access: access, Audit: workers.Audit, Logger: logger})
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: cert.GetCertificate, ClientAuth: tls.RequestClientCert}
	return mgr.Add(serveHTTPS(o.operatorAddress, handler, tlsConfig, logger))
}

// serveHTTPS serves until its context ends; running requests then have stopGrace.
func serveHTTPS(address string, handler http.Handler, tlsConfig *tls.Config, logger *slog.Logger) everywhere {
	return func(ctx context.Context) error {
		server := &http.Server{
			Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, TLSConfig: tlsConfig,
			BaseContext: func(net.Listener) context.Context { return ctx },
			ErrorLog:    slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("listening on %s: %w", address, err)
		}
		context.AfterFunc(ctx, func() {
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
			defer cancel()
			_ = server.Shutdown(grace)
		})
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

const (
	// keepEvents is how long events are kept: long enough for any client to resume.
	keepEvents = 24 * time.Hour
	// abandonedFor is how long an agent without a session stays signed in.
	abandonedFor = time.Minute
	// sweepInterval of both.
	sweepInterval = time.Minute
)

// housekeeping deletes old events, calls, system mails and links to set passwords, signs out agents whose clients are gone, and ends what managers that
// are gone left open.
func housekeeping(db *store.DB, logger *slog.Logger) everywhere {
	return func(ctx context.Context) error {
		ticker := time.NewTicker(sweepInterval)
		defer ticker.Stop()
		for {
			if err := db.PruneEvents(ctx, keepEvents); err != nil && ctx.Err() == nil {
				logger.Warn("pruning events", "error", err)
			}
			if err := db.PruneCalls(ctx, store.DefaultCallRetention); err != nil && ctx.Err() == nil {
				logger.Warn("pruning calls", "error", err)
			}
			if err := db.PruneSystemMails(ctx, store.SystemMailRetention); err != nil && ctx.Err() == nil {
				logger.Warn("pruning system mails", "error", err)
			}
			if err := db.PrunePasswordLinks(ctx); err != nil && ctx.Err() == nil {
				logger.Warn("pruning links to set passwords", "error", err)
			}
			if _, err := db.SignOutAbandoned(ctx, abandonedFor); err != nil && ctx.Err() == nil {
				logger.Warn("signing out agents without a session", "error", err)
			}
			if _, err := db.EndLostStreams(ctx); err != nil && ctx.Err() == nil {
				logger.Warn("ending event streams of managers that are gone", "error", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
		}
	}
}

// readiness is false while the store or the cache cannot be used.
func readiness(mgr ctrl.Manager, db *store.DB) func(*http.Request) error {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the cache is not filled yet")
		}
		return db.Ping(ctx)
	}
}
