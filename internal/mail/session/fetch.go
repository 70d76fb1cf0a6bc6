package session

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/ringmaster-dev/ringmaster/internal/mail/remote"
)

// Info is what is known of a mail before its body is fetched.
type Info struct {
	UID uint32
	// SeqNum is its place now; it may have moved when it is used.
	SeqNum uint32
	// Size the server announces, in bytes; some servers only estimate it.
	Size int64
	// Header holds the raw header fields that were asked for; nil when none were or the server lost them.
	Header []byte
}

// Describe fetches sizes and, if asked for, some header fields. Mails that are gone, or that the
// server did not answer for, are not in the result.
func (s *Session) Describe(ctx context.Context, uids []uint32, headers []string) (map[uint32]Info, error) {
	options := &imap.FetchOptions{UID: true, RFC822Size: true}
	if len(headers) > 0 {
		options.BodySection = []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierHeader, HeaderFields: headers, Peek: true}}
	}
	found := make(map[uint32]Info, len(uids))
	err := s.fetch(ctx, uidSet(uids), options, func(m *imapclient.FetchMessageData) error {
		info := Info{SeqNum: m.SeqNum, Size: -1}
		for item := m.Next(); item != nil; item = m.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				info.UID = uint32(item.UID)
			case imapclient.FetchItemDataRFC822Size:
				info.Size = item.Size
			case imapclient.FetchItemDataBodySection:
				header, err := readLiteral(item, maxHeader)
				if err != nil {
					return err
				}
				info.Header = header
			}
		}
		if info.UID != 0 && info.Size >= 0 {
			found[info.UID] = info
		}
		return nil
	})
	return found, err
}

// maxHeader bounds one fetched header.
const maxHeader = 16 << 20

// Body is a mail as the server gave it, whole.
type Body struct {
	UID uint32
	Raw []byte
}

// Fetch is a FETCH of bodies under way. It is read in the background from the start: a server may answer
// several fetches at once, and go-imap reads nothing more while one literal waits to be taken.
type Fetch struct {
	done   chan struct{}
	bodies []Body
	err    error
}

// wholeBody is BODY.PEEK[]: reading does not set \Seen.
func wholeBody() *imap.FetchOptions {
	return &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}
}

// StartFetch asks for the bodies of mails; sizes are the announced ones by UID and bound what is read.
// Several fetches may be under way.
func (s *Session) StartFetch(ctx context.Context, sizes map[uint32]int64) (*Fetch, error) {
	uids := make([]uint32, 0, len(sizes))
	for u := range sizes {
		uids = append(uids, u)
	}
	cmd, err := s.sendFetch(ctx, uidSet(uids), wholeBody())
	if err != nil {
		return nil, err
	}
	f := &Fetch{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.err = s.consume(ctx, cmd, func(m *imapclient.FetchMessageData) error {
			b, err := readBody(m, func(uid uint32) (int64, bool) { size, ok := sizes[uid]; return size, ok })
			if b != nil {
				f.bodies = append(f.bodies, *b)
			}
			return err
		})
	}()
	return f, nil
}

// Collect waits for the bodies. A mail of which the server gave no or not the whole body is missing from the
// result. With an error there is no result: a cut connection can end a literal early without an error of
// its own, so only what the end of the command confirms counts.
func (f *Fetch) Collect() ([]Body, error) {
	<-f.done
	if f.err != nil {
		return nil, f.err
	}
	return f.bodies, nil
}

// FetchOne fetches one mail by its sequence number, for servers that send the body before the UID, which
// UID FETCH loses. The answer must name the UID, so a mail that moved is not mistaken for it.
// It returns nil when the mail was not given.
func (s *Session) FetchOne(ctx context.Context, info Info) (*Body, error) {
	var body *Body
	err := s.fetch(ctx, imap.SeqSetNum(info.SeqNum), wholeBody(), func(m *imapclient.FetchMessageData) error {
		b, err := readBody(m, func(uint32) (int64, bool) { return info.Size, true })
		if b != nil && b.UID == info.UID {
			body = b
		}
		return err
	})
	return body, err
}

// FetchHeader fetches the header of a mail alone; nil when the server did not give it.
func (s *Session) FetchHeader(ctx context.Context, uid uint32) ([]byte, error) {
	options := &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierHeader, Peek: true}}}
	var header []byte
	err := s.fetch(ctx, uidSet([]uint32{uid}), options, func(m *imapclient.FetchMessageData) error {
		for item := m.Next(); item != nil; item = m.Next() {
			if section, ok := item.(imapclient.FetchItemDataBodySection); ok && section.Section.Specifier == imap.PartSpecifierHeader {
				raw, err := readLiteral(section, maxHeader)
				if err != nil {
					return err
				}
				header = raw
			}
		}
		return nil
	})
	return header, err
}

func (s *Session) fetch(ctx context.Context, set imap.NumSet, options *imap.FetchOptions, each func(*imapclient.FetchMessageData) error) error {
	cmd, err := s.sendFetch(ctx, set, options)
	if err != nil {
		return err
	}
	return s.consume(ctx, cmd, each)
}

func (s *Session) sendFetch(ctx context.Context, set imap.NumSet, options *imap.FetchOptions) (cmd *imapclient.FetchCommand, err error) {
	err = s.within(ctx, s.cfg.CommandTimeout, "FETCH", func() error {
		cmd = s.client.Fetch(set, options)
		return nil
	})
	if err != nil && cmd != nil {
		// Given up while it was sent: the answer may have begun already, and go-imap's reader would wait
		// for ever for its literal to be taken.
		_ = cmd.Close()
	}
	return cmd, err
}

// consume reads a FETCH to its end. There is no limit on the whole, only on standing still.
func (s *Session) consume(ctx context.Context, cmd *imapclient.FetchCommand, each func(*imapclient.FetchMessageData) error) error {
	s.expect(1)
	defer s.expect(-1)
	err := s.guarded(ctx, func() error {
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			if err := each(m); err != nil {
				// Draining the rest could take as long as the server likes.
				s.breakOff()
				if !errors.Is(err, errCut) {
					_ = cmd.Close() // releases go-imap's reader from the literal not taken
				}
				return err
			}
		}
		return cmd.Close()
	})
	return commandError("FETCH", err)
}

// expect counts the fetches under way; while there are any, the server may not stand still.
func (s *Session) expect(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected += change
	if s.expected > 0 {
		s.conn.Stall(s.cfg.StallTimeout)
	} else {
		s.conn.Stall(0)
	}
}

func (s *Session) fetching() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expected > 0
}

// readBody takes UID and body in whatever order they come.
func readBody(m *imapclient.FetchMessageData, announced func(uid uint32) (int64, bool)) (*Body, error) {
	var (
		body  Body
		whole bool
	)
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			body.UID = uint32(item.UID)
		case imapclient.FetchItemDataBodySection:
			if item.Literal == nil || item.Section.Specifier != imap.PartSpecifierNone || len(item.Section.Part) > 0 || item.Section.Partial != nil {
				continue
			}
			size, ok := announced(body.UID)
			if !ok {
				continue
			}
			raw, err := readLiteral(item, 2*size+1<<20)
			if err != nil {
				return nil, err
			}
			body.Raw, whole = raw, true
		}
	}
	if !whole || body.UID == 0 {
		return nil, nil
	}
	return &body, nil
}

// errCut: reading a literal failed. It must not be touched again, not even to discard it: go-imap's reader
// has gone on and the two would read from the connection at once.
var errCut = errors.New("literal cut")

// readLiteral reads a literal whole: a short one is an error, and so is one far beyond what was announced.
func readLiteral(item imapclient.FetchItemDataBodySection, most int64) ([]byte, error) {
	if item.Literal == nil {
		return nil, nil
	}
	size := item.Literal.Size()
	if size > most {
		return nil, &remote.Error{Reason: remote.ReasonProtocolError, Message: fmt.Sprintf("the server sent %d bytes where at most %d were expected", size, most)}
	}
	raw := make([]byte, size)
	n, err := io.ReadFull(item.Literal, raw)
	if err != nil && (size > 0 || !errors.Is(err, io.EOF)) {
		return nil, fmt.Errorf("body cut after %d of %d bytes: %w", n, size, errCut)
	}
	return raw, nil
}
