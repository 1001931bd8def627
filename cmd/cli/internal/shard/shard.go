// Package shard divides the runs of a campaign among several machines.
//
// It never looks at which runs there are elsewhere: each shard follows from its number alone, so machines
// need not talk to each other.
package shard

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// Max is the most shards of a campaign.
const Max = 10_000

// ErrShard means that a text names no shard.
var ErrShard = errors.New("--shard")

// Shard is the Number-th of Count parts, from 1. The zero value is the whole.
type Shard struct{ Number, Count uint64 }

// Parse reads a shard such as 1/4; "" is the whole. Its errors wrap [ErrShard].
func Parse(text string) (Shard, error) {
	if text == "" {
		return Shard{}, nil
	}
	before, after, _ := strings.Cut(text, "/")
	number, err1 := strconv.ParseUint(before, 10, 64)
	count, err2 := strconv.ParseUint(after, 10, 64)
	if err1 != nil || err2 != nil || number < 1 || number > count || count > Max {
		return Shard{}, fmt.Errorf("%w %q: write which part of how many, such as 1/4; at most %d parts",
			ErrShard, text, Max)
	}
	return Shard{number, count}, nil
}

// String returns the shard as [Parse] reads it.
func (s Shard) String() string {
	if s.Count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Number, s.Count)
}

// Of returns the first seed of a range that belongs to the shard, and the step to the next one. ok is false
// if none does. The seeds of a scenario with a strategy go to the shards in turn. Which shard begins depends
// on their names, so that many short ranges are divided as well.
func (s Shard) Of(scenario, strategy string, first, last uint64) (from, step uint64, ok bool) {
	if s.Count == 0 {
		return first, 1, true
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(scenario + "\x00" + strategy)) // it never fails
	turn := (first%s.Count + uint64(hash.Sum32())%s.Count) % s.Count
	ahead := (s.Number - 1 + s.Count - turn) % s.Count
	if ahead > last-first {
		return 0, 0, false
	}
	return first + ahead, s.Count, true
}
