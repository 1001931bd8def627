package host

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
)

// TestTimersAgainstAList compares the heap with a list that is searched.
func TestTimersAgainstAList(t *testing.T) {
	type armed struct {
		id       env.TimerID
		deadline time.Duration
		order    int
	}
	rapid.Check(t, func(t *rapid.T) {
		timers := newTimers()
		var list []armed
		order := 0
		remove := func(id env.TimerID) {
			list = slices.DeleteFunc(list, func(a armed) bool { return a.id == id })
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				id := env.TimerID(rapid.IntRange(0, 5).Draw(t, "id"))
				deadline := time.Duration(rapid.IntRange(0, 3).Draw(t, "deadline"))
				order++
				remove(id)
				list = append(list, armed{id, deadline, order})
				timers.setTimer(id, deadline)
			},
			"stop": func(t *rapid.T) {
				id := env.TimerID(rapid.IntRange(0, 5).Draw(t, "id"))
				remove(id)
				timers.stopTimer(id)
			},
			"pop": func(t *rapid.T) {
				deadline, ok := timers.nextDeadline()
				require.Equal(t, len(list) > 0, ok)
				if !ok {
					return
				}
				first := slices.MinFunc(list, func(a, b armed) int {
					if a.deadline != b.deadline {
						return int(a.deadline - b.deadline)
					}
					return a.order - b.order
				})
				require.Equal(t, first.deadline, deadline)
				require.Equal(t, first.id, timers.popTimer())
				remove(first.id)
			},
		})
	})
}

// TestInboxKeepsOrderAndBounds: what was taken in comes out in its order, and no class of items
// takes the room of another.
func TestInboxKeepsOrderAndBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newInbox()
		require.ErrorIs(t, b.putItem(inboxItem{class: classOp}), env.ErrLocalDown)
		b.resetTo(true)
		var want []time.Duration
		at := time.Duration(0)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				at++
				it := inboxItem{arrivedAt: at, class: itemClass(rapid.IntRange(0, 3).Draw(t, "class")),
					sender: "p", bytes: 10}
				require.NoError(t, b.putItem(it))
				want = append(want, at)
			},
			"take": func(t *rapid.T) {
				peeked, some := b.oldestArrival()
				it, ok := b.takeItem()
				require.Equal(t, some, ok)
				require.Equal(t, len(want) > 0, ok)
				if ok {
					require.Equal(t, want[0], it.arrivedAt)
					require.Equal(t, peeked, it.arrivedAt)
					want = want[1:]
				}
			},
		})
	})
	b := newInbox()
	b.resetTo(true)
	for range maxQueuedDatagrams {
		require.NoError(t, b.putItem(inboxItem{class: classDatagram}))
	}
	require.ErrorIs(t, b.putItem(inboxItem{class: classDatagram}), env.ErrLocalFull)
	for range maxQueuedOps {
		require.NoError(t, b.putItem(inboxItem{class: classOp}))
	}
	require.ErrorIs(t, b.putItem(inboxItem{class: classOp}), env.ErrLocalFull)
	require.ErrorIs(t, b.putItem(inboxItem{class: classLocal, sender: "a", bytes: maxQueuedLocalBytes + 1}),
		env.ErrLocalFull)
	require.NoError(t, b.putItem(inboxItem{class: classLocal, sender: "b", bytes: 1}))
	for range maxQueuedDatagrams + maxQueuedOps + 1 {
		_, ok := b.takeItem()
		require.True(t, ok)
	}
	require.NoError(t, b.putItem(inboxItem{class: classDatagram}), "there is room again")
	b.resetTo(false)
	_, ok := b.takeItem()
	require.False(t, ok, "what was queued towards an ended process is gone")
}
