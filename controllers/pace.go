package controllers

import (
	"sync"
	"time"
)

// Pacing of snapshots. A change after a quiet time goes out at once. Further ones go out a second later, together. A flood (a whole
// center applied, a team's label changed) is held until it pauses, because every reload costs Asterisk most of a second
// however much is in it; nothing is held longer than maxHold.
const (
	minGap = time.Second
	// unchangedGap follows a snapshot that was the same as the one before.
	unchangedGap = 100 * time.Millisecond
	// More than floodSize changes within floodWindow are a flood, however slowly a busy machine applies them.
	floodSize   = 20
	floodWindow = 10 * time.Second
	floodCalm   = 700 * time.Millisecond
	maxHold     = time.Minute
	// A flood that was only catching its breath goes on within floodTail of its snapshot; it has to pause for twice as long before the next one.
	floodTail = 3 * time.Second
	maxCalm   = 6 * time.Second
)

// pace remembers what changed in one namespace since the last snapshot.
type pace struct {
	changed     map[string]bool
	first, last time.Time
	// recent are the times of changes within floodWindow, those of an object that was waiting already left out.
	recent  []time.Time
	flushed time.Time
	// flooded is when the last snapshot of a flood was made, calm how long its rest has to pause.
	flooded time.Time
	calm    time.Duration
}

// wait is how long the next snapshot has to wait; 0 means that it is due.
func (p *pace) wait(now time.Time) time.Duration {
	if gap := minGap - now.Sub(p.flushed); gap > 0 {
		return gap
	}
	if !p.floods(now) && !p.goesOn() {
		return 0
	}
	calm := floodCalm
	if p.goesOn() {
		calm = p.calm
	}
	return max(0, min(calm-now.Sub(p.last), maxHold-now.Sub(p.first)))
}

// floods tells that so much changes that snapshots wait for a pause.
func (p *pace) floods(now time.Time) bool {
	old := 0
	for old < len(p.recent) && now.Sub(p.recent[old]) > floodWindow {
		old++
	}
	p.recent = p.recent[old:]
	return len(p.recent) > floodSize
}

// goesOn tells that the changes are the rest of a flood.
func (p *pace) goesOn() bool { return !p.flooded.IsZero() && p.first.Sub(p.flooded) < floodTail }

func (p *pace) note(object string, now time.Time) {
	if len(p.changed) == 0 {
		p.first = now
	}
	if !p.changed[object] {
		p.recent = append(p.recent, now)
	}
	p.changed[object] = true
	p.last = now
}

func (p *pace) flush(now time.Time) {
	switch {
	case p.goesOn():
		p.flooded, p.calm = now, min(2*p.calm, maxCalm)
	case p.floods(now):
		p.flooded, p.calm = now, 2*floodCalm
	}
	clear(p.changed)
	p.flushed = now
}

// unchanged takes a flush back that turned out to change nothing: the next one need not keep the whole gap.
func (p *pace) unchanged(now time.Time) { p.flushed = now.Add(unchangedGap - minGap) }

// pacer keeps a pace per namespace.
type pacer struct {
	mu    sync.Mutex
	paces map[string]*pace
	now   func() time.Time
}

func newPacer() *pacer { return &pacer{paces: map[string]*pace{}, now: time.Now} }

func (p *pacer) of(namespace string) *pace {
	if p.paces[namespace] == nil {
		p.paces[namespace] = &pace{changed: map[string]bool{}}
	}
	return p.paces[namespace]
}

// note records a change of an object that a snapshot may contain.
func (p *pacer) note(namespace, object string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(namespace).note(object, p.now())
}

// take is 0 when a snapshot is due, and then counts it as made; otherwise it is how long to wait.
func (p *pacer) take(namespace string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if d := p.of(namespace).wait(now); d > 0 {
		return d
	}
	p.of(namespace).flush(now)
	return 0
}

// unchanged says that the snapshot taken last is the one before.
func (p *pacer) unchanged(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(namespace).unchanged(p.now())
}
