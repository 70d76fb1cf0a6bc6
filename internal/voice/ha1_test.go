package voice

import (
	"crypto/md5"
	"fmt"
	"testing"
)

func TestHA1(t *testing.T) {
	// The example of RFC 2617 section 3.5, whose response is MD5(HA1:nonce:nc:cnonce:qop:HA2).
	ha1 := HA1("Mufasa", "testrealm@host.com", "Circle Of Life")
	ha2 := fmt.Sprintf("%x", md5.Sum([]byte("GET:/dir/index.html")))
	response := fmt.Sprintf("%x", md5.Sum([]byte(
		ha1+":dcd98b7102dd2f0e8b11d0f600bfb0c093:00000001:0a4f113b:auth:"+ha2)))
	if want := "6629fae49393a05397450978507c4ef1"; response != want {
		t.Errorf("response %s, want %s", response, want)
	}
}
