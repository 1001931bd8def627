package env_test

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest"
)

func TestReadFileHasALimit(t *testing.T) {
	d := envtest.NewDisk()
	require.NoError(t, env.ReplaceFile(d, "a/b", []byte("12345")))
	data, err := env.ReadFile(d, "a/b", 5)
	require.NoError(t, err)
	require.Equal(t, "12345", string(data))
	_, err = env.ReadFile(d, "a/b", 4)
	require.ErrorContains(t, err, "limit of 4")
	_, err = env.ReadFile(d, "missing", 5)
	require.ErrorIs(t, err, env.ErrNotExist)
}

func TestDir(t *testing.T) {
	for name, want := range map[string]string{"": "", "a": "", "a/b": "a", "a/b/c": "a/b"} {
		require.Equal(t, want, env.Dir(name), "%q", name)
	}
}

func TestReplaceFileReportsTheStepThatFails(t *testing.T) {
	for _, op := range []string{"create", "truncate", "write", "sync", "rename", "syncdir"} {
		d := envtest.NewDisk()
		d.Fail = func(o, _ string) error {
			if o == op {
				return env.ErrIO
			}
			return nil
		}
		err := env.ReplaceFile(d, "f", []byte("new"))
		require.ErrorIs(t, err, env.ErrIO, op)
		require.ErrorContains(t, err, "replacing f", op)
	}
}

// A power cut may come before any disk call, and any unsynced change may or may not survive it.
func TestReplaceFileSurvivesAPowerCutAtEveryStep(t *testing.T) {
	require.Empty(t, powerCuts(t, env.ReplaceFile))
}

// The model of power cuts finds what each step of ReplaceFile is for.
func TestTheModelOfPowerCutsFindsMissingSteps(t *testing.T) {
	for _, skip := range []string{"sync", "syncdir", "rename"} {
		found := powerCuts(t, func(d env.Disk, name string, data []byte) error {
			d.(*cutDisk).skip = skip
			return env.ReplaceFile(d, name, data)
		})
		require.NotEmpty(t, found, "without %s", skip)
	}
}

// powerCuts replaces the content "old content" by "new", with a power cut before each disk call and with one
// after the last, and returns the contents that must not be there afterwards.
func powerCuts(t *testing.T, replace func(env.Disk, string, []byte) error) (wrong []string) {
	for cut := 1; ; cut++ {
		require.Less(t, cut, 100)
		d := newCutDisk("dir/f", "old content")
		d.left = cut
		done := replace(d, "dir/f", []byte("new")) == nil
		for _, after := range d.survivors("dir/f") {
			if after != "new" && (done || after != "old content") {
				wrong = append(wrong, after)
			}
		}
		if done {
			return wrong
		}
	}
}

// cutDisk is a disk that loses its power before a call, and knows all contents that may be left then.
type cutDisk struct {
	left           int    // calls until the power is lost
	skip           string // a step that does nothing
	names, durable map[string]*inode
}

// inode is the content of a file: as it is, and as it was at its last sync.
type inode struct{ data, durable []byte }

var errPower = errors.New("the power is lost")

func newCutDisk(name, content string) *cutDisk {
	i := &inode{data: []byte(content), durable: []byte(content)}
	return &cutDisk{names: map[string]*inode{name: i}, durable: map[string]*inode{name: i}}
}

func (d *cutDisk) step(what string) (skip bool, err error) {
	if d.left--; d.left < 0 {
		return false, errPower
	}
	return d.skip == what, nil
}

// survivors returns all contents that a file may have after the power cut.
func (d *cutDisk) survivors(name string) []string {
	found := map[string]bool{}
	for _, names := range []map[string]*inode{d.names, d.durable} {
		i := names[name]
		if i == nil {
			found["(missing)"] = true
			continue
		}
		found[string(i.durable)] = true
		if !slices.Equal(i.data, i.durable) {
			found[string(i.data)] = true
			found[string(i.data[:len(i.data)/2])+"(torn)"] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (d *cutDisk) Open(name string, flag env.OpenFlag) (env.File, error) {
	if _, err := d.step("open"); err != nil {
		return nil, err
	}
	if d.names[name] == nil {
		if flag&env.Create == 0 {
			return nil, fs.ErrNotExist
		}
		d.names[name] = &inode{}
	}
	return &cutFile{d, d.names[name]}, nil
}

func (d *cutDisk) Remove(string) error { return errors.ErrUnsupported }

func (d *cutDisk) Rename(oldName, newName string) error {
	skip, err := d.step("rename")
	if err == nil && !skip {
		d.names[newName] = d.names[oldName]
		delete(d.names, oldName)
	}
	return err
}

func (d *cutDisk) SyncDir(dir string) error {
	skip, err := d.step("syncdir")
	if err != nil || skip {
		return err
	}
	for _, from := range []map[string]*inode{d.durable, d.names} {
		for name := range from {
			if env.Dir(name) != dir {
				continue
			}
			if i := d.names[name]; i != nil {
				d.durable[name] = i
			} else {
				delete(d.durable, name)
			}
		}
	}
	return nil
}

func (d *cutDisk) Exists(name string) (bool, error) { return d.names[name] != nil, nil }

type cutFile struct {
	d *cutDisk
	i *inode
}

func (f *cutFile) ReadAt(p []byte, off int64) (int, error) {
	return strings.NewReader(string(f.i.data)).ReadAt(p, off)
}

func (f *cutFile) WriteAt(p []byte, off int64) (int, error) {
	if _, err := f.d.step("write"); err != nil {
		return 0, err
	}
	if int64(len(f.i.data)) != off {
		return 0, io.ErrUnexpectedEOF
	}
	f.i.data = append(slices.Clone(f.i.data), p...)
	return len(p), nil
}

func (f *cutFile) Truncate(size int64) error {
	_, err := f.d.step("truncate")
	if err == nil {
		f.i.data = f.i.data[:size]
	}
	return err
}

func (f *cutFile) Sync() error {
	skip, err := f.d.step("sync")
	if err == nil && !skip {
		f.i.durable = slices.Clone(f.i.data)
	}
	return err
}

func (f *cutFile) Size() (int64, error) { return int64(len(f.i.data)), nil }

func (f *cutFile) Close() error {
	_, err := f.d.step("close")
	return err
}
