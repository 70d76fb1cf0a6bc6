package voice

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// everything is a center that uses every feature at least once, with texts
// that mean something to every parser they could reach.
func everything(t testing.TB) Center {
	t.Helper()
	return Center{PBX: everyPBX(t), Agents: everyAgent(), Telephones: everyTelephone(), Queues: everyQueue()}
}

const hostileName = `Rossi, "A"; (b [c] \ ${SHELL(id)} $[1+1] <x> é`

func everyPBX(t testing.TB) PBX {
	return PBX{
		Realm: "ringmaster", BindAddress: "127.0.0.1", AdvertisedAddress: "pbx.example.com", LocalNetworks: []string{"127.0.0.0/8", "10.0.0.0/8"},
		UDPPort: 5060, TCPPort: 5060, TLSPort: 5061, WSPort: 8088, WSSPort: 8089,
		Certificate: selfSigned(t), StateDir: "/var/lib/ringmaster",
		AllowedContexts: []string{"internal"}, RingTimeout: 30 * time.Second, QualifyInterval: time.Minute,
		OutboundContext: "trunks", ServicePrefixes: []string{"0", "*9"}, ForbiddenPrefixes: []string{"00", "+"},
		MusicClasses:       []MusicClass{{Name: "quiet", Directory: "moh"}, {Name: "sales.2", Directory: "/srv/music/sales_2"}},
		RecordingDirectory: "center/recordings",
	}
}

func everyAgent() []Endpoint {
	alice := testEndpoint("1001")
	alice.Name = "1001"
	alice.DisplayName = hostileName
	alice.Transport = WSS
	alice.Language = "en-GB"
	alice.CallGroups, alice.PickupGroups = []int{3, 1, 3}, []int{1}
	alice.NamedCallGroups, alice.NamedPickupGroups = []string{"sales", "billing"}, []string{"sales"}
	alice.Voicemail = &Mailbox{
		Owner: "0c9d8d6e-2b1f-4a6e-9a34-4f6a9d2d7c11", PIN: "4711", Greeting: GreetingSilent,
		MaxMessages: 25, MaxMessageLength: 90 * time.Second, Language: "en-GB",
	}
	alice.Monitoring, alice.Supervisors = true, []string{"1003", "1002"}
	alice.Recording, alice.ManualRecording, alice.RingInUse = Wav49, true, true
	alice.AutoAnswer = new(2500 * time.Millisecond)
	alice.OutboundPrefixRequired = true

	bob := testEndpoint("1002")
	bob.CallerID = CallerID{Name: hostileName, Number: "+391234"}
	bob.NAT, bob.NATCompatibility = NATRoute, NATAsterisk14
	bob.Codecs = []string{"g722", "alaw"}
	bob.Expires = 3 * time.Hour
	bob.Context = "internal"
	bob.Voicemail = &Mailbox{PIN: "0815", FullName: hostileName, Greeting: GreetingInstructions}
	bob.Recording, bob.AutoAnswer = Gsm, new(time.Duration(0))
	bob.Telephone = "desk-1.north"

	static := testEndpoint("1003")
	static.Transport, static.Static = TCP, &Host{Host: "192.0.2.7"}
	static.Recording = Wav
	peer := testEndpoint("1004")
	peer.Role, peer.Transport, peer.Static = Peer, TLS, &Host{Host: "2001:db8::7", Port: 5071}
	browser := testEndpoint("1005")
	browser.Transport = WS
	caller := testEndpoint("20")
	caller.Role, caller.NAT = User, NATNone
	caller.Voicemail = &Mailbox{PIN: "123456"}
	return []Endpoint{bob, caller, alice, static, peer, browser}
}

func everyTelephone() []Endpoint {
	telephone := func(name string) Endpoint {
		return Endpoint{
			Key: "Telephone/" + name, Name: name, Username: name, DisplayName: hostileName, HA1: HA1(name, "ringmaster", "secret"),
		}
	}
	north, south := telephone("desk-1.north"), telephone("Desk_2")
	south.Context, south.Static = "internal", &Host{Host: "192.0.2.8", Port: 5080}
	return []Endpoint{north, south}
}

func everyQueue() []Queue {
	return []Queue{
		{
			Key: "Queue/support", Name: "support", Number: "600", Strategy: RROrdered, Weight: 7, Timeout: 20 * time.Second, Retry: 4 * time.Second,
			WrapUpTime: 15 * time.Second, MaxLen: 50, MaxWaitTime: 5 * time.Minute, ServiceLevel: 20 * time.Second,
			JoinWhenEmpty:  []EmptyReason{EmptyUnavailable, EmptyPaused, EmptyPenalty, EmptyInUse, EmptyRinging, EmptyInvalid, EmptyUnknown, EmptyWrapUp},
			LeaveWhenEmpty: []EmptyReason{EmptyInvalid, EmptyUnavailable},
			Announcements: Announcements{
				Position: PositionMore, PositionLimit: 3, HoldTime: HoldTimeOnce, Interval: 45 * time.Second, MinInterval: 20 * time.Second,
				Sounds: Sounds{
					YouAreNext: "queue-youarenext", ThereAre: "queue-thereare", CallsWaiting: "queue-callswaiting", HoldTime: "queue-holdtime",
					Minute: "queue-minute", Minutes: "queue-minutes", Seconds: "queue-seconds", ThankYou: "queue-thankyou",
					QuantityOne: "queue-quantity1", QuantityTwo: "/srv/sounds/queue-quantity2",
				},
			},
			Periodic:   PeriodicAnnouncement{Sounds: []string{"queue-periodic-announce", "custom/patience"}, Interval: 30 * time.Second},
			MusicClass: "quiet", AutoPause: AutoPauseAll, AutoPauseDelay: 10 * time.Second, AutoPauseOnBusy: true, AutoPauseOnUnavailable: true,
			MemberDelay: time.Second,
			Members: []Member{
				{Extension: "1002", Penalty: 5, Name: hostileName}, {Extension: "1001", Name: "Alice Rossi", WrapUpTime: 30 * time.Second}, {Extension: "1003"},
			},
		},
		{Key: "Queue/empty", Name: "empty"},
		{Key: "Queue/short", Name: "sales.2", Number: "*5", Strategy: Ringall, MusicClass: "default", Members: []Member{{Extension: "1001"}}},
	}
}

// selfSigned is a certificate that is a new one every time.
func selfSigned(t testing.TB) *Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "pbx.example.com"}, DNSNames: []string{"pbx.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &Certificate{
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}
}
