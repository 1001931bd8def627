package disk_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-sim/holdfast/scenarios/draw"
	"github.com/holdfast-sim/holdfast/sim/disk"
)

// plainFile is one file of a disk that keeps everything twice: what is visible, what is durable, and each
// pending write whole.
type plainFile struct {
	visible, durable []byte
	pending          []plainWrite
}

type plainWrite struct {
	offset    int
	bytes     []byte
	truncates bool
}

func (w plainWrite) apply(data []byte) []byte {
	size := w.offset
	if !w.truncates {
		size = max(w.offset+len(w.bytes), len(data))
	}
	out := make([]byte, size)
	copy(out, data)
	if !w.truncates {
		copy(out[w.offset:], w.bytes)
	}
	return out
}

func (f *plainFile) change(w plainWrite) {
	f.visible, f.pending = w.apply(f.visible), append(f.pending, w)
}

func (f *plainFile) sync(lose func() bool) {
	for _, w := range f.pending {
		if w.truncates || lose == nil || !lose() {
			f.durable = w.apply(f.durable)
		}
	}
	f.pending = nil
}

// crash draws as Disk.Crash does, for a disk with one file whose name is durable.
func (f *plainFile) crash(draws draw.Chooser) {
	draws.Choose(1)
	for _, w := range f.pending {
		switch fate := draws.Choose(3); {
		case fate == 1, fate == 2 && w.truncates:
			f.durable = w.apply(f.durable)
		case fate == 2:
			for start := 0; start < len(w.bytes); {
				end := min((w.offset+start)/disk.SectorBytes*disk.SectorBytes+disk.SectorBytes-w.offset,
					len(w.bytes))
				if draws.Choose(2) == 1 {
					f.durable = plainWrite{offset: w.offset + start,
						bytes: w.bytes[start:end]}.apply(f.durable)
				}
				start = end
			}
		}
	}
	f.visible, f.pending = slices.Clone(f.durable), nil
}

func (f *plainFile) rot(draws draw.Chooser) {
	if len(f.durable) == 0 {
		return
	}
	bit := int(draws.Choose(uint64(len(f.durable)) * 8))
	at, mask := bit/8, byte(1)<<(bit%8)
	if at < len(f.visible) && f.visible[at] == f.durable[at] {
		f.visible[at] ^= mask
	}
	f.durable[at] ^= mask
}

func (f *plainFile) misdirect(draws draw.Chooser) {
	w := &f.pending[len(f.pending)-1]
	pages := max((len(f.visible)+disk.PageBytes-1)/disk.PageBytes, 1)
	w.offset = int(draws.Choose(uint64(pages)))*disk.PageBytes + w.offset%disk.PageBytes
}

// TestADiskLikeAPlainOne: whatever is written, cut off, synced, damaged and crashed, a disk holds what
// one that keeps everything twice holds, with the same draws.
func TestADiskLikeAPlainOne(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		draws, same := draw.NewList(seed, "disk", ""), draw.NewList(seed, "disk", "")
		d, f := disk.New(), &plainFile{}
		n := d.Create("a")
		d.SyncNames()
		place := rapid.OneOf(rapid.IntRange(0, 60_000), rapid.IntRange(0, 2000))
		step := func(name string, do func()) {
			do()
			got := make([]byte, n.Size())
			_, _ = n.ReadAt(got, 0)
			require.True(r, bytes.Equal(f.visible, got), "visible after %s", name)
			require.True(r, bytes.Equal(f.durable, d.Image()["a"]), "durable after %s", name)
			require.EqualValues(r, len(f.visible), d.UsedBytes())
		}
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			switch what := rapid.IntRange(0, 11).Draw(r, "what"); what {
			case 0:
				step("sync", func() { d.Sync(n); f.sync(nil) })
			case 1:
				size := place.Draw(r, "size")
				step("truncate", func() {
					d.Truncate("p", n, int64(size))
					f.change(plainWrite{offset: size, truncates: true})
				})
			case 2:
				step("crash", func() { d.Crash(draws); f.crash(same) })
			case 3:
				step("failed sync", func() { d.LoseSync(n); f.pending = nil })
			case 4:
				step("lying sync", func() {
					disk.SyncLosing(d, n, func() bool { return draws.Choose(2) == 1 })
					f.sync(func() bool { return same.Choose(2) == 1 })
				})
			case 5:
				step("rot", func() { disk.Rot(d, "", 1, draws); f.rot(same) })
			default:
				w := plainWrite{offset: place.Draw(r, "offset"),
					bytes: bytes.Repeat([]byte{rapid.Byte().Draw(r, "byte")},
						rapid.IntRange(0, 9000).Draw(r, "length"))}
				step("write", func() { d.WriteAt("p", n, w.bytes, int64(w.offset)); f.change(w) })
				if what == 6 {
					step("misdirection", func() { n.MisdirectLast(draws); f.misdirect(same) })
				}
			}
		}
		require.Equal(r, draws.Choose(1<<60), same.Choose(1<<60), "the same number of draws")
	})
}
