package disk_test

import (
	"bytes"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/disk"
)

func content(d *disk.Disk, name string) string {
	n := d.Lookup(name)
	if n == nil {
		return "<none>"
	}
	p := make([]byte, n.Size())
	_, _ = n.ReadAt(p, 0)
	return string(p)
}

// fixed gives the same draw always.
type fixed uint64

func (f fixed) Choose(n uint64) uint64 { return min(uint64(f), n-1) }

func TestSyncedBytesSurviveAndOthersAreLost(t *testing.T) {
	d := disk.New()
	n := d.Create("a")
	d.WriteAt("p", n, []byte("durable"), 0)
	d.Sync(n)
	d.WriteAt("p", n, []byte("DURABLE and more"), 0)
	other := d.Create("never-synced")
	d.WriteAt("p", other, []byte("x"), 0)
	require.Equal(t, "DURABLE and more", content(d, "a"))
	require.EqualValues(t, 17, d.UsedBytes())
	d.Crash(fixed(0))
	require.Equal(t, "durable", content(d, "a"))
	require.Equal(t, "<none>", content(d, "never-synced"))
	require.EqualValues(t, 7, d.UsedBytes())
}

func TestKeptWritesSurviveInTheirOrder(t *testing.T) {
	d := disk.New()
	n := d.Create("a")
	d.Sync(n)
	d.WriteAt("p", n, []byte("first"), 0)
	d.WriteAt("p", n, []byte("F"), 0)
	d.Truncate("p", n, 3)
	d.Crash(fixed(1))
	require.Equal(t, "Fir", content(d, "a"))
}

func TestTornWritesKeepWholeSectors(t *testing.T) {
	torn := 0
	for seed := range uint64(50) {
		d := disk.New()
		n := d.Create("a")
		d.WriteAt("p", n, bytes.Repeat([]byte("o"), 4*disk.SectorBytes), 0)
		d.Sync(n)
		d.WriteAt("p", n, bytes.Repeat([]byte("n"), 3*disk.SectorBytes), disk.SectorBytes/2)
		d.Crash(choice.New(choice.Options{Seed: seed}).List("d", "c"))
		after := content(d, "a")
		require.Len(t, after, 4*disk.SectorBytes)
		kinds := map[byte]bool{}
		for s := range 4 {
			sector := after[s*disk.SectorBytes : (s+1)*disk.SectorBytes]
			half := sector[disk.SectorBytes/2:]
			if s == 3 {
				half = sector[:disk.SectorBytes/2]
			}
			require.Equal(t, string(bytes.Repeat([]byte{half[0]}, len(half))), half, "sector %d is mixed", s)
			kinds[half[0]] = true
		}
		if len(kinds) == 2 {
			torn++
		}
	}
	require.Greater(t, torn, 5)
}

func TestNamesSurviveInTheirOrder(t *testing.T) {
	d := disk.New()
	d.Install("old", []byte("1"))
	require.NoError(t, d.Rename("old", "new"))
	require.NoError(t, d.Remove("new"))
	require.ErrorIs(t, d.Remove("new"), fs.ErrNotExist)
	d.Crash(fixed(1)) // the rename survives, the removal does not
	require.Equal(t, "<none>", content(d, "old"))
	require.Equal(t, "1", content(d, "new"))

	require.NoError(t, d.Rename("new", "newer"))
	d.SyncNames()
	d.Crash(fixed(0))
	require.Equal(t, "1", content(d, "newer"))
}

// A sync that failed may leave what it was asked for readable, and a power cut takes it back even
// if a later sync succeeds.
func TestFailedSyncIsNotRepairedByALaterOne(t *testing.T) {
	d := disk.New()
	n := d.Create("a")
	d.Sync(n)
	d.WriteAt("p", n, []byte("lost"), 0)
	d.LoseSync(n)
	require.Equal(t, "lost", content(d, "a"))
	d.Sync(n)
	d.Crash(fixed(1))
	require.Equal(t, "", content(d, "a"))
}

func TestOpenFlags(t *testing.T) {
	d := disk.New()
	_, _, err := d.OpenFile("a", 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, created, err := d.OpenFile("a", env.Create|env.Exclusive)
	require.NoError(t, err)
	require.True(t, created)
	_, _, err = d.OpenFile("a", env.Create|env.Exclusive)
	require.ErrorIs(t, err, fs.ErrExist)
	_, created, err = d.OpenFile("a", env.Create)
	require.NoError(t, err)
	require.False(t, created)
}

// Reading back what was written agrees with a plain byte slice, and after a power cut every
// byte is one that was there at some time since the last sync, or zero beyond the old end.
func TestFilesBehaveLikeByteSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := disk.New()
		n := d.Create("f")
		d.Sync(n)
		var model []byte
		states := [][]byte{nil}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				off := rapid.IntRange(0, 3000).Draw(t, "off")
				p := rapid.SliceOfN(rapid.Byte(), 1, 1500).Draw(t, "p")
				d.WriteAt("p", n, p, int64(off))
				model = append(model, make([]byte, max(0, off+len(p)-len(model)))...)
				copy(model[off:], p)
			case 2:
				size := rapid.IntRange(0, 3000).Draw(t, "size")
				d.Truncate("p", n, int64(size))
				model = append(model, make([]byte, max(0, size-len(model)))...)[:size]
			case 3:
				d.Sync(n)
				states = nil
			}
			states = append(states, bytes.Clone(model))
			require.Equal(t, string(model), content(d, "f"))
			require.EqualValues(t, len(model), d.UsedBytes())
		}
		d.Crash(choice.New(choice.Options{Seed: rapid.Uint64().Draw(t, "seed")}).List("d", "c"))
		for i, b := range []byte(content(d, "f")) {
			known := b == 0
			for _, s := range states {
				known = known || i < len(s) && s[i] == b
			}
			require.True(t, known, "byte %d was never %d", i, b)
		}
	})
}

// TestStateOfAnOwner: what a power cut could take from a process's files, and how much it has made durable.
func TestStateOfAnOwner(t *testing.T) {
	d := disk.New()
	mine, other := d.Create("mine"), d.Create("other")
	state := func() [2]int {
		unsynced, synced := d.State("p")
		return [2]int{len(unsynced), int(synced)}
	}
	require.Equal(t, [2]int{0, 0}, state())
	d.WriteAt("p", mine, []byte("x"), 0)
	d.WriteAt("q", other, []byte("y"), 0)
	require.Equal(t, [2]int{1, 0}, state())
	d.Sync(mine)
	require.Equal(t, [2]int{0, 1}, state())
	d.Sync(mine)
	require.Equal(t, [2]int{0, 1}, state(), "a sync without writes makes nothing durable")
	d.WriteAt("p", mine, []byte("z"), 0)
	d.LoseSync(mine)
	d.Sync(mine)
	require.Equal(t, [2]int{1, 1}, state(), "a later sync does not repair a failed one")
	d.Truncate("p", mine, 0)
	d.Sync(mine)
	require.Equal(t, [2]int{0, 2}, state())
	d.WriteAt("p", mine, []byte("z"), 0)
	d.Crash(fixed(0))
	require.Equal(t, [2]int{0, 2}, state(), "what is left after a power cut is durable")
}

// TestWhatAFailedSyncTookCanBeWrittenAgain: all of it, and in any order.
func TestWhatAFailedSyncTookCanBeWrittenAgain(t *testing.T) {
	lost := func(again ...string) bool {
		d := disk.New()
		n := d.Create("a")
		d.WriteAt("p", n, []byte("0123456789"), 0)
		d.LoseSync(n)
		for _, part := range again {
			d.WriteAt("p", n, []byte(part), int64(part[0]-'0'))
		}
		d.Sync(n)
		names, _ := d.State("p")
		d.Crash(fixed(0))
		require.Equal(t, len(names) == 0, content(d, "a") == "0123456789")
		return len(names) > 0
	}
	require.True(t, lost())
	require.True(t, lost("01234", "6789"))
	require.True(t, lost("123456789"))
	require.False(t, lost("56789", "0123", "345"))
	require.False(t, lost("0123456789"))
}

// TestAWorkThatARefusedWriteEndedIsGivenUp: until the file is written again.
func TestAWorkThatARefusedWriteEndedIsGivenUp(t *testing.T) {
	d := disk.New()
	n := d.Create("a")
	d.WriteAt("p", n, []byte("half of a copy"), 0)
	unsynced := func() []string {
		names, _ := d.State("p")
		return names
	}
	require.Equal(t, []string{"a"}, unsynced())
	n.RefuseWrite()
	require.Empty(t, unsynced())
	d.WriteAt("p", n, []byte("more"), 0)
	require.Equal(t, []string{"a"}, unsynced())
	d.LoseSync(n)
	n.RefuseWrite()
	require.Equal(t, []string{"a"}, unsynced(), "what a failed sync took was no copy that was given up")
}

// An image has what was durable when it was taken, and stays as it is.
func TestImages(t *testing.T) {
	d := disk.New()
	d.Install("a", []byte("old"))
	n, _, err := d.OpenFile("b", env.Create)
	require.NoError(t, err)
	d.WriteAt("p", n, []byte("unsynced"), 0)
	image := d.Image()
	d.WriteAt("p", d.Lookup("a"), []byte("new"), 0)
	d.Sync(d.Lookup("a"))
	require.Equal(t, "old", string(image["a"]))
	d.Wipe()
	require.Nil(t, d.Lookup("a"))
	require.Zero(t, d.UsedBytes())
	image.RestoreTo(d)
	require.Equal(t, "old", content(d, "a"))
	require.Nil(t, d.Lookup("b"), "its name was not durable")
	require.EqualValues(t, 3, d.UsedBytes())
}
