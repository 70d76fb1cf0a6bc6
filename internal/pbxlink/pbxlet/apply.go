package pbxlet

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// modules are what has to be reloaded for a file, in the order that matters:
// endpoints before the queues and the dialplan that use them. app_queue is
// reloaded whole, because reloading its members alone clears shared_lastcall
// (asterisk/asterisk#1255); MWI for a new mailbox needs res_pjsip_mwi.
var modules = []struct {
	files []string
	names []string
}{
	{[]string{voice.MusicFile}, []string{"res_musiconhold.so"}},
	{pjsipFiles, []string{pjsipModule}},
	{[]string{voice.HTTPFile, voice.CertificateFile, voice.KeyFile}, []string{"http"}},
	{[]string{voice.VoicemailFile}, []string{"app_voicemail.so", "res_pjsip_mwi.so"}},
	{[]string{voice.QueuesFile}, []string{"app_queue.so"}},
	{[]string{voice.ExtensionsFile}, []string{"pbx_config.so"}},
	{[]string{voice.FeaturesFile}, []string{"features"}},
}

const pjsipModule = "res_pjsip.so"

var pjsipFiles = []string{voice.PJSIPFile, voice.PJSIPAuthFile, voice.PJSIPAORFile, voice.PJSIPEndpointFile}

const (
	// settle is how long Asterisk may take, after its reloads returned, to show
	// what it loaded.
	settle      = 3 * time.Second
	settleRetry = 100 * time.Millisecond
)

// contactName is the record name of a contact: "<aor>;@<MD5 of the URI>".
func contactName(key contactKey) string {
	sum := md5.Sum([]byte(key.uri))
	return key.extension + ";@" + hex.EncodeToString(sum[:])
}

// adopt finds out what a newly reached Asterisk runs. Usually it is what the
// state directory holds, and nothing is reloaded; otherwise it is made so.
func (e *engine) adopt(ctx context.Context, a *asterisk) error {
	for _, link := range []string{currentLink, goodLink} {
		m, err := e.state.manifest(link)
		if err != nil {
			e.log.Error("the files on disk cannot be used", "error", err)
			continue
		}
		if m == nil {
			continue
		}
		changed, err := e.spool.prepare(m.Expect.Mailboxes)
		if err != nil {
			// Calls go on without voicemail; the next snapshot with another
			// voicemail.conf is refused.
			e.log.Error("the mailboxes cannot be looked after", "error", err)
			err = nil
		}
		if changed > 0 {
			err = e.reload(ctx, a, map[string]bool{voice.VoicemailFile: true})
		}
		if err == nil {
			err = e.check(ctx, a, m, allFiles, voice.Expect{})
		}
		var wrong *mismatch
		if errors.As(err, &wrong) {
			e.log.Warn("Asterisk does not run the files on disk", "version", m.Version, "reason", wrong.reason)
			err = e.load(ctx, a, m, allFiles, voice.Expect{})
		}
		if err == nil {
			if err := e.accept(m); err != nil {
				return err
			}
			return e.ack(ctx, a, m, time.Now())
		}
		if !errors.As(err, &wrong) {
			return err
		}
		e.log.Error("Asterisk does not accept the files on disk", "version", m.Version, "reason", wrong.reason)
	}
	return nil
}

// load makes m current, reloads the modules of the changed files and reads
// back. A *mismatch means that Asterisk made something else of it.
func (e *engine) load(ctx context.Context, a *asterisk, m *manifest, changed map[string]bool, verified voice.Expect) error {
	if changed[voice.VoicemailFile] {
		// Before the files can be read by an Asterisk that happens to start now.
		n, err := e.spool.prepare(m.Expect.Mailboxes)
		if err != nil {
			return differs("%v", err)
		}
		e.log.Debug("mailboxes prepared", "changed", n)
	}
	if err := e.state.point(currentLink, m.Version); err != nil {
		return err
	}
	if err := e.reload(ctx, a, changed); err != nil {
		return err
	}
	deadline := time.Now().Add(settle)
	for {
		err := e.check(ctx, a, m, changed, verified)
		var wrong *mismatch
		if !errors.As(err, &wrong) || time.Now().After(deadline) {
			return err
		}
		sleep(ctx, settleRetry)
	}
}

func (e *engine) reload(ctx context.Context, a *asterisk, changed map[string]bool) error {
	for _, m := range modules {
		if !slices.ContainsFunc(m.files, func(file string) bool { return changed[file] }) {
			continue
		}
		for _, name := range m.names {
			started := time.Now()
			if err := a.reload(ctx, name, e.cfg.ReloadTimeout); err != nil {
				if errors.Is(err, context.DeadlineExceeded) {
					// It hangs: say so, and begin anew with another connection.
					e.tables.setAsterisk(func(s *pbxlinkv1.Asterisk) { s.Problem = err.Error() })
					a.Close()
				}
				return err
			}
			e.log.Debug("reloaded", "module", name, "took", time.Since(started))
			if name == pjsipModule {
				e.reloads++
			}
		}
	}
	return nil
}

// accept remembers m as the last good version.
func (e *engine) accept(m *manifest) error {
	if err := e.state.point(currentLink, m.Version); err != nil {
		return err
	}
	if err := e.state.point(goodLink, m.Version); err != nil {
		return err
	}
	e.setApplied(m.Version)
	dialplan, err := e.state.file(m.Version, voice.ExtensionsFile)
	if err != nil {
		return err
	}
	e.expect, e.recordings = m.Expect, recordingDirectory(string(dialplan))
	e.tables.setEndpoints(endpointNames(m.Expect))
	return e.state.prune()
}

// apply brings a snapshot into force and answers Ack or Nack. An error means
// that the connection to Asterisk has broken.
func (e *engine) apply(ctx context.Context, a *asterisk, s *pbxlinkv1.Snapshot, received time.Time) error {
	old, err := e.state.manifest(goodLink)
	if err != nil {
		e.log.Error("the last good files cannot be used", "error", err)
	}
	if old == nil {
		old = &manifest{}
	}
	if err := e.acceptable(s, old); err != nil {
		e.nack(s, err)
		return nil
	}
	if err := a.mapped(ctx); err != nil {
		if _, unmapped := errors.AsType[*mismatch](err); !unmapped {
			return err
		}
		e.nack(s, err)
		return nil
	}
	m, err := e.state.write(s)
	if err != nil {
		e.nack(s, err)
		return nil
	}
	changed := map[string]bool{}
	for path, sum := range m.Hashes {
		changed[path] = old.Hashes[path] != sum || e.appliedVersion() != old.Version
	}
	for path := range old.Hashes {
		if _, still := m.Hashes[path]; !still {
			changed[path] = true
		}
	}
	if (changed[voice.CertificateFile] || changed[voice.KeyFile]) && hasTLS(m.Expect.Transports) {
		// The SIP listener reads its certificate when res_pjsip is reloaded.
		changed[voice.PJSIPFile] = true
	}
	verified := old.Expect
	if e.appliedVersion() != old.Version {
		verified = voice.Expect{}
	}
	waiting, err := a.waitingIn(ctx, missingFrom(queueNames(old.Expect), queueNames(m.Expect)))
	if err != nil {
		return err
	}
	if err := e.load(ctx, a, m, changed, verified); err != nil {
		return e.rollBack(ctx, a, s, old, changed, err)
	}
	if err := e.accept(m); err != nil {
		e.nack(s, err)
		return nil
	}
	if err := e.release(ctx, a, waiting); err != nil {
		return err
	}
	if err := e.follow(ctx, a, changed, missingFrom(old.Expect.AORs, m.Expect.AORs)); err != nil {
		return err
	}
	return e.ack(ctx, a, m, received)
}

func hasTLS(transports []voice.ExpectTransport) bool {
	return slices.ContainsFunc(transports, func(t voice.ExpectTransport) bool { return t.Protocol == "tls" })
}

// acceptable refuses what must not even be written.
func (e *engine) acceptable(s *pbxlinkv1.Snapshot, old *manifest) error {
	if !versionPattern.MatchString(s.GetVersion()) {
		return errors.New("the version is no hash")
	}
	have := map[string]bool{}
	for _, f := range s.GetFiles() {
		if !filePattern.MatchString(f.GetPath()) {
			return fmt.Errorf("%q is no name of a configuration file", f.GetPath())
		}
		if f.Content != nil && len(f.GetContent()) == 0 {
			return fmt.Errorf("%s is empty", f.GetPath())
		}
		have[f.GetPath()] = true
	}
	for file := range allFiles {
		if !have[file] {
			return fmt.Errorf("%s is missing", file)
		}
	}
	before := len(old.Expect.Endpoints)
	removed := len(missingFrom(endpointNames(old.Expect), endpointNames(pbxlink.ExpectFrom(s.GetExpect()))))
	if removed >= e.cfg.MinShrink && float64(removed) > e.cfg.MaxShrink*float64(before) && !s.GetAllowShrink() {
		return fmt.Errorf("it would remove %d of %d endpoints, which the manager has not said is meant", removed, before)
	}
	return nil
}

// rollBack puts the last good files back, first on disk, so that an Asterisk
// that died of the new ones starts with the old.
func (e *engine) rollBack(ctx context.Context, a *asterisk, s *pbxlinkv1.Snapshot, old *manifest, changed map[string]bool, cause error) error {
	var err error
	if old.Version == "" {
		err = e.state.unpoint(currentLink)
	} else {
		err = e.state.point(currentLink, old.Version)
	}
	if err != nil {
		return errors.Join(cause, err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if broken(ctx, a) {
		e.nack(s, fmt.Errorf("the Asterisk process ended while it loaded the files: %w", cause))
		return nil
	}
	if old.Version == "" {
		err = e.reload(ctx, a, changed)
	} else {
		err = e.load(ctx, a, old, changed, voice.Expect{})
	}
	if err == nil {
		e.setApplied(old.Version)
	} else if broken(ctx, a) {
		return errors.Join(cause, err)
	} else {
		e.log.Error("the last good files could not be restored", "error", err)
	}
	if err := e.state.prune(); err != nil {
		e.log.Error("old versions remain on disk", "error", err)
	}
	e.nack(s, cause)
	return nil
}

// follow does what a reload does not do by itself.
func (e *engine) follow(ctx context.Context, a *asterisk, changed map[string]bool, goneAORs []string) error {
	if len(goneAORs) > 1 {
		// One is the old revision; more are agents who left.
		if err := e.forgetOrphans(ctx, a); err != nil {
			return err
		}
		if err := e.syncContacts(ctx, a); err != nil {
			return err
		}
	}
	if changed[voice.VoicemailFile] {
		if err := e.syncVoicemail(ctx, a); err != nil {
			return err
		}
	}
	if !changed[voice.QueuesFile] {
		return nil
	}
	return e.restoreMembers(ctx, a)
}

func (e *engine) ack(ctx context.Context, a *asterisk, m *manifest, received time.Time) error {
	restart, err := a.transports(ctx, m.Expect.Transports)
	if err != nil {
		return err
	}
	if len(restart) > 0 {
		e.log.Warn("transports take effect only when Asterisk is restarted", "transports", restart)
	}
	if err := e.survey(ctx, a, m.Expect); err != nil {
		return err
	}
	e.out.put(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Ack{Ack: &pbxlinkv1.Ack{
		Version: m.Version, Endpoints: int32(len(m.Expect.Endpoints)), Queues: int32(len(m.Expect.Queues)),
		Mailboxes: int32(len(m.Expect.Mailboxes)), RestartRequired: restart, Reloads: e.reloads,
		ServedCertificate: m.Expect.Certificate,
		Took:              durationpb.New(time.Since(received)),
	}}})
	e.log.Info("snapshot in force", "version", m.Version, "endpoints", len(m.Expect.Endpoints), "took", time.Since(received))
	return nil
}

func (e *engine) nack(s *pbxlinkv1.Snapshot, reason error) {
	e.log.Warn("snapshot refused", "version", s.GetVersion(), "reason", reason)
	e.out.put(&pbxlinkv1.SyncRequest{Message: &pbxlinkv1.SyncRequest_Nack{Nack: &pbxlinkv1.Nack{
		Version: s.GetVersion(), Reason: reason.Error(),
	}}})
}
