package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// Mailbox is the selected mailbox.
type Mailbox struct {
	UIDValidity uint32
	// UIDNext is what the next mail will get; 0 when the server does not say.
	UIDNext uint32
	// ForgetsSeen is true when the server says that \Seen does not outlast the connection.
	ForgetsSeen bool
}

// Select opens the mailbox for reading and flagging. MailboxNotFound names some that exist.
func (s *Session) Select(ctx context.Context, name string) (Mailbox, error) {
	var data *imap.SelectData
	err := s.within(ctx, s.cfg.CommandTimeout, "SELECT", func() (err error) {
		data, err = s.client.Select(name, nil).Wait()
		return err
	})
	var status *imap.Error
	if errors.As(err, &status) && status.Type == imap.StatusResponseTypeNo {
		return Mailbox{}, s.notFound(ctx, name, err)
	}
	if err != nil {
		return Mailbox{}, commandError("SELECT", err)
	}
	// A server that lists no permanent flags has said nothing (RFC 9051 section 7.1).
	forgets := len(data.PermanentFlags) > 0 && !slices.Contains(data.PermanentFlags, imap.FlagSeen)
	return Mailbox{UIDValidity: data.UIDValidity, UIDNext: uint32(data.UIDNext), ForgetsSeen: forgets}, nil
}

// notFound lists a few mailboxes, so that a typing error shows in the status.
func (s *Session) notFound(ctx context.Context, name string, cause error) error {
	const most = 8
	var names []string
	_ = s.within(ctx, s.cfg.CommandTimeout, "LIST", func() error {
		list, err := s.client.List("", "%", nil).Collect()
		for _, l := range list {
			if len(names) == most {
				names = append(names, "…")
				break
			}
			names = append(names, fmt.Sprintf("%q", l.Mailbox))
		}
		return err
	})
	message := fmt.Sprintf("the mailbox %q cannot be opened", name)
	if len(names) > 0 {
		message += "; there are " + strings.Join(names, ", ")
	}
	return &remote.Error{Reason: remote.ReasonMailboxNotFound, Message: message, Err: cause}
}

// commandError gives a server's NO or BAD a message without the server's text, which may quote anything.
func commandError(command string, err error) error {
	var status *imap.Error
	if !errors.As(err, &status) {
		return err
	}
	code := ""
	if status.Code != "" {
		code = fmt.Sprintf(" (%s)", status.Code)
	}
	return &remote.Error{Reason: remote.ReasonProtocolError, Message: fmt.Sprintf("the server answered %s to %s%s", status.Type, command, code), Err: err}
}

// Noop lets the server tell what changed: a SEARCH on a session that stayed open otherwise sees the past.
func (s *Session) Noop(ctx context.Context) error {
	return commandError("NOOP", s.within(ctx, s.cfg.CommandTimeout, "NOOP", func() error {
		return s.client.Noop().Wait()
	}))
}

// SearchUnseen lists the UIDs of unseen mails from floor on that carry every header of the list, in
// ascending order. Values are compared by the caller: the server's match is a case-blind substring.
func (s *Session) SearchUnseen(ctx context.Context, floor uint32, headers []string) ([]uint32, error) {
	return s.searchFrom(ctx, floor, headers, &imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}})
}

// SearchFrom lists the UIDs of all mails from floor on, seen or not, that carry every header of the list.
func (s *Session) SearchFrom(ctx context.Context, floor uint32, headers []string) ([]uint32, error) {
	return s.searchFrom(ctx, floor, headers, &imap.SearchCriteria{UID: []imap.UIDSet{{{Start: imap.UID(max(floor, 1))}}}})
}

func (s *Session) searchFrom(ctx context.Context, floor uint32, headers []string, criteria *imap.SearchCriteria) ([]uint32, error) {
	for _, h := range headers {
		criteria.Header = append(criteria.Header, imap.SearchCriteriaHeaderField{Key: h})
	}
	uids, err := s.search(ctx, criteria)
	if err != nil {
		return nil, err
	}
	// A range that is open at its end always has the last mail in it.
	kept := uids[:0]
	for _, u := range uids {
		if u >= floor {
			kept = append(kept, u)
		}
	}
	return kept, nil
}

// FirstSince is the lowest UID of the mails that arrived on that day or later; 0 when there is none.
func (s *Session) FirstSince(ctx context.Context, day time.Time) (uint32, error) {
	uids, err := s.search(ctx, &imap.SearchCriteria{Since: day})
	if err != nil || len(uids) == 0 {
		return 0, err
	}
	return uids[0], nil
}

// AllUIDs lists every mail of the mailbox in ascending order.
func (s *Session) AllUIDs(ctx context.Context) ([]uint32, error) {
	return s.search(ctx, &imap.SearchCriteria{})
}

// LastUID is the highest UID in the mailbox; 0 when it is empty.
func (s *Session) LastUID(ctx context.Context) (uint32, error) {
	uids, err := s.search(ctx, &imap.SearchCriteria{})
	if err != nil || len(uids) == 0 {
		return 0, err
	}
	return uids[len(uids)-1], nil
}

func (s *Session) search(ctx context.Context, criteria *imap.SearchCriteria) ([]uint32, error) {
	// From here on an arriving mail is news again.
	select {
	case <-s.changed:
	default:
	}
	var data *imap.SearchData
	err := s.within(ctx, s.cfg.CommandTimeout, "SEARCH", func() (err error) {
		data, err = s.client.UIDSearch(criteria, nil).Wait()
		return err
	})
	if err != nil {
		return nil, commandError("SEARCH", err)
	}
	set, ok := data.All.(imap.UIDSet)
	if !ok {
		return nil, nil
	}
	uids, ok := set.Nums() // sorted, and false for a set that is open at the end
	if !ok {
		return nil, &remote.Error{Reason: remote.ReasonProtocolError, Message: "the server answered SEARCH with an endless set"}
	}
	list := make([]uint32, len(uids))
	for i, u := range uids {
		list[i] = uint32(u)
	}
	return list, nil
}

// Seen is a STORE of \Seen under way.
type Seen struct {
	s    *Session
	done chan struct{}
	err  error
}

// MarkSeen starts to set \Seen on mails; Wait for the answer after the next command was sent, so that it
// costs no round trip.
func (s *Session) MarkSeen(ctx context.Context, uids []uint32) (*Seen, error) {
	return s.storeSeen(ctx, imap.StoreFlagsAdd, uids)
}

// MarkUnseen starts to take \Seen off mails.
func (s *Session) MarkUnseen(ctx context.Context, uids []uint32) (*Seen, error) {
	return s.storeSeen(ctx, imap.StoreFlagsDel, uids)
}

func (s *Session) storeSeen(ctx context.Context, op imap.StoreFlagsOp, uids []uint32) (*Seen, error) {
	m := &Seen{s: s, done: make(chan struct{})}
	err := s.within(ctx, s.cfg.CommandTimeout, "STORE", func() error {
		cmd := s.client.Store(uidSet(uids), &imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}, nil)
		// Read from the start, as a Fetch is: an answer that nobody takes stops go-imap's reader.
		go func() {
			defer close(m.done)
			m.err = cmd.Close()
		}()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Wait for the server's answer.
func (m *Seen) Wait(ctx context.Context) error {
	return commandError("STORE", m.s.within(ctx, m.s.cfg.CommandTimeout, "STORE", func() error {
		<-m.done
		return m.err
	}))
}

func uidSet(uids []uint32) imap.UIDSet {
	var set imap.UIDSet
	for _, u := range uids {
		set.AddNum(imap.UID(u))
	}
	return set
}

// Idle waits until mails arrived (true), something is to be done (true) or d has passed (false). The server's notice may already be there.
func (s *Session) Idle(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	select {
	case <-s.changed:
		return true, nil
	default:
	}
	var idle interface {
		Close() error
		Wait() error
	}
	// The server must acknowledge, or Idle would wait for ever.
	err := s.within(ctx, s.cfg.CommandTimeout, "IDLE", func() (err error) {
		s.bye.watch(true)
		idle, err = s.client.Idle()
		return err
	})
	defer s.bye.watch(false)
	if err != nil {
		return false, commandError("IDLE", err)
	}
	changed, waitErr := s.awaitNotice(ctx, d, wake)
	// No command may be sent before DONE is answered.
	err = s.within(ctx, s.cfg.CommandTimeout, "DONE", func() error {
		if err := idle.Close(); err != nil {
			return err
		}
		return idle.Wait()
	})
	if waitErr != nil {
		return false, waitErr
	}
	return changed, commandError("IDLE", err)
}

func (s *Session) awaitNotice(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-s.changed:
		return true, nil
	case <-wake:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-s.bye.seen:
		// Some servers say BYE and leave the connection open.
		s.breakOff()
		return false, &remote.Error{Reason: remote.ReasonConnectionFailed, Message: "the server said goodbye"}
	case <-s.client.Closed():
		return false, s.closed(ctx)
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// Wait is Idle for a server without IDLE, or an account that only polls.
func (s *Session) Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
		return nil
	case <-timer.C:
		return nil
	case <-s.client.Closed():
		return s.closed(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// closed is why the connection that was waited on is gone.
func (s *Session) closed(ctx context.Context) error {
	s.broken.Store(true)
	return s.classify(ctx, errors.New("connection closed"))
}

// Refused reports whether err is the server's NO to a command that it understood; the connection is sound.
func Refused(err error) bool {
	var status *imap.Error
	return errors.As(err, &status) && status.Type == imap.StatusResponseTypeNo
}
