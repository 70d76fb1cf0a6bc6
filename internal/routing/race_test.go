//go:build race

package routing

// historiesPerSeed: the detector makes every step some ten times slower.
const historiesPerSeed = 200
