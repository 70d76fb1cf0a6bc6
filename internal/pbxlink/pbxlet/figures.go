package pbxlet

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/ami"
	"github.com/ringmaster-dev/ringmaster/internal/pbxlink/pbxlinkv1"
)

// callersEvent takes in who waits, which is told at once; the other figures
// follow when they are read.
func (t *tables) callersEvent(m ami.Message) bool {
	queue := m.Get("Queue")
	now := &pbxlinkv1.QueueFigures{Queue: queue}
	if before, ok := t.figures[queue]; ok {
		now = proto.CloneOf(before)
	}
	now.Waiting = int32(number(m.Get("Count")))
	return t.replaceFigures(now)
}

// setFigures takes in a QueueParams event, the head of a queue's status.
func (t *tables) setFigures(m ami.Message) bool {
	performance, err := strconv.ParseFloat(m.Get("ServicelevelPerf"), 64)
	if err != nil {
		performance = 0
	}
	return t.replaceFigures(&pbxlinkv1.QueueFigures{
		Queue: m.Get("Queue"), Waiting: int32(number(m.Get("Calls"))),
		Completed: int32(number(m.Get("Completed"))), Abandoned: int32(number(m.Get("Abandoned"))),
		HoldTime: wholeSeconds(m.Get("Holdtime")), TalkTime: wholeSeconds(m.Get("TalkTime")),
		ServiceLevel: wholeSeconds(m.Get("ServiceLevel")), ServiceLevelPerformance: performance,
	})
}

func (t *tables) replaceFigures(now *pbxlinkv1.QueueFigures) bool {
	if before, ok := t.figures[now.GetQueue()]; ok && proto.Equal(before, now) {
		return false
	}
	t.figures[now.GetQueue()] = now
	t.dirty.figures[now.GetQueue()] = true
	return true
}

// figuresStale tells, once each time, whether the figures may have changed since
// they were last read.
func (t *tables) figuresStale() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	stale := t.stale
	t.stale = false
	return stale
}

// figuresInterval is the least time between two readings of the figures.
const figuresInterval = 2 * time.Second

// syncFigures reads the figures of all queues, without their members, when
// something has happened and some time has passed since the last reading.
func (e *engine) syncFigures(ctx context.Context, a *asterisk) error {
	if time.Since(e.figuresAt) < figuresInterval || !e.tables.figuresStale() {
		return nil
	}
	e.figuresAt = time.Now()
	list, err := a.list(ctx, "QueueStatus", ami.Header{Name: "Member", Value: "none"})
	if err != nil {
		return err
	}
	e.tables.mu.Lock()
	for _, m := range list {
		if m.Event() == "QueueParams" {
			e.tables.setFigures(m)
		}
	}
	e.tables.mu.Unlock()
	e.tables.wake()
	return nil
}

func wholeSeconds(s string) *durationpb.Duration {
	return durationpb.New(time.Duration(max(0, number(s))) * time.Second)
}
