package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ticksPerSecond is the unit of processor time in /proc, which is the same on every architecture.
const ticksPerSecond = 100

// cpuOf returns the processor time of a running process and its children.
func cpuOf(pid int) time.Duration {
	own, _ := readStat(pid)
	ticks := own.ticks
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		other, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		if stat, ok := readStat(other); ok && stat.parent == pid {
			ticks += stat.ticks
		}
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

type processStat struct {
	parent int
	ticks  int64 // with those of children that have ended
}

// readStat reads /proc/PID/stat; false if the process has ended. Its second field, the program's name in
// parentheses, may contain anything.
func readStat(pid int) (s processStat, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	at := bytes.LastIndexByte(text, ')')
	if err != nil || at < 0 {
		return s, false
	}
	const parent, firstTime, times = 1, 11, 4 // of the fields that follow the name
	fields := bytes.Fields(text[at+1:])
	if len(fields) < firstTime+times {
		return s, false
	}
	if s.parent, err = strconv.Atoi(string(fields[parent])); err != nil {
		return s, false
	}
	for _, field := range fields[firstTime : firstTime+times] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return s, false
		}
		s.ticks += n
	}
	return s, true
}
