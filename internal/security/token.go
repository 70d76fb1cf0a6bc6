package security

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

const (
	tokenBytes       = 32
	sipPasswordBytes = 24 // 32 characters, without padding
)

// NewToken returns a session token of 256 random bits as 43 URL-safe characters. Only its TokenHash is stored.
func NewToken() string { return randomText(tokenBytes) }

// TokenHash is the SHA-256 of a token in lowercase hex: what the store keeps and finds sessions by. A fast hash is
// enough because the token is random.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// GeneratePassword returns a SIP password of 192 random bits as 32 characters of A-Z a-z 0-9 - _, which need no
// escaping in a URL, a configuration file or a SIP header.
func GeneratePassword() string { return randomText(sipPasswordBytes) }

func randomText(n int) string {
	b := make([]byte, n)
	// Read never fails and always fills b (crypto/rand since Go 1.24).
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
