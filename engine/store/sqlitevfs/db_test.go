package sqlitevfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-sim/holdfast/engine/env"
	"github.com/holdfast-sim/holdfast/engine/env/envtest/thorough"
	"github.com/holdfast-sim/holdfast/engine/store/internal/faultdisk"
)

type killed struct{}

const (
	createSQL = "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB)"
	insertSQL = "INSERT INTO t VALUES(%d, randomblob(%d))"
)

func exec(db *DB, sql string) error {
	return db.Run(func(c *sqlite3.Conn) error { return c.Exec(sql) })
}

func TestSettings(t *testing.T) {
	db, err := Open(faultdisk.New(), "d/x.db", Options{})
	require.NoError(t, err)
	defer db.Release()
	for pragma, want := range map[string]string{"journal_mode": "wal", "locking_mode": "exclusive",
		"synchronous": "2", "temp_store": "2", "busy_timeout": "0"} {
		require.NoError(t, db.Run(func(c *sqlite3.Conn) error {
			s, _, err := c.Prepare("PRAGMA " + pragma)
			require.NoError(t, err)
			require.True(t, s.Step())
			require.Equal(t, want, s.ColumnText(0), pragma)
			return s.Close()
		}))
	}
}

func TestNamesThatDoNotFitAreRefused(t *testing.T) {
	for _, name := range []string{"", "a b", "a?vfs=os", "a%41", "x#y"} {
		_, err := Open(faultdisk.New(), name, Options{})
		require.Error(t, err, name)
	}
}

// residentBytes is what the kernel holds in memory for this process.
func residentBytes(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("resident memory is only measured where /proc/self/statm exists: %v", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// abandon opens a database, writes, and drops it in one of the ways in which a process can end.
func abandon(t *testing.T, disk *faultdisk.Disk, how, i int) (name string) {
	left := -1
	disk.Before = func(string, string) error {
		if left--; left == 0 {
			panic(killed{})
		}
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			require.Equal(t, killed{}, p)
			disk.Before = nil
		}
	}()
	if how == 2 {
		left = 1 + i%40 // somewhere in opening or writing
	}
	db, err := Open(disk, "d/x.db", Options{})
	require.NoError(t, err)
	name = db.registration.String()
	require.NoError(t, exec(db, createSQL))
	require.NoError(t, exec(db, fmt.Sprintf(insertSQL, i, 100)))
	disk.Before = nil
	if how == 0 {
		db.Release()
		require.ErrorIs(t, exec(db, "SELECT 1"), ErrReleased)
		db.Release()
	}
	return name // how == 1: simply dropped
}

// Thousands of processes die within one run of the simulator. Neither memory nor names may stay.
func TestAbandonedDatabasesReleaseEverything(t *testing.T) {
	for how, what := range []string{"released", "dropped", "killed in a disk call"} {
		t.Run(what, func(t *testing.T) {
			cycles := thorough.Count(500, 5000)
			var names []string
			before := 0
			for i := range cycles {
				names = append(names, abandon(t, faultdisk.New(), how, i))
				if i == cycles/10 {
					runtime.GC()
					before = residentBytes(t)
				}
			}
			runtime.GC()
			runtime.GC()
			grown := residentBytes(t) - before
			require.Less(t, grown, 200<<20, "resident memory grew by %d MiB", grown>>20)
			left := 0
			for _, name := range names {
				if name != "" && vfs.Find(name) != nil {
					left++
				}
			}
			require.LessOrEqual(t, left, cycles/10, "names stay registered")
		})
	}
}

// A released database does not touch the disk, and a killed process's handles change nothing.
func TestReleaseWithinADiskCall(t *testing.T) {
	disk := faultdisk.New()
	db, err := Open(disk, "x.db", Options{})
	require.NoError(t, err)
	require.NoError(t, exec(db, createSQL))
	disk.Before = func(op, _ string) error {
		db.Release() // as the world does when it ends a process that is suspended here
		return nil
	}
	require.Error(t, exec(db, fmt.Sprintf(insertSQL, 1, 10)))
	disk.Before = nil
	calls := disk.Calls
	require.ErrorIs(t, exec(db, "SELECT 1"), ErrReleased)
	require.Equal(t, calls, disk.Calls)
	require.Nil(t, db.registration)
}

func TestDiskErrorsComeThrough(t *testing.T) {
	for _, cause := range []error{env.ErrIO, env.ErrNoSpace} {
		for _, op := range []string{"write", "sync"} {
			disk := faultdisk.New()
			db, err := Open(disk, "x.db", Options{})
			require.NoError(t, err)
			require.NoError(t, exec(db, createSQL))
			disk.Before = func(o, _ string) error {
				if o == op {
					return cause
				}
				return nil
			}
			err = exec(db, fmt.Sprintf(insertSQL, 1, 10))
			require.ErrorIs(t, err, cause)
			if errors.Is(cause, env.ErrNoSpace) {
				require.ErrorIs(t, err, sqlite3.FULL)
			}
			disk.Before = nil
			db.Release()
			db, err = Open(disk, "x.db", Options{})
			require.NoError(t, err)
			require.NoError(t, exec(db, fmt.Sprintf(insertSQL, 2, 10)))
			db.Release()
		}
	}
}

// TestAFailedCheckpointIsAnError: SQLite hides it, and what was committed is in the log.
func TestAFailedCheckpointIsAnError(t *testing.T) {
	for _, op := range []string{"write", "sync"} {
		disk := faultdisk.New()
		db, err := Open(disk, "d/x.db", Options{})
		require.NoError(t, err)
		require.NoError(t, exec(db, createSQL+"; PRAGMA wal_autocheckpoint=20"))
		disk.Before = func(o, name string) error {
			if o == op && name == "d/x.db" { // and not of the log
				return env.ErrIO
			}
			return nil
		}
		done := 0
		for err == nil && done < 100 {
			done++
			err = exec(db, fmt.Sprintf(insertSQL, done, 700))
		}
		require.ErrorIs(t, err, env.ErrIO, "in %s", op)
		disk.Before = nil
		db.Release()
		checkCommits(t, disk, done, 0)
	}
}

// The power fails before every single call that changes the disk; after each failure everything
// committed is there and the database is sound.
func TestPowerCutAtEveryCall(t *testing.T) {
	const commits = 30
	rng := rand.New(rand.NewPCG(1, 2))
	for at := 1; ; at++ {
		disk := faultdisk.New()
		done, finished := commitUntil(disk, at, commits)
		if finished {
			require.Greater(t, at, commits*2)
			return
		}
		for range 3 {
			after := disk.Clone()
			after.PowerCut(rng.IntN)
			checkCommits(t, after, done, at)
		}
	}
}

// commitUntil commits one row after the other until the n-th call that changes the disk.
func commitUntil(disk *faultdisk.Disk, n, commits int) (done int, finished bool) {
	defer func() {
		if p := recover(); p != nil && p != (killed{}) {
			panic(p)
		}
	}()
	disk.Before = func(op, _ string) error {
		if op == "read" || op == "open" {
			return nil
		}
		if n--; n == 0 {
			panic(killed{})
		}
		return nil
	}
	db, err := Open(disk, "d/x.db", Options{})
	if err != nil {
		panic(err)
	}
	if err := exec(db, createSQL+"; PRAGMA wal_autocheckpoint=20"); err != nil {
		panic(err)
	}
	for ; done < commits; done++ {
		if err := exec(db, fmt.Sprintf(insertSQL, done+1, 700)); err != nil {
			panic(err)
		}
	}
	disk.Before = nil
	db.Release()
	return done, true
}

func checkCommits(t *testing.T, disk *faultdisk.Disk, done, at int) {
	disk.Before = nil
	db, err := Open(disk, "d/x.db", Options{})
	require.NoError(t, err, "cut before call %d", at)
	defer db.Release()
	require.NoError(t, exec(db, createSQL))
	require.NoError(t, db.Run(func(c *sqlite3.Conn) error {
		s, _, err := c.Prepare("PRAGMA integrity_check")
		require.NoError(t, err)
		require.True(t, s.Step())
		require.Equal(t, "ok", s.ColumnText(0), "cut before call %d", at)
		require.NoError(t, s.Close())
		s, _, err = c.Prepare("SELECT count(*), coalesce(max(k), 0) FROM t")
		require.NoError(t, err)
		require.True(t, s.Step())
		require.GreaterOrEqual(t, s.ColumnInt(0), done, "cut before call %d", at)
		require.Equal(t, s.ColumnInt(0), s.ColumnInt(1), "cut before call %d", at)
		return s.Close()
	}))
}

// TestPagesOfANewDatabase: a size of pages holds for a file that is created, and changes no other.
func TestPagesOfANewDatabase(t *testing.T) {
	disk := faultdisk.New()
	for i, ask := range []int{512, 1024, 0} {
		db, err := Open(disk, "d/x.db", Options{PageBytes: ask})
		require.NoError(t, err)
		require.NoError(t, db.Run(func(c *sqlite3.Conn) error {
			s, _, err := c.Prepare("PRAGMA page_size")
			require.NoError(t, err)
			require.True(t, s.Step())
			require.Equal(t, 512, s.ColumnInt(0), "opened for the %d. time", i+1)
			return errors.Join(s.Close(), c.Exec(fmt.Sprintf("CREATE TABLE t%d(x)", i)))
		}))
		db.Release()
	}
}
