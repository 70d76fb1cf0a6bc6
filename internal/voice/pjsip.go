package voice

import (
	"bytes"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const banner = "; Written by Ringmaster; changes made here are lost.\n"

// listeners are the transports that are switched on, in a fixed order.
func (p PBX) listeners() []listener {
	all := []listener{{UDP, p.UDPPort}, {TCP, p.TCPPort}, {TLS, p.TLSPort}, {WS, p.WSPort}, {WSS, p.WSSPort}}
	return slices.DeleteFunc(all, func(l listener) bool { return l.port == 0 })
}

type listener struct {
	transport Transport
	port      int
}

func (p PBX) offers(t Transport) bool {
	return slices.ContainsFunc(p.listeners(), func(l listener) bool { return l.transport == t })
}

func (p PBX) contexts() []string {
	all := append([]string{DefaultContext}, p.AllowedContexts...)
	slices.Sort(all)
	return slices.Compact(all)
}

func (p PBX) bindAddress() string {
	if p.BindAddress == "" {
		return "0.0.0.0"
	}
	return p.BindAddress
}

// phones are the objects of all phones, by their types.
type phones struct{ auth, aor, identify, endpoint *sections }

// renderPJSIP writes pjsip.conf, which changes only with the PBX and with static
// phones, and the files of the phones' objects.
func renderPJSIP(c Center, expect *Expect) ([]File, error) {
	n := len(c.Agents) + len(c.Telephones)
	objects := phones{newSections("auth", n), newSections("aor", n+1), newSections("identify", 0), newSections("endpoint", n)}
	for e := range c.endpoints() {
		want, err := objects.add(c.PBX, *e)
		if err != nil {
			return nil, err
		}
		expect.Endpoints = append(expect.Endpoints, want)
		if e.callable() {
			expect.AORs = append(expect.AORs, e.name())
		}
	}
	var b bytes.Buffer
	b.WriteString(banner)
	writeGlobal(&b, c.PBX)
	writeTransports(&b, c.PBX, expect)
	objects.identify.write(&b)
	aors := objects.aor.file()
	expect.PJSIPRevision = "ringmaster-" + digest(slices.Concat(b.Bytes(), aors))[:16]
	aors = fmt.Appendf(aors, "\n[%s]\ntype=aor\nmax_contacts=0\n", expect.PJSIPRevision)
	expect.AORs = append(expect.AORs, expect.PJSIPRevision)
	slices.Sort(expect.AORs)
	slices.SortFunc(expect.Endpoints, func(x, y ExpectEndpoint) int { return strings.Compare(x.Name, y.Name) })
	return []File{
		NewFile(PJSIPFile, b.Bytes()), NewFile(PJSIPAORFile, aors),
		NewFile(PJSIPAuthFile, objects.auth.file()), NewFile(PJSIPEndpointFile, objects.endpoint.file()),
	}, nil
}

// writeGlobal pins the realm of the challenge that an unknown user gets, so
// that it does not differ from a known user's, and how soon an expired contact
// is forgotten.
func writeGlobal(b *bytes.Buffer, p PBX) {
	fmt.Fprintf(b, "\n[ringmaster-global]\ntype=global\ndefault_realm=%s\ncontact_expiration_check_interval=10\n", p.Realm)
}

func writeTransports(b *bytes.Buffer, p PBX, expect *Expect) {
	for _, l := range p.listeners() {
		proto := strings.ToLower(string(l.transport))
		bind := net.JoinHostPort(p.bindAddress(), strconv.Itoa(l.port))
		fmt.Fprintf(b, "\n[%s]\ntype=transport\nprotocol=%s\nbind=%s\n", transportName(l.transport), proto, bind)
		if l.transport == TLS {
			fmt.Fprintf(b, "cert_file=%s\npriv_key_file=%s\nmethod=tlsv1_2\n", p.statePath(CertificateFile), p.statePath(KeyFile))
		}
		if p.AdvertisedAddress != "" && p.AdvertisedAddress != p.BindAddress {
			fmt.Fprintf(b, "external_media_address=%s\nexternal_signaling_address=%s\n", p.AdvertisedAddress, p.AdvertisedAddress)
			for _, n := range p.LocalNetworks {
				fmt.Fprintf(b, "local_net=%s\n", n)
			}
		}
		expect.Transports = append(expect.Transports, ExpectTransport{Name: transportName(l.transport), Protocol: proto, Bind: bind})
	}
	slices.SortFunc(expect.Transports, func(x, y ExpectTransport) int { return strings.Compare(x.Name, y.Name) })
}

// statePath is where Asterisk reads a file of the snapshot in force.
func (p PBX) statePath(file string) string { return path.Join(p.StateDir, "current", file) }

func transportName(t Transport) string { return "transport-" + strings.ToLower(string(t)) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// seconds rounds up to whole seconds; a zero d becomes byDefault.
func seconds(d, byDefault time.Duration) int {
	if d == 0 {
		d = byDefault
	}
	return int((d + time.Second - 1) / time.Second)
}
