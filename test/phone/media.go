package phone

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	payloadPCMU  = 0   // RFC 3551, table 4
	payloadEvent = 101 // telephone-event, dynamic
	frame        = 20 * time.Millisecond
	frameSamples = 160 // 20 ms at 8 kHz
	eventFrames  = 5   // packets per digit, and as many of silence after it
)

// media is one RTP stream (RFC 3550) of PCMU: it sends a frame every 20 ms
// and counts the frames that come in.
type media struct {
	conn     *net.UDPConn
	remote   *net.UDPAddr
	sent     atomic.Int64
	received atomic.Int64
	digits   chan byte
	stop     chan struct{}
	stopOnce sync.Once
	wg       sync.WaitGroup
}

func newMedia(local string) (*media, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(local)})
	if err != nil {
		return nil, fmt.Errorf("phone: media: %w", err)
	}
	return &media{conn: conn, digits: make(chan byte), stop: make(chan struct{})}, nil
}

// sdp is our offer or answer (RFC 8866).
func (m *media) sdp() []byte {
	at := m.conn.LocalAddr().(*net.UDPAddr)
	return []byte(strings.Join([]string{
		"v=0",
		fmt.Sprintf("o=- 1 1 IN IP4 %s", at.IP),
		"s=-",
		fmt.Sprintf("c=IN IP4 %s", at.IP),
		"t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %d %d", at.Port, payloadPCMU, payloadEvent),
		fmt.Sprintf("a=rtpmap:%d PCMU/8000", payloadPCMU),
		fmt.Sprintf("a=rtpmap:%d telephone-event/8000", payloadEvent),
		fmt.Sprintf("a=fmtp:%d 0-16", payloadEvent),
		"a=ptime:20",
		"a=sendrecv",
		"",
	}, "\r\n"))
}

// connect reads where the other side wants its audio.
func (m *media) connect(sdp []byte) error {
	var ip net.IP
	port := 0
	for line := range strings.Lines(string(sdp)) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "c=IN IP4 ") && len(fields) == 3:
			ip = net.ParseIP(fields[2])
		case strings.HasPrefix(line, "m=audio ") && len(fields) > 2:
			port, _ = strconv.Atoi(fields[1])
		}
	}
	if ip == nil || port == 0 {
		return fmt.Errorf("phone: the other side's SDP names no audio address: %q", sdp)
	}
	m.remote = &net.UDPAddr{IP: ip, Port: port}
	return nil
}

func (m *media) start() {
	m.wg.Go(m.send)
	m.wg.Go(m.receive)
}

func (m *media) close() {
	m.stopOnce.Do(func() {
		close(m.stop)
		_ = m.conn.Close()
	})
	m.wg.Wait()
}

func (m *media) receive() {
	buf := make([]byte, 2048)
	for {
		n, _, err := m.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		if n > 12 && buf[0]>>6 == 2 && buf[1]&0x7f == payloadPCMU {
			m.received.Add(1)
		}
	}
}

// send writes one packet every frame: audio, or a queued DTMF event. An event
// keeps the timestamp of its first packet, and its last is sent three times
// with the end bit (RFC 4733, 2.5.1.4).
func (m *media) send() {
	var (
		seq    = uint16(rand.Uint32())
		ts     = rand.Uint32()
		ssrc   = rand.Uint32()
		ticker = time.NewTicker(frame)
		digit  byte
		left   int
		at     uint32
	)
	defer ticker.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
		}
		ts += frameSamples
		seq++
		if left == 0 {
			select {
			case digit = <-m.digits:
				left, at = 2*eventFrames, ts
			default:
			}
		}
		switch {
		case left > eventFrames:
			m.event(seq, at, ssrc, digit, uint16(ts-at)+frameSamples, left == 2*eventFrames, false)
			left--
		case left > eventFrames-3:
			m.event(seq, at, ssrc, digit, eventFrames*frameSamples, false, true)
			left--
		default:
			left = max(left-1, 0)
			m.audio(seq, ts, ssrc)
		}
	}
}

func (m *media) audio(seq uint16, ts, ssrc uint32) {
	packet := header(seq, ts, ssrc, payloadPCMU, false)
	for i := range frameSamples {
		// A 1 kHz square wave, loud enough not to be taken for silence.
		level := byte(0x90)
		if i%8 < 4 {
			level = 0x10
		}
		packet = append(packet, level)
	}
	if _, err := m.conn.WriteToUDP(packet, m.remote); err == nil {
		m.sent.Add(1)
	}
}

func (m *media) event(seq uint16, ts, ssrc uint32, digit byte, duration uint16, first, end bool) {
	packet := header(seq, ts, ssrc, payloadEvent, first)
	volume := byte(10)
	if end {
		volume |= 0x80
	}
	packet = append(packet, digit, volume)
	packet = binary.BigEndian.AppendUint16(packet, duration)
	_, _ = m.conn.WriteToUDP(packet, m.remote)
}

func header(seq uint16, ts, ssrc uint32, payload byte, marker bool) []byte {
	if marker {
		payload |= 0x80
	}
	b := make([]byte, 0, 12+frameSamples)
	b = append(b, 2<<6, payload)
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, ts)
	return binary.BigEndian.AppendUint32(b, ssrc)
}
