//go:build !race

package routing

// historiesPerSeed and rapid's hundred seeds make a million histories.
const historiesPerSeed = 10_000
