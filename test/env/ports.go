package env

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Loopback is the only address the parts listen on.
const Loopback = "127.0.0.1"

// Ports are taken below Linux' ephemeral range (32768 and up), so that no
// outgoing connection can grab one between our look and the server's bind.
const (
	firstPort, lastPort = 20000, 32767
	firstRTP, lastRTP   = 10000, 19999
	rtpBlock            = 200
)

// reservations keep other environments off a port for as long as this process
// lives. They are listeners on abstract Unix sockets: atomic between
// processes, without files, and gone with the process.
var (
	reservationsMu sync.Mutex
	reservations   []net.Listener
)

func reserve(name string) bool {
	l, err := net.Listen("unix", "@ringmaster-"+name)
	if err != nil {
		return false
	}
	reservationsMu.Lock()
	defer reservationsMu.Unlock()
	reservations = append(reservations, l)
	return true
}

// FreePort finds a loopback port free for both TCP and UDP and reserves it
// among all environments on the machine.
func FreePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if !reserve(fmt.Sprintf("port-%d", port)) {
			continue
		}
		if portFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", firstPort, lastPort)
}

func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports[i] = port
	}
	return ports, nil
}

func portFree(port int) bool {
	addr := addrOf(port)
	t, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer t.Close()
	u, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	defer u.Close()
	return true
}

// freeRTPRange reserves a block of UDP ports for media. A stray port in use
// inside it does no harm: Asterisk takes another one of the block.
func freeRTPRange() (first, last int, err error) {
	for range 200 {
		first = firstRTP + rtpBlock*rand.IntN((lastRTP-firstRTP+1)/rtpBlock)
		if reserve(fmt.Sprintf("rtp-%d", first)) && portFree(first) {
			return first, first + rtpBlock - 1, nil
		}
	}
	return 0, 0, fmt.Errorf("no free block of %d media ports between %d and %d", rtpBlock, firstRTP, lastRTP)
}

func addrOf(port int) string { return fmt.Sprintf("%s:%d", Loopback, port) }
