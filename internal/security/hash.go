package security

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/alexedwards/argon2id"
	"golang.org/x/sync/semaphore"
)

// Argon2id costs (RFC 9106): 19 MiB, two passes, one lane, the lowest setting OWASP's Password Storage Cheat Sheet
// accepts; about 23 ms on one core of a server. RFC 9106's own second choice (64 MiB, three passes) costs about five times the
// time and three times the memory, too much where a whole shift signs in within a minute on two cores. The costs
// are part of each hash, so raising them later leaves old hashes valid.
const (
	argonMemoryKiB   = 19 * 1024
	argonIterations  = 2
	argonParallelism = 1
	argonSaltBytes   = 16
	argonKeyBytes    = 32
)

// maxArgonMemoryKiB bounds what a stored hash may ask for, so that a damaged or planted row cannot exhaust memory.
const maxArgonMemoryKiB = 64 * 1024

const maxArgonIterations = 16

var argonParams = argon2id.Params{
	Memory:      argonMemoryKiB,
	Iterations:  argonIterations,
	Parallelism: argonParallelism,
	SaltLength:  argonSaltBytes,
	KeyLength:   argonKeyBytes,
}

// maxConcurrentHashes bounds hashing in the whole process. The work is pure computation, so more than one at a time
// per processor only adds memory; four keep it under 80 MiB on large machines too.
const maxConcurrentHashes = 4

var hashing = semaphore.NewWeighted(int64(max(1, min(runtime.GOMAXPROCS(0), maxConcurrentHashes))))

// absentHash is what Verify compares against for a user that does not exist: the costs of a real hash, and a key
// that is the result of no known password. A match is ignored in any case.
const absentHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Errors of Hash and Verify; anything else is the context's.
var (
	// ErrPasswordTooLong: more than MaxPasswordBytes.
	ErrPasswordTooLong = errors.New("password too long")
	// ErrInvalidHash: the stored hash is not an argon2id hash with acceptable costs.
	ErrInvalidHash = errors.New("invalid password hash")
)

// Hash returns the argon2id hash of password in PHC format with a fresh salt. It waits for its turn among all
// hashing of this process and gives up when ctx ends. It does not check the policy.
func Hash(ctx context.Context, password string) (string, error) {
	if len(password) > MaxPasswordBytes {
		return "", ErrPasswordTooLong
	}
	if err := hashing.Acquire(ctx, 1); err != nil {
		return "", fmt.Errorf("waiting to hash a password: %w", err)
	}
	defer hashing.Release(1)
	hash, err := argon2id.CreateHash(password, &argonParams)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return hash, nil
}

// Verify reports whether hash was made from password, in constant time. An empty hash stands for a user that does
// not exist or has no password yet: it takes as long as a wrong password and never matches, so the time of an
// answer does not tell who exists. Errors: ErrPasswordTooLong, ErrInvalidHash, or the context's.
func Verify(ctx context.Context, password, hash string) (bool, error) {
	if len(password) > MaxPasswordBytes {
		return false, ErrPasswordTooLong
	}
	exists := hash != ""
	if !exists {
		hash = absentHash
	}
	if err := checkCosts(hash); err != nil {
		return false, err
	}
	if err := hashing.Acquire(ctx, 1); err != nil {
		return false, fmt.Errorf("waiting to verify a password: %w", err)
	}
	defer hashing.Release(1)
	match, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrInvalidHash, err)
	}
	return match && exists, nil
}

// checkCosts refuses what the argon2 implementation would panic on or what would take unreasonable resources.
func checkCosts(hash string) error {
	params, _, _, err := argon2id.DecodeHash(hash)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrInvalidHash, err)
	case params.Parallelism < 1, params.Iterations < 1, params.Iterations > maxArgonIterations,
		params.Memory > maxArgonMemoryKiB, params.KeyLength < 16, params.KeyLength > 64, params.SaltLength < 8:
		return fmt.Errorf("%w: costs outside the accepted ones", ErrInvalidHash)
	}
	return nil
}
