package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	mailmessage "github.com/ringmaster-dev/ringmaster/internal/mail/message"
	"github.com/ringmaster-dev/ringmaster/internal/mail/session"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// parse reads the mails of a batch.
func (w *worker) parse(bodies []session.Body, infos map[uint32]session.Info) []store.IngestMail {
	mails := make([]store.IngestMail, len(bodies))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, b := range bodies {
		g.Go(func() error {
			mails[i] = w.ingestMail(infos[b.UID], b.Raw, store.IngestMessage, "")
			return nil
		})
	}
	_ = g.Wait()
	return mails
}

// ingestMail parses a mail, or its header; a mail that cannot be parsed is quarantined.
func (w *worker) ingestMail(info session.Info, raw []byte, kind store.IngestKind, detail string) store.IngestMail {
	parsed := mailmessage.Parse(raw, w.account.cfg.Address)
	if parsed.Quarantine != "" && kind == store.IngestMessage {
		kind, detail = store.IngestQuarantined, parsed.Quarantine
	}
	m := w.place(info, raw, kind, detail)
	if m.Detail == "" {
		m.Detail = parsed.Message.Detail
	}
	m.Message = parsed.Message
	m.Message.Namespace, m.Message.Account = w.account.cfg.Account.Namespace, w.account.cfg.Account.Name
	m.Message.Direction, m.Message.State, m.Message.Detail = store.Inbound, messageState(kind), m.Detail
	m.ThreadKeys, m.Automatic, m.CustomerName = parsed.ThreadKeys, parsed.Automatic != "", parsed.CustomerName
	return m
}

// place is what identifies a mail.
func (w *worker) place(info session.Info, raw []byte, kind store.IngestKind, detail string) store.IngestMail {
	hash := sha256.New()
	hash.Write(raw)
	if kind != store.IngestMessage && raw == nil {
		// No content to be known by: only its place.
		fmt.Fprintf(hash, "%s %d %d", w.account.cfg.IMAP.Mailbox, w.epoch.UIDValidity, info.UID)
	}
	return store.IngestMail{
		Mailbox: w.account.cfg.IMAP.Mailbox, UIDValidity: w.epoch.UIDValidity, UID: info.UID,
		Kind: kind, Detail: detail, Raw: raw, SHA256: hex.EncodeToString(hash.Sum(nil)), Size: info.Size, Again: w.again[info.UID],
	}
}

func messageState(kind store.IngestKind) store.MessageState {
	switch kind {
	case store.IngestHeadersOnly:
		return store.MessageHeadersOnly
	case store.IngestQuarantined:
		return store.MessageQuarantined
	default:
		return store.MessageStored
	}
}

// headerOnly records a mail by its header.
func (w *worker) headerOnly(ctx context.Context, s *session.Session, info session.Info, kind store.IngestKind, detail string) error {
	header, err := s.FetchHeader(ctx, info.UID)
	if err != nil {
		w.failures[info.UID]++
		return err
	}
	return w.record(ctx, s, info, w.ingestMail(info, header, kind, detail))
}

// quarantine records a mail that nobody is to be offered, by its header.
func (w *worker) quarantine(ctx context.Context, s *session.Session, info session.Info, detail string) error {
	header, err := s.FetchHeader(ctx, info.UID)
	if err != nil {
		w.failures[info.UID]++
		return err
	}
	m := w.ingestMail(info, header, store.IngestQuarantined, detail)
	m.Automatic = true
	return w.record(ctx, s, info, m)
}

func (w *worker) record(ctx context.Context, s *session.Session, info session.Info, m store.IngestMail) error {
	if err := w.ingest(ctx, []store.IngestMail{m}); err != nil {
		return err
	}
	delete(w.failures, info.UID)
	return w.flag(ctx, s, []uint32{info.UID})
}

// ingest stores mails. When the store refuses a batch, its mails are stored one by one and the one that it
// does refuse is quarantined, so that it does not hold up the others.
func (w *worker) ingest(ctx context.Context, mails []store.IngestMail) error {
	err := w.store(ctx, mails)
	if err == nil || errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
		return storeError(err)
	}
	w.account.log.Warn("a batch was not stored, trying its mails alone", "mails", len(mails), "error", err)
	for _, m := range mails {
		if err := w.ingestAlone(ctx, m); err != nil {
			return storeError(err)
		}
	}
	return nil
}

func (w *worker) ingestAlone(ctx context.Context, m store.IngestMail) error {
	var err error
	for attempt := range 3 {
		if attempt > 0 {
			sleep(ctx, time.Duration(attempt)*200*time.Millisecond)
		}
		if err = w.store(ctx, []store.IngestMail{m}); err == nil || errors.Is(err, store.ErrLeaseLost) || errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
	}
	plain := store.IngestMail{
		Mailbox: m.Mailbox, UIDValidity: m.UIDValidity, UID: m.UID, Kind: store.IngestQuarantined,
		Detail: "the store refused what was read from it", Raw: m.Raw, SHA256: m.SHA256, Size: m.Size, Automatic: true, Again: m.Again,
		Message: store.Message{
			Namespace: m.Message.Namespace, Account: m.Message.Account, Direction: store.Inbound,
			State: store.MessageQuarantined, Detail: "the store refused what was read from it",
		},
	}
	if quarantineErr := w.store(ctx, []store.IngestMail{plain}); quarantineErr != nil {
		return err // not the mail: the store refuses everything
	}
	w.account.log.Error("a mail was quarantined because the store refused it", "uid", m.UID, "error", err)
	return nil
}

func (w *worker) store(ctx context.Context, mails []store.IngestMail) error {
	if len(mails) == 0 {
		return nil
	}
	results, err := w.account.s.store.Ingest(ctx, w.lease, w.account.cfg.Account, mails)
	if err != nil {
		return err
	}
	duplicate := map[uint32]bool{}
	for _, r := range results {
		duplicate[r.UID] = r.Duplicate
	}
	var ingested, quarantined int64
	for _, m := range mails {
		switch {
		case duplicate[m.UID]:
		case m.Kind == store.IngestQuarantined:
			quarantined++
		default:
			ingested++
		}
	}
	key := w.account.cfg.Account
	w.account.s.metrics.ingested.WithLabelValues(key.Namespace, key.Name).Add(float64(ingested))
	w.account.s.metrics.quarantined.WithLabelValues(key.Namespace, key.Name).Add(float64(quarantined))
	return nil
}
