package resource

import (
	"strconv"
	"strings"
)

// Conf is what a resource's configuration says of its size.
type Conf struct {
	// MilliCPUs is what it may use, in thousandths of a CPU; 0 is no limit.
	MilliCPUs int64 `json:"milli_cpus,omitempty"`
	// MemoryBytes is what it may use.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// Lock names the operation that has locked it; none when empty.
	Lock string `json:"lock,omitempty"`
}

const (
	mebibyte = 1 << 20
	// maxMilliCPUs and maxMemoryBytes bound what a configuration may claim: a million CPUs, an exbibyte.
	maxMilliCPUs   = 1_000_000_000
	maxMemoryBytes = 1 << 60
)

// ParseConf reads the lines "key: value" of a configuration before its first section (a snapshot):
// cores (or cpulimit, which may have decimals and comes first), memory in MiB, lock. Others, and
// numbers that make no sense, are passed over: files come from programs with more words.
func ParseConf(data []byte) (c Conf) {
	limited := false
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "[") {
			break
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "cores":
			if n, ok := thousandths(value, maxMilliCPUs); ok && !limited {
				c.MilliCPUs = n
			}
		case "cpulimit":
			if n, ok := thousandths(value, maxMilliCPUs); ok && n > 0 {
				c.MilliCPUs, limited = n, true
			}
		case "memory":
			if n, ok := thousandths(value, maxMemoryBytes/mebibyte*1000); ok {
				c.MemoryBytes = n/1000*mebibyte + n%1000*mebibyte/1000
			}
		case "lock":
			c.Lock = value
		}
	}
	return c
}

// thousandths reads a number with up to three decimals, exactly and without sign.
func thousandths(text string, limit int64) (int64, bool) {
	whole, decimals, _ := strings.Cut(text, ".")
	if len(decimals) > 3 {
		decimals = decimals[:3]
	}
	n, err := strconv.ParseUint(whole+(decimals + "000")[:3], 10, 63)
	if err != nil || int64(n) > limit {
		return 0, false
	}
	return int64(n), true
}
