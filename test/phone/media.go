package phone

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	payloadPCMU  = 0   // RFC 3551, table 4
	payloadPCMA  = 8   // RFC 3551, table 4
	payloadEvent = 101 // telephone-event, dynamic
	frame        = 20 * time.Millisecond
	frameSamples = 160 // 20 ms at 8 kHz
	eventFrames  = 5   // packets per digit, and as many of silence after it
)

// The values of a=sendrecv and its kin (RFC 8866, 6.7).
const (
	sendRecv = "sendrecv"
	sendOnly = "sendonly"
)

// media is one RTP stream (RFC 3550) of G.711: it sends a frame of a tone
// every 20 ms, and counts and listens to the frames that come in.
type media struct {
	conn     *net.UDPConn
	shown    net.IP
	payloads []byte // in order of preference
	remote   *net.UDPAddr
	payload  byte
	tone     atomic.Uint64 // float64 bits of the frequency, in Hz
	sent     atomic.Int64
	received atomic.Int64
	ear      ear
	digits   chan byte
	stop     chan struct{}
	stopOnce sync.Once
	wg       sync.WaitGroup
}

func newMedia(opts Options) (*media, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(opts.Local)})
	if err != nil {
		return nil, fmt.Errorf("phone: media: %w", err)
	}
	m := &media{conn: conn, shown: conn.LocalAddr().(*net.UDPAddr).IP, digits: make(chan byte), stop: make(chan struct{})}
	if opts.MediaAddress != "" {
		m.shown = net.ParseIP(opts.MediaAddress)
	}
	for _, c := range opts.Codecs {
		m.payloads = append(m.payloads, payloadOf[c])
	}
	m.setTone(opts.Tone)
	return m, nil
}

func (m *media) setTone(hz float64) { m.tone.Store(math.Float64bits(hz)) }

// sdp is our offer or answer (RFC 8866).
func (m *media) sdp(direction string) []byte {
	list, maps := "", []string{}
	for _, p := range m.payloads {
		list += fmt.Sprintf(" %d", p)
		maps = append(maps, fmt.Sprintf("a=rtpmap:%d %s/8000", p, strings.ToUpper(codecOf(p))))
	}
	return []byte(strings.Join(slices.Concat([]string{
		"v=0",
		fmt.Sprintf("o=- 1 1 IN IP4 %s", m.shown),
		"s=-",
		fmt.Sprintf("c=IN IP4 %s", m.shown),
		"t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP%s %d", m.conn.LocalAddr().(*net.UDPAddr).Port, list, payloadEvent),
	}, maps, []string{
		fmt.Sprintf("a=rtpmap:%d telephone-event/8000", payloadEvent),
		fmt.Sprintf("a=fmtp:%d 0-16", payloadEvent),
		"a=ptime:20",
		"a=" + direction,
		"",
	}), "\r\n"))
}

// payloadOf are the codecs a phone can speak, by Asterisk's names.
var payloadOf = map[string]byte{"ulaw": payloadPCMU, "alaw": payloadPCMA}

// codecOf is a payload's name in SDP, in lower case.
func codecOf(payload byte) string {
	if payload == payloadPCMA {
		return "pcma"
	}
	return "pcmu"
}

// connect reads where the other side wants its audio and in which codec: the
// first of its list that is also ours.
func (m *media) connect(sdp []byte) error {
	var ip net.IP
	port := 0
	var offered []string
	for line := range strings.Lines(string(sdp)) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "c=IN IP4 ") && len(fields) == 3:
			ip = net.ParseIP(fields[2])
		case strings.HasPrefix(line, "m=audio ") && len(fields) > 3:
			port, _ = strconv.Atoi(fields[1])
			offered = fields[3:]
		}
	}
	if ip == nil || port == 0 {
		return fmt.Errorf("phone: the other side's SDP names no audio address: %q", sdp)
	}
	for _, o := range offered {
		for _, p := range m.payloads {
			if o == strconv.Itoa(int(p)) {
				m.remote, m.payload = &net.UDPAddr{IP: ip, Port: port}, p
				return nil
			}
		}
	}
	return fmt.Errorf("phone: none of the payloads %v is ours", offered)
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
	pcm := make([]int16, 0, len(buf))
	for {
		n, _, err := m.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		if n <= 12 || buf[0]>>6 != 2 {
			continue
		}
		decode := decodeUlaw
		switch buf[1] & 0x7f {
		case payloadPCMU:
		case payloadPCMA:
			decode = decodeAlaw
		default:
			continue
		}
		m.received.Add(1)
		pcm = pcm[:0]
		for _, b := range buf[12:n] {
			pcm = append(pcm, decode(b))
		}
		m.ear.hear(pcm)
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
		voice  tone
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
			m.audio(seq, ts, ssrc, &voice)
		}
	}
}

func (m *media) audio(seq uint16, ts, ssrc uint32, voice *tone) {
	packet := header(seq, ts, ssrc, m.payload, false)
	encode := encodeUlaw
	if m.payload == payloadPCMA {
		encode = encodeAlaw
	}
	hz := math.Float64frombits(m.tone.Load())
	for range frameSamples {
		packet = append(packet, encode(voice.next(hz)))
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
