package disk_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/sim/choice"
	"github.com/holdfast-sim/holdfast/sim/disk"
)

func draws(seed uint64) *choice.List {
	return choice.New(choice.Options{Seed: seed}).List("disk/n1", "damage")
}

// differentBits counts the bits in which two contents differ.
func differentBits(t *testing.T, a, b string) (count int) {
	require.Len(t, b, len(a))
	for i := range a {
		for x := a[i] ^ b[i]; x != 0; x &= x - 1 {
			count++
		}
	}
	return count
}

func TestRotHitsWhatIsDurable(t *testing.T) {
	d := disk.New()
	zeros := bytes.Repeat([]byte{0}, 3*disk.PageBytes)
	d.Install("a", zeros)
	d.Install("b", zeros)
	fresh := d.Lookup("b")
	d.WriteAt("p", fresh, bytes.Repeat([]byte{1}, len(zeros)), 0) // not durable yet
	require.Equal(t, 9, disk.Rot(d, "", 9, draws(1)))
	a := differentBits(t, string(zeros), content(d, "a"))
	require.Less(t, a, 9)
	require.NotZero(t, a)
	require.Equal(t, string(bytes.Repeat([]byte{1}, len(zeros))), content(d, "b"),
		"the page cache has newer content")
	d.Crash(fixed(0))
	require.Equal(t, 9-a, differentBits(t, string(zeros), content(d, "b")), "the medium has not")

	require.Equal(t, 5, disk.Rot(d, "a", 5, draws(2)))
	require.Zero(t, disk.Rot(d, "no such file", 5, draws(2)))
	require.Zero(t, disk.Rot(disk.New(), "", 5, draws(2)))
}

func TestPagesAreDrawnFromDurableFiles(t *testing.T) {
	d := disk.New()
	n, _, _ := disk.DrawPage(d, "", draws(1))
	require.Nil(t, n)
	d.Install("a", make([]byte, 10*disk.PageBytes))
	list, seen := draws(1), map[int64]bool{}
	for range 50 {
		n, from, to := disk.DrawPage(d, "a", list)
		require.Same(t, d.Lookup("a"), n)
		require.Equal(t, from+disk.PageBytes, to)
		require.Zero(t, from%disk.PageBytes)
		seen[from] = true
	}
	require.Greater(t, len(seen), 5)
}

func TestLostWritesAreReadableUntilAPowerCut(t *testing.T) {
	d := disk.New()
	n := d.Create("a")
	d.WriteAt("p", n, []byte("first"), 0)
	d.Sync(n)
	d.WriteAt("p", n, []byte("SECOND"), 0)
	d.WriteAt("p", n, []byte("third"), 6)
	lost := 0
	disk.SyncLosing(d, n, func() bool { lost++; return lost == 1 })
	require.Equal(t, "SECONDthird", content(d, "a"))
	unsynced, synced := d.State("p")
	require.Empty(t, unsynced, "the disk reports success")
	require.EqualValues(t, 3, synced)
	d.Crash(fixed(1))
	require.Equal(t, "first\x00third", content(d, "a"))
}

func TestMisdirectedWritesShowAfterAPowerCut(t *testing.T) {
	d := disk.New()
	d.Install("a", make([]byte, 2*disk.PageBytes))
	n := d.Lookup("a")
	d.WriteAt("p", n, []byte("x"), 7)
	n.MisdirectLast(fixed(1))
	d.Sync(n)
	require.EqualValues(t, 'x', content(d, "a")[7])
	d.Crash(fixed(0))
	require.Zero(t, content(d, "a")[7], "the old content stays")
	require.EqualValues(t, 'x', content(d, "a")[disk.PageBytes+7], "another place has it")
}
