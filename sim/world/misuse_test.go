package world

import (
	"fmt"
	"iter"
	"runtime"
	"testing"

	"github.com/petermattis/goid"
	"github.com/stretchr/testify/require"
)

// TestNumbersOfGoroutines compares them with those in the text of a stack, which a new version of Go could
// change.
func TestNumbersOfGoroutines(t *testing.T) {
	check := func() {
		text := make([]byte, 64)
		var want int64
		_, err := fmt.Sscanf(string(text[:runtime.Stack(text, false)]), "goroutine %d ", &want)
		require.NoError(t, err)
		require.Equal(t, want, goid.Get())
	}
	check()
	for range 20 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			check()
		}()
		<-ended
	}
}

// TestCoroutinesAreRecognized at every depth: where frames are read in pieces, the last ones count.
func TestCoroutinesAreRecognized(t *testing.T) {
	require.False(t, isCoroutine())
	next, stop := iter.Pull(func(yield func(bool) bool) {
		for depth := 0; yield(atDepth(depth, isCoroutine)); depth++ {
		}
	})
	defer stop()
	for depth := range 3 * framesAtOnce {
		is, _ := next()
		require.True(t, is, "%d", depth)
		require.False(t, atDepth(depth, isCoroutine), "%d", depth)
	}
	started := make(chan bool)
	go func() { started <- isCoroutine() }()
	require.False(t, <-started)
}

// atDepth calls f from some frames deeper.
func atDepth(frames int, f func() bool) bool {
	if frames == 0 {
		return f()
	}
	is := atDepth(frames-1, f)
	return is
}
