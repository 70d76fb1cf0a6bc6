package voice_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/voice"
)

// BenchmarkRender is what every change of a center of 5,000 agents costs before it is sent.
func BenchmarkRender(b *testing.B) {
	c := voice.Center{PBX: voice.PBX{Realm: "ringmaster", UDPPort: 5060, TCPPort: 5060}}
	for n := range 5000 {
		name := fmt.Sprintf("agent%05d", n)
		c.Agents = append(c.Agents, voice.Endpoint{
			Key: "Agent/" + name, Extension: strconv.Itoa(10000 + n), Username: name, DisplayName: "Agent " + strconv.Itoa(n), Language: "en",
			HA1: voice.HA1(name, "ringmaster", "secret"), Transport: voice.UDP, NAT: voice.NATForceRportComedia,
			Context: voice.DefaultContext, Expires: time.Hour,
		})
	}
	for b.Loop() {
		if _, err := voice.Render(c); err != nil {
			b.Fatal(err)
		}
	}
}
