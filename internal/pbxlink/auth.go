package pbxlink

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	// badTokenBurst wrong tokens from one address are answered at once, and
	// after them one every badTokenInterval.
	badTokenBurst    = 5
	badTokenInterval = 10 * time.Second
	// maxTracked bounds the addresses remembered.
	maxTracked = 4096
)

// guesses slows those who guess tokens down, by address and PBX, so that one
// pbxlet with an old token does not lock out its neighbours.
type guesses struct {
	mu  sync.Mutex
	all map[string]*rate.Limiter
}

// blocked tells whether the address has used up its wrong tokens.
func (g *guesses) blocked(addr string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.all[addr]
	return ok && l.Tokens() < 1
}

func (g *guesses) failed(addr string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[string]*rate.Limiter{}
	}
	l, ok := g.all[addr]
	if !ok {
		g.makeRoom()
		l = rate.NewLimiter(rate.Every(badTokenInterval), badTokenBurst)
		g.all[addr] = l
	}
	l.Allow()
}

// makeRoom forgets addresses that have waited long enough to be as new, and
// any other when there is none.
func (g *guesses) makeRoom() {
	if len(g.all) < maxTracked {
		return
	}
	for addr, l := range g.all {
		if l.Tokens() >= badTokenBurst {
			delete(g.all, addr)
		}
	}
	for addr := range g.all {
		if len(g.all) < maxTracked {
			return
		}
		delete(g.all, addr)
	}
}

// authenticate returns the PBX the caller has proved to be.
func (s *Server) authenticate(ctx context.Context) (pbx, remote string, err error) {
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
	}
	host := remote
	if h, _, splitErr := net.SplitHostPort(remote); splitErr == nil {
		host = h
	}
	pbx, token, err := credentials(ctx)
	if s.guesses.blocked(host + " " + pbx) {
		return "", remote, status.Error(codes.ResourceExhausted, "too many wrong tokens; try later")
	}
	if err == nil {
		if err = s.opts.Authenticate(ctx, pbx, token); err == nil {
			return pbx, remote, nil
		}
	}
	if ctx.Err() != nil {
		return "", remote, status.FromContextError(ctx.Err()).Err()
	}
	if st, ok := status.FromError(err); ok && st.Code() == codes.Unavailable {
		// The token could not be checked; that is not a wrong one.
		return "", remote, err
	}
	s.guesses.failed(host + " " + pbx)
	s.log.Warn("pbxlet refused", "pbx", pbx, "remote", remote, "error", err)
	return "", remote, status.Error(codes.Unauthenticated, "the PBX or its token is not known here")
}

func credentials(ctx context.Context) (pbx, token string, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	keys, auth := md.Get(MetadataPBX), md.Get(MetadataAuthorization)
	if len(keys) != 1 || len(auth) != 1 {
		return "", "", errors.New("the call carries no PBX or no token")
	}
	token, ok := strings.CutPrefix(auth[0], "Bearer ")
	if !ok || token == "" {
		return "", "", errors.New("the authorization is not a bearer token")
	}
	namespace, name, ok := strings.Cut(keys[0], "/")
	if !ok || namespace == "" || name == "" || len(keys[0]) > 512 {
		return "", "", errors.New("the PBX is not namespace/name")
	}
	return keys[0], token, nil
}
