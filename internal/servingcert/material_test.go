package servingcert

import (
	"crypto/x509"
	"maps"
	"net"
	"slices"
	"testing"
	"time"
)

var (
	start     = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	testNames = names{dns: []string{"ringmaster-webhook.ringmaster-system.svc", "localhost"}, ips: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
)

func mustRenew(t *testing.T, m material, now time.Time, n names) (material, bool) {
	t.Helper()
	next, changed, err := m.renewed(now, n)
	if err != nil {
		t.Fatal(err)
	}
	return next, changed
}

func mustReread(t *testing.T, m material) material {
	t.Helper()
	data, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	return parse(data)
}

func pool(m material) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(m.bundle())
	return p
}

// Thirty years, some days at a time: whoever has the bundle of thirty days ago can connect.
func TestThirtyYears(t *testing.T) {
	const (
		day   = 24 * time.Hour
		step  = 5 * day
		steps = 30 * 365 * day / step
	)
	var m material
	var published []*x509.CertPool
	authorities, leaves := 0, 0
	for d := range int(steps) {
		now := start.Add(time.Duration(d) * step)
		next, changed := mustRenew(t, m, now, testNames)
		if again, changed := mustRenew(t, mustReread(t, next), now, testNames); changed || string(again.bundle()) != string(next.bundle()) {
			t.Fatalf("step %d: what was written is not accepted as it is", d)
		}
		if d == 0 || !m.authorities[0].Equal(next.authorities[0]) {
			authorities++
		}
		if d == 0 || !m.leaf.Leaf.Equal(next.leaf.Leaf) {
			leaves++
		}
		if d > 0 && !changed && m.leaf != next.leaf {
			t.Fatalf("step %d: changed is not reported", d)
		}
		m = next
		if published = append(published, pool(m)); len(published) > int(SettleTime/step) {
			published = published[1:]
		}
		for _, bundle := range []*x509.CertPool{published[0], pool(m)} {
			for _, name := range []string{"localhost", "::1"} {
				if _, err := m.leaf.Leaf.Verify(x509.VerifyOptions{Roots: bundle, CurrentTime: now, DNSName: name}); err != nil {
					t.Fatalf("step %d: %v", d, err)
				}
			}
		}
		if left := m.leaf.Leaf.NotAfter.Sub(now); left < CertificateLifetime/3-step-SettleTime {
			t.Fatalf("step %d: the certificate ends in %s", d, left)
		}
		if len(m.authorities) > 2 {
			t.Fatalf("step %d: %d authorities", d, len(m.authorities))
		}
	}
	// One authority in 8 years, one certificate in 8 months.
	if authorities != 4 || leaves < 44 || leaves > 46 {
		t.Errorf("30 years took %d authorities and %d certificates", authorities, leaves)
	}
}

func TestRenewedRepairs(t *testing.T) {
	whole, _ := mustRenew(t, material{}, start, testNames)
	data, err := whole.encode()
	if err != nil {
		t.Fatal(err)
	}
	other, _ := mustRenew(t, material{}, start, testNames)
	otherData, err := other.encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		damage map[string][]byte
		// what survives
		authority, leaf bool
	}{
		"whole":                      {damage: nil, authority: true, leaf: true},
		"no certificate":             {damage: map[string][]byte{CertificateKey: nil}, authority: true},
		"no private key":             {damage: map[string][]byte{PrivateKeyKey: nil}, authority: true},
		"private key of another":     {damage: map[string][]byte{PrivateKeyKey: otherData[PrivateKeyKey]}, authority: true},
		"pair of another authority":  {damage: map[string][]byte{PrivateKeyKey: otherData[PrivateKeyKey], CertificateKey: otherData[CertificateKey]}, authority: true},
		"text for a certificate":     {damage: map[string][]byte{CertificateKey: []byte("hello")}, authority: true},
		"authority in place of leaf": {damage: map[string][]byte{CertificateKey: data[BundleKey], PrivateKeyKey: data[AuthorityKeyKey]}, authority: true},
		"no authority key":           {damage: map[string][]byte{AuthorityKeyKey: nil}, leaf: true},
		"authority key of another":   {damage: map[string][]byte{AuthorityKeyKey: otherData[AuthorityKeyKey]}, leaf: true},
		"no bundle":                  {damage: map[string][]byte{BundleKey: nil}},
		"leaf for a bundle":          {damage: map[string][]byte{BundleKey: data[CertificateKey]}},
		"nothing":                    {damage: map[string][]byte{BundleKey: nil, AuthorityKeyKey: nil, CertificateKey: nil, PrivateKeyKey: nil}},
	} {
		t.Run(name, func(t *testing.T) {
			damaged := maps.Clone(data)
			maps.Copy(damaged, test.damage)
			now := start.Add(time.Hour)
			got, changed := mustRenew(t, parse(damaged), now, testNames)
			if authority := got.authorities[0].Equal(whole.authorities[0]); authority != test.authority {
				t.Errorf("authority kept: %t", authority)
			}
			if leaf := got.leaf.Leaf.Equal(whole.leaf.Leaf); leaf != test.leaf {
				t.Errorf("certificate kept: %t", leaf)
			}
			if changed != (!test.authority || !test.leaf) {
				t.Errorf("changed: %t", changed)
			}
			if !mustReread(t, got).leafIsGood(now, testNames) {
				t.Error("the result is not good")
			}
		})
	}
}

func TestNamesChange(t *testing.T) {
	m, _ := mustRenew(t, material{}, start, testNames)
	for name, test := range map[string]struct {
		names names
		want  bool
	}{
		"same":        {testNames, false},
		"fewer":       {names{dns: testNames.dns[:1]}, false},
		"another DNS": {names{dns: append(slices.Clone(testNames.dns), "pbx.example.com"), ips: testNames.ips}, true},
		"another IP":  {names{dns: testNames.dns, ips: append(slices.Clone(testNames.ips), net.IPv4(192, 0, 2, 1))}, true},
	} {
		t.Run(name, func(t *testing.T) {
			next, changed := mustRenew(t, m, start.Add(time.Hour), test.names)
			if changed != test.want {
				t.Fatalf("changed: %t", changed)
			}
			if !next.authorities[0].Equal(m.authorities[0]) {
				t.Error("the authority was replaced")
			}
			if !next.leafIsGood(start.Add(time.Hour), test.names) {
				t.Error("the certificate lacks a name")
			}
		})
	}
}

// A replica that slept for years finds everything expired.
func TestEverythingExpired(t *testing.T) {
	m, _ := mustRenew(t, material{}, start, testNames)
	now := start.Add(AuthorityLifetime + time.Hour)
	next, changed := mustRenew(t, m, now, testNames)
	if !changed || len(next.authorities) != 1 || next.authorities[0].Equal(m.authorities[0]) || !next.leafIsGood(now, testNames) {
		t.Errorf("not replaced: changed %t, %d authorities", changed, len(next.authorities))
	}
}
