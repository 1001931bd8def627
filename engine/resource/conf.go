package resource

import (
	"strconv"
	"strings"
)

// Conf is the part of a resource's configuration that concerns its size.
type Conf struct {
	// MilliCPUs is the CPU time that it may use, in thousandths of a CPU; 0 means no limit.
	MilliCPUs int64 `json:"milli_cpus,omitempty"`
	// MemoryBytes is the memory that it may use, in bytes.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// Lock names the operation that has locked it, "" for none.
	Lock string `json:"lock,omitempty"`
}

const (
	mebibyte = 1 << 20
	// maxMilliCPUs and maxMemoryBytes bound the sizes in a configuration: a million CPUs, an exbibyte.
	maxMilliCPUs   = 1_000_000_000
	maxMemoryBytes = 1 << 60
)

// ParseConf reads the lines "key: value" of a configuration before its first section (a snapshot): cores
// (or cpulimit, which may have decimals and takes precedence), memory in MiB, and lock. It ignores other
// keys and invalid numbers, because other programs write these files, too.
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
			if n, ok := parseThousandths(value, maxMilliCPUs); ok && !limited {
				c.MilliCPUs = n
			}
		case "cpulimit":
			if n, ok := parseThousandths(value, maxMilliCPUs); ok && n > 0 {
				c.MilliCPUs, limited = n, true
			}
		case "memory":
			if n, ok := parseThousandths(value, maxMemoryBytes/mebibyte*1000); ok {
				c.MemoryBytes = n/1000*mebibyte + n%1000*mebibyte/1000
			}
		case "lock":
			c.Lock = value
		}
	}
	return c
}

// parseThousandths reads an unsigned number with up to three decimals, exactly.
func parseThousandths(text string, limit int64) (int64, bool) {
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
