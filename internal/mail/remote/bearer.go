package remote

import (
	"strings"

	"github.com/emersion/go-sasl"
)

// XOAuth2 is the mechanism that providers had before RFC 7628.
const XOAuth2 = "XOAUTH2"

// Bearer is the client of the first mechanism for access tokens that a server offers.
func (a Auth) Bearer(s Server, offers func(mechanism string) bool) (sasl.Client, error) {
	switch {
	case offers(sasl.OAuthBearer):
		return &bearer{Client: sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{
			Username: saslName.Replace(a.Username), Token: a.Token.Reveal(), Host: s.Host, Port: s.Port,
		}), goOn: []byte{1}}, nil
	case offers(XOAuth2):
		return &bearer{Client: xoauth2{a.Username, a.Token}, goOn: []byte{}}, nil
	}
	return nil, &Error{Reason: ReasonAuthenticationFailed, Message: "the server offers neither OAUTHBEARER nor XOAUTH2"}
}

// saslName writes a name as RFC 5801 section 4 wants it.
var saslName = strings.NewReplacer("=", "=3D", ",", "=2C")

// bearer acknowledges the explanation of a refusal, after which the server refuses in its own protocol; it may quote anything and is not
// read.
type bearer struct {
	sasl.Client
	goOn []byte
}

func (b *bearer) Next([]byte) ([]byte, error) { return b.goOn, nil }

// xoauth2 is the beginning of the mechanism XOAUTH2.
type xoauth2 struct {
	username string
	token    Secret
}

func (x xoauth2) Start() (mechanism string, initial []byte, err error) {
	return XOAuth2, []byte("user=" + x.username + "\x01auth=Bearer " + x.token.Reveal() + "\x01\x01"), nil
}

func (xoauth2) Next([]byte) ([]byte, error) { return nil, sasl.ErrUnexpectedServerChallenge }
