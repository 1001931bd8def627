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
				timers.set(id, deadline)
			},
			"stop": func(t *rapid.T) {
				id := env.TimerID(rapid.IntRange(0, 5).Draw(t, "id"))
				remove(id)
				timers.stop(id)
			},
			"pop": func(t *rapid.T) {
				deadline, ok := timers.first()
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
				require.Equal(t, first.id, timers.pop())
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
		require.ErrorIs(t, b.put(item{class: classOp}), env.ErrLocalDown)
		b.reset(true)
		var want []time.Duration
		at := time.Duration(0)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				at++
				it := item{at: at, class: class(rapid.IntRange(0, 3).Draw(t, "class")), from: "p", bytes: 10}
				require.NoError(t, b.put(it))
				want = append(want, at)
			},
			"take": func(t *rapid.T) {
				peeked, some := b.peek()
				it, ok := b.take()
				require.Equal(t, some, ok)
				require.Equal(t, len(want) > 0, ok)
				if ok {
					require.Equal(t, want[0], it.at)
					require.Equal(t, peeked, it.at)
					want = want[1:]
				}
			},
		})
	})
	b := newInbox()
	b.reset(true)
	for range maxQueuedDatagrams {
		require.NoError(t, b.put(item{class: classDatagram}))
	}
	require.ErrorIs(t, b.put(item{class: classDatagram}), env.ErrLocalFull)
	for range maxQueuedOps {
		require.NoError(t, b.put(item{class: classOp}))
	}
	require.ErrorIs(t, b.put(item{class: classOp}), env.ErrLocalFull)
	require.ErrorIs(t, b.put(item{class: classLocal, from: "a", bytes: maxQueuedLocalBytes + 1}),
		env.ErrLocalFull)
	require.NoError(t, b.put(item{class: classLocal, from: "b", bytes: 1}))
	for range maxQueuedDatagrams + maxQueuedOps + 1 {
		_, ok := b.take()
		require.True(t, ok)
	}
	require.NoError(t, b.put(item{class: classDatagram}), "there is room again")
	b.reset(false)
	_, ok := b.take()
	require.False(t, ok, "what was queued towards an ended process is gone")
}
