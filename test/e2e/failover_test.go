package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/ringmaster-dev/ringmaster/internal/store"
	"github.com/ringmaster-dev/ringmaster/test/deskclient"
	"github.com/ringmaster-dev/ringmaster/test/env"
)

var _ = Describe("Two managers on one PostgreSQL", func() {
	const letters = 20

	It("hand over when the leader is killed, and assign nothing twice", func(ctx SpecContext) {
		pair, url := startPair(ctx)
		const force = "deletionPolicy: Force" // they leave with their hands full
		apply(ctx, center, signIn("gina", `extension: "1601"`, force), signIn("hans", `extension: "1602"`, force),
			mailQueue("failover", "10m"), mailbox("failover", "FAIL", "failover"))
		awaitReady(ctx, center, "agent/gina", "agent/hans", "queue/failover", "emailaccount/failover", "pbx/main")
		gina, hans := registered(ctx, "gina"), registered(ctx, "hans")
		leader, other := pair.leader(ctx)
		at := map[string]*deskclient.Client{
			"gina": atDeskOf(ctx, leader.DeskURL, center, "gina"), "hans": atDeskOf(ctx, other.DeskURL, center, "hans"),
		}

		By("working on either")
		write("failover", "before")
		accepted := map[string]string{} // who, by interaction
		Eventually(takeOffers).WithArguments(ctx, at, accepted).Should(Equal(1))
		for id, who := range accepted {
			_, err := at[who].Reply(ctx, id, "Here is your answer.")
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(answer(ctx, "Re: before").Text).To(ContainSubstring("Here is your answer"))

		By("killing the leader among mails")
		for n := range letters {
			if n == letters/2 {
				Expect(leader.Kill9()).To(Succeed())
				Expect(other.TakeWebhooks(ctx)).To(Succeed())
			}
			write("failover", fmt.Sprintf("during %d", n))
		}
		call := talk(ctx, gina, "1602")
		Expect(call.Hangup(ctx)).To(Succeed())
		// Sessions are in the store: gina's client goes on at the other manager.
		at["gina"] = at["gina"].At(other.DeskURL)
		Eventually(takeOffers).WithArguments(ctx, at, accepted).Should(Equal(1 + letters))

		By("the other one taking over")
		Eventually(func() error { return listens(ctx, other.LinkAddr) }).Should(Succeed())
		apply(ctx, center, agent("iris", `extension: "1603"`))
		awaitReady(ctx, center, "agent/iris", "pbx/main")
		registered(ctx, "iris")
		Expect(talk(ctx, hans, "1603").Hangup(ctx)).To(Succeed())

		By("the store's own account of it")
		db, err := store.Open(ctx, url)
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(db.Close()).To(Succeed()) }()
		all := interactions(ctx, db, center)
		Expect(all).To(HaveLen(1+letters), "every mail once")
		for _, i := range all {
			history, err := db.History(ctx, center, i.ID)
			Expect(err).NotTo(HaveOccurred())
			var to []string
			for _, t := range history {
				if t.Reason == "Accepted" {
					to = append(to, t.Agent)
				}
			}
			Expect(to).To(Equal([]string{accepted[i.ID]}), "%s is with one agent", i.Subject)
		}
	}, SpecTimeout(6*time.Minute))
})

// pair is two managers and the address that pbxlets know them by.
type pair struct{ a, b *env.ManagerServer }

// startPair puts two managers on a new database in the place of the stack's own, until the spec has ended.
func startPair(ctx context.Context) (*pair, string) {
	GinkgoHelper()
	postgres, err := stack.Env.StartPostgres(ctx, env.PostgresOptions{})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(postgres.Stop)
	url, err := postgres.CreateDatabase(ctx)
	Expect(err).NotTo(HaveOccurred())

	Expect(stack.Manager.Stop()).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(stack.Manager.Restart(ctx)).To(Succeed())
		Expect(stack.Manager.TakeWebhooks(ctx)).To(Succeed())
		awaitLink(ctx, stack.Manager.LinkAddr)
		awaitReady(ctx, center, "pbx/main")
	}, NodeTimeout(patience*2))

	link := newBalancer()
	p := &pair{}
	for name, m := range map[string]**env.ManagerServer{"manager-a": &p.a, "manager-b": &p.b} {
		*m, err = stack.Env.StartManager(ctx, stack.Control, env.ManagerOptions{
			Name: name, Store: url, Args: []string{"--link-advertised-address", link.addr()},
		})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup((*m).Stop)
		link.add((*m).LinkAddr)
	}
	// Objects go while there still is a manager to let go of them.
	DeferCleanup(func(ctx SpecContext) { clean(ctx, center) }, NodeTimeout(patience*2))
	awaitLink(ctx, link.addr())
	return p, url
}

// awaitLink brings the pbxlet the link Secret as soon as it names an address.
func awaitLink(ctx context.Context, addr string) {
	GinkgoHelper()
	Eventually(func() string { return string(getSecret(ctx, center, "main-link").Data["server"]) }).Should(Equal(addr))
	Expect(stack.Env.RefreshLinkSecret(ctx, stack.Control, center, "main")).To(Succeed())
}

// leader is the one that pbxlets reach.
func (p *pair) leader(ctx context.Context) (leader, other *env.ManagerServer) {
	GinkgoHelper()
	Eventually(func() bool {
		a, b := listens(ctx, p.a.LinkAddr) == nil, listens(ctx, p.b.LinkAddr) == nil
		leader, other = p.a, p.b
		if b {
			leader, other = p.b, p.a
		}
		return a != b
	}).Should(BeTrue(), "one leads")
	return leader, other
}

func listens(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// takeOffers accepts what is offered to each agent and notes who has what; it returns how many that are by now.
func takeOffers(ctx context.Context, at map[string]*deskclient.Client, accepted map[string]string) (int, error) {
	for who, d := range at {
		offers, err := d.Interactions(ctx, "state=Offered&mine=true&limit=100")
		if err != nil {
			return 0, err
		}
		for _, i := range offers {
			if err := d.Command(ctx, i.ID, "accept"); err != nil {
				return 0, err
			}
			if before, taken := accepted[i.ID]; taken {
				return 0, StopTrying(fmt.Sprintf("%s was accepted by %s and by %s", i.Subject, before, who))
			}
			accepted[i.ID] = who
		}
	}
	return len(accepted), nil
}

// balancer is a TCP address before several, as a Service is: who connects gets the first backend that listens.
type balancer struct {
	listener net.Listener
	mu       sync.Mutex
	backends []string
}

func newBalancer() *balancer {
	GinkgoHelper()
	l, err := net.Listen("tcp", net.JoinHostPort(env.Loopback, "0"))
	Expect(err).NotTo(HaveOccurred())
	b := &balancer{listener: l}
	DeferCleanup(l.Close)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go b.forward(conn)
		}
	}()
	return b
}

func (b *balancer) addr() string { return b.listener.Addr().String() }

func (b *balancer) add(backend string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = append(b.backends, backend)
}

func (b *balancer) dial() (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, backend := range b.backends {
		conn, err := net.Dial("tcp", backend)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

func (b *balancer) forward(from net.Conn) {
	defer from.Close()
	to, err := b.dial()
	if err != nil {
		return
	}
	defer to.Close()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			done <- struct{}{}
		}()
	}
	<-done
}
