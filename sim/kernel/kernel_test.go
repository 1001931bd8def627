package kernel_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/kernel"
)

// handler is a function as a kernel.Handler.
type handler func(code uint32, arg uint64)

func (h handler) Handle(code uint32, arg uint64) { h(code, arg) }

func newKernel(seed uint64) *kernel.Kernel { return kernel.New(choice.New(choice.Options{Seed: seed})) }

func TestEventsComeInTheOrderOfTheirTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, 50), 1, 200).Draw(t, "times")
		k := newKernel(1)
		var got []int64
		h := handler(func(_ uint32, arg uint64) {
			require.EqualValues(t, arg, k.Now())
			got = append(got, k.Now())
		})
		for _, at := range times {
			k.At(at, h, 0, uint64(at))
		}
		require.NoError(t, k.Run(100))
		slices.Sort(times)
		require.Equal(t, times, got)
		require.EqualValues(t, 100, k.Now())
		k.Close()
	})
}

// Which of several events at one instant comes first is a choice.
func TestTiesAreChoices(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(50) {
		k := newKernel(seed)
		order := ""
		for i := range uint64(4) {
			k.At(10, handler(func(_ uint32, arg uint64) { order += fmt.Sprint(arg) }), 0, i)
		}
		require.NoError(t, k.Run(20))
		orders[order] = true
		k.Close()
	}
	require.Greater(t, len(orders), 15)
	tame := kernel.New(choice.New(choice.Options{Mode: choice.Zero}))
	order := ""
	for i := range uint64(4) {
		tame.At(10, handler(func(_ uint32, arg uint64) {
			order += fmt.Sprint(arg)
			if arg == 0 {
				tame.At(10, handler(func(uint32, uint64) { order += "x" }), 0, 0)
			}
		}), 0, i)
	}
	require.NoError(t, tame.Run(20))
	require.Equal(t, "0123x", order, "without choices they keep their order")
}

func TestLivelockIsStopped(t *testing.T) {
	k := newKernel(1)
	var again handler
	again = func(uint32, uint64) { k.After(0, again, 0, 0) }
	k.At(5, again, 0, 0)
	err := k.Run(10)
	require.ErrorIs(t, err, kernel.ErrLivelock)
	require.ErrorContains(t, err, "at 5 ns")
}

func TestStopEndsTheRun(t *testing.T) {
	k := newKernel(1)
	why := errors.New("found it")
	k.At(5, handler(func(uint32, uint64) { k.Stop(why) }), 0, 0)
	k.At(6, handler(func(uint32, uint64) { t.Fatal("after the stop") }), 0, 0)
	require.ErrorIs(t, k.Run(10), why)
	require.EqualValues(t, 5, k.Now())
}

func TestPanicsAreFindings(t *testing.T) {
	k := newKernel(1)
	k.At(5, handler(func(uint32, uint64) { panic("assertion") }), 0, 0)
	err := k.Run(10)
	require.ErrorIs(t, err, kernel.ErrPanic)
	require.ErrorContains(t, err, "assertion")
	require.ErrorContains(t, err, "kernel_test.go", "the stack says where")
}

// Parked handlers wait while others run, resume in the order asked for, and can be unwound.
func TestParkResumeUnwind(t *testing.T) {
	k := newKernel(1)
	var log []string
	note := func(format string, args ...any) {
		log = append(log, fmt.Sprintf("%d ", k.Now())+fmt.Sprintf(format, args...))
	}
	parks := make([]kernel.Park, 3)
	sleeper := handler(func(_ uint32, i uint64) {
		defer note("%d leaves", i)
		note("%d parks", i)
		k.Wait(&parks[i])
		note("%d goes on", i)
		k.Wait(&parks[i])
		note("%d goes on again", i)
	})
	for i := range uint64(3) {
		k.At(int64(i), sleeper, 0, i)
	}
	resume := handler(func(_ uint32, i uint64) { k.Resume(&parks[i]) })
	k.At(10, resume, 0, 2)
	k.At(11, resume, 0, 0)
	k.At(12, handler(func(uint32, uint64) {
		require.True(t, parks[1].Waiting())
		k.Unwind(&parks[1])
		require.False(t, parks[1].Waiting())
		note("1 unwound")
	}), 0, 0)
	k.At(13, resume, 0, 0)
	k.At(14, resume, 0, 2)
	require.NoError(t, k.Run(20))
	require.Equal(t, []string{"0 0 parks", "1 1 parks", "2 2 parks", "10 2 goes on", "11 0 goes on",
		"12 1 leaves", "12 1 unwound", "13 0 goes on again", "13 0 leaves", "14 2 goes on again",
		"14 2 leaves"}, log)
	k.Close()
}

// Many handlers that sleep by parking or, where nothing else happens, by letting time advance,
// see the same times as the queue would give them.
func TestSleepersKeepTheirTimes(t *testing.T) {
	k := newKernel(3)
	rng := rand.New(rand.NewPCG(1, 2))
	finished := 0
	for range 200 {
		naps := make([]int64, 20)
		for i := range naps {
			naps[i] = rng.Int64N(1000)
		}
		park := &kernel.Park{}
		wake := handler(func(uint32, uint64) { k.Resume(park) })
		k.At(rng.Int64N(5000), handler(func(uint32, uint64) {
			for _, nap := range naps {
				until := k.Now() + nap
				if !k.Advance(nap) {
					k.At(until, wake, 0, 0)
					k.Wait(park)
				}
				require.Equal(t, until, k.Now())
			}
			finished++
		}), 0, 0)
	}
	require.NoError(t, k.Run(1_000_000))
	require.Equal(t, 200, finished)
	k.Close()
}

func TestDigestDistinguishesRuns(t *testing.T) {
	digest := func(b uint64) (string, []uint64) {
		k := newKernel(1)
		for i := range int64(5000) {
			k.Digest.Note(i, 1, 2, 3, b*uint64(i/4000))
		}
		return k.Digest.String(), k.Digest.Marks()
	}
	one, marksOne := digest(1)
	same, _ := digest(1)
	two, marksTwo := digest(2)
	require.Equal(t, one, same)
	require.NotEqual(t, one, two)
	require.Equal(t, marksOne[:3], marksTwo[:3], "the first difference lies behind event 4000")
	require.NotEqual(t, marksOne[3], marksTwo[3])
}

// TestDigestIsOverEveryValue: no value of an event, and no order of events, is without influence.
func TestDigestIsOverEveryValue(t *testing.T) {
	digest := func(notes []kernel.Note) string {
		k := newKernel(1)
		for _, n := range notes {
			k.Digest.Note(n.At, n.Who, n.Kind, n.A, n.B)
		}
		return k.Digest.String()
	}
	rapid.Check(t, func(t *rapid.T) {
		notes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) kernel.Note {
			return kernel.Note{At: rapid.Int64Range(0, 3).Draw(t, "at"),
				Who:  rapid.Uint32Range(0, 3).Draw(t, "who"),
				Kind: rapid.Uint32Range(0, 3).Draw(t, "kind"), A: rapid.Uint64Range(0, 3).Draw(t, "a"),
				B: rapid.Uint64().Draw(t, "b")}
		}), 1, 20).Draw(t, "notes")
		changed := slices.Clone(notes)
		at := rapid.IntRange(0, len(notes)-1).Draw(t, "changed")
		bit := rapid.IntRange(0, 31).Draw(t, "bit")
		n := &changed[at]
		switch rapid.IntRange(0, 6).Draw(t, "how") {
		case 0:
			n.At ^= 1 << bit
		case 1:
			n.Who ^= 1 << bit
		case 2:
			n.Kind ^= 1 << bit
		case 3:
			n.A ^= 1 << bit
		case 4:
			n.B ^= 1 << bit
		case 5:
			changed = append(changed, kernel.Note{})
		case 6:
			slices.Reverse(changed)
			if slices.Equal(changed, notes) {
				return
			}
		}
		require.Equal(t, digest(notes), digest(slices.Clone(notes)))
		require.NotEqual(t, digest(notes), digest(changed))
	})
}

func FuzzFingerprint(f *testing.F) {
	f.Add([]byte("some bytes"), 3)
	f.Fuzz(func(t *testing.T, p []byte, at int) {
		if len(p) == 0 {
			return
		}
		before := kernel.Fingerprint(p)
		p[uint(at)%uint(len(p))] ^= 1
		require.NotEqual(t, before, kernel.Fingerprint(p))
	})
}
