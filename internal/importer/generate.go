package importer

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"

	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// The alphabets of generated passwords, without characters that are mistaken for each other.
const (
	lowercase = "abcdefghijkmnpqrstuvwxyz"
	uppercase = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	digits    = "23456789"
	specials  = "~!@#%^&-_=+"
)

// generatedLength of a sign-in password, in characters: 118 bits or more.
const generatedLength = 20

// generatePassword makes a sign-in password that obeys the default policy with two characters of each kind, which is also what
// a stricter policy usually asks for.
func generatePassword() (string, error) {
	for {
		var b strings.Builder
		for b.Len() < generatedLength {
			c, err := pick(lowercase + uppercase + digits + specials)
			if err != nil {
				return "", err
			}
			b.WriteByte(c)
		}
		policy := security.DefaultPasswordPolicy()
		policy.MinLowercase, policy.MinUppercase, policy.MinDigits, policy.MinSpecials = 2, 2, 2, 2
		if len(policy.Check(b.String())) == 0 {
			return b.String(), nil
		}
	}
}

// generatePIN makes a PIN of six digits that is legal for an extension.
func generatePIN(extension string) (string, error) {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
		if err != nil {
			return "", fmt.Errorf("random number: %w", err)
		}
		pin := fmt.Sprintf("%06d", n)
		if len(security.CheckPIN(pin, extension)) == 0 {
			return pin, nil
		}
	}
}

func pick(alphabet string) (byte, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
	if err != nil {
		return 0, fmt.Errorf("random number: %w", err)
	}
	return alphabet[n.Int64()], nil
}
