package host

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

// maxStrangers bounds the addresses that are told apart: who can send can also invent addresses.
const maxStrangers = 16

// strangers count the datagrams that came from addresses of no machine, by address.
type strangers struct {
	mu     sync.Mutex
	counts map[netip.Addr]uint64
	others uint64 // from further addresses
}

// countDatagram counts a datagram.
func (s *strangers) countDatagram(from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[netip.Addr]uint64{}
	}
	if _, known := s.counts[from]; !known && len(s.counts) >= maxStrangers {
		s.others++
		return
	}
	s.counts[from]++
}

// list returns what was counted, by address.
func (s *strangers) list() (out []hostapi.Stranger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, n := range s.counts {
		out = append(out, hostapi.Stranger{Address: address.String(), Datagrams: n})
	}
	slices.SortFunc(out, func(a, b hostapi.Stranger) int { return cmp.Compare(a.Address, b.Address) })
	if s.others > 0 {
		out = append(out, hostapi.Stranger{Address: hostapi.OtherStrangers, Datagrams: s.others})
	}
	return out
}
