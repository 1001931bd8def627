package haproc

import (
	"bytes"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// parsedFile remembers the last content of a file and what it was parsed to. It saves calls of a pure
// function and is not a cache of the store: the content is read from the store every time, and only parsing
// the same bytes again is avoided. So it never returns stale data, whatever happens to locks, rounds, rings
// or the store's revisions.
//
// All callers share the value and must not change it.
type parsedFile[T any] struct {
	isParsed    bool
	parsedData  []byte
	parsedValue T
	err         error
}

// parseCached returns parse(data). parse must depend on nothing else and keep nothing of data.
func (m *parsedFile[T]) parseCached(data []byte, parse func([]byte) (T, error)) (T, error) {
	if !m.isParsed || !bytes.Equal(m.parsedData, data) {
		m.parsedValue, m.err = parse(data)
		m.parsedData = append(m.parsedData[:0], data...)
		m.isParsed = true
	}
	return m.parsedValue, m.err
}

// parsedFiles are what a process has parsed.
type parsedFiles struct {
	managerStatus parsedFile[*ha.ManagerStatus]
	resources     parsedFile[*resources]
	placements    placementCache
	datacenter    parsedFile[ha.Datacenter]
}

// resources is the parsed ha/resources.cfg. It must not be changed.
type resources struct {
	services map[string]*ha.ServiceConfig
	problems []config.Problem
}

func parseResources(data []byte) (*resources, error) {
	services, problems, err := config.ParseResources(string(data))
	return &resources{services, problems}, err
}

// placementCache remembers the node of each service. That depends only on the resource file and on the names
// below the nodes' directory.
type placementCache struct {
	source         *resources
	guestFiles     []string
	placedServices map[string]*ha.ServiceConfig
}

// placementsOf returns every service with its node, as placeServices finds it. The caller must change
// neither the arguments nor the result.
func (p *placementCache) placementsOf(from *resources, names []string,
	nodes []Node) map[string]*ha.ServiceConfig {
	if p.source == from && slices.Equal(p.guestFiles, names) {
		return p.placedServices
	}
	p.source, p.guestFiles = from, names
	present := make(map[string]bool, len(names))
	for _, name := range names {
		present[name] = true
	}
	p.placedServices = cloneServices(from.services)
	placeServices(p.placedServices, nodes, present)
	return p.placedServices
}

// cloneServices returns a deep copy.
func cloneServices(services map[string]*ha.ServiceConfig) map[string]*ha.ServiceConfig {
	out := make(map[string]*ha.ServiceConfig, len(services))
	all := make([]ha.ServiceConfig, 0, len(services))
	for sid, cd := range services {
		all = append(all, *cd)
		out[sid] = &all[len(all)-1]
	}
	return out
}
