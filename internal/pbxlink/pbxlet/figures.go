package pbxlet

import (
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

func wholeSeconds(s string) *durationpb.Duration {
	return durationpb.New(time.Duration(max(0, number(s))) * time.Second)
}
