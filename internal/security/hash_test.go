package security_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/ringmaster-dev/ringmaster/internal/security"
)

func TestHashAndVerify(t *testing.T) {
	ctx := t.Context()
	hash, err := security.Hash(ctx, "Passw0rd!")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("costs are not the documented ones: %s", hash)
	}
	again, err := security.Hash(ctx, "Passw0rd!")
	if err != nil {
		t.Fatal(err)
	}
	if hash == again {
		t.Error("two hashes of one password are equal: the salt is not fresh")
	}
	for password, want := range map[string]bool{"Passw0rd!": true, "Passw0rd": false, "passw0rd!": false, "": false} {
		got, err := security.Verify(ctx, password, hash)
		if err != nil || got != want {
			t.Errorf("Verify(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
}

func TestVerifyOfNobodyNeverMatches(t *testing.T) {
	for _, password := range []string{"", "Passw0rd!"} {
		got, err := security.Verify(t.Context(), password, "")
		if got || err != nil {
			t.Errorf("Verify(%q, no hash) = %v, %v; want false", password, got, err)
		}
	}
}

func TestHashErrors(t *testing.T) {
	ctx := t.Context()
	long := strings.Repeat("x", security.MaxPasswordBytes+1)
	if _, err := security.Hash(ctx, long); !errors.Is(err, security.ErrPasswordTooLong) {
		t.Errorf("Hash of a long password: %v", err)
	}
	if _, err := security.Verify(ctx, long, ""); !errors.Is(err, security.ErrPasswordTooLong) {
		t.Errorf("Verify of a long password: %v", err)
	}
	const salt, key = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for name, hash := range map[string]string{
		"text":          "Passw0rd!",
		"bcrypt":        "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"no lanes":      "$argon2id$v=19$m=19456,t=2,p=0$" + salt + "$" + key,
		"no passes":     "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key,
		"many passes":   "$argon2id$v=19$m=19456,t=1000000,p=1$" + salt + "$" + key,
		"4 GiB":         "$argon2id$v=19$m=4194304,t=2,p=1$" + salt + "$" + key,
		"empty key":     "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$",
		"other version": "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key,
	} {
		if ok, err := security.Verify(ctx, "Passw0rd!", hash); ok || !errors.Is(err, security.ErrInvalidHash) {
			t.Errorf("%s: Verify = %v, %v; want ErrInvalidHash", name, ok, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := security.Hash(cancelled, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash after the context ended: %v", err)
	}
}

func TestConcurrentVerify(t *testing.T) {
	hash, err := security.Hash(t.Context(), "Passw0rd!")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			password := "Passw0rd!"
			if i%2 == 1 {
				password = "wrong"
			}
			if ok, err := security.Verify(t.Context(), password, hash); err != nil || ok != (i%2 == 0) {
				t.Errorf("Verify(%q) = %v, %v", password, ok, err)
			}
		})
	}
	wg.Wait()
}

func TestTokens(t *testing.T) {
	seen := map[string]bool{}
	urlSafe := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	for range 1000 {
		token, password := security.NewToken(), security.GeneratePassword()
		if len(token) != 43 || len(password) != 32 || !urlSafe.MatchString(token+password) {
			t.Fatalf("token of %d and password of %d characters, want 43 and 32 URL-safe ones", len(token), len(password))
		}
		if seen[token] || seen[password] {
			t.Fatal("a token or password came twice")
		}
		seen[token], seen[password] = true, true
	}
	// FIPS 180-2, appendix B.1.
	if got := security.TokenHash("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("TokenHash(abc) = %s", got)
	}
}

func BenchmarkVerify(b *testing.B) {
	hash, err := security.Hash(b.Context(), "Passw0rd!")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if ok, err := security.Verify(b.Context(), "Passw0rd!", hash); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}
