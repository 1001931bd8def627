package haproc

import (
	"bytes"
	"slices"

	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/config"
)

// memo remembers what a file's content came to when it was read last. It is a shortcut for a pure
// function and not a cache of the store: the content is read from the store as often as ever, and
// only the work of parsing the very same bytes again is saved. So nothing that is stale can come
// out of it, whatever happens to locks, rounds, rings or the store's revisions.
//
// The value is shared by all who ask; nobody may change it.
type memo[T any] struct {
	known bool
	data  []byte
	value T
	err   error
}

// of is parse(data). parse must depend on nothing else and keep nothing of data.
func (m *memo[T]) of(data []byte, parse func([]byte) (T, error)) (T, error) {
	if !m.known || !bytes.Equal(m.data, data) {
		m.value, m.err = parse(data)
		m.data = append(m.data[:0], data...)
		m.known = true
	}
	return m.value, m.err
}

// memos are what a process has parsed.
type memos struct {
	managerStatus memo[*ha.ManagerStatus]
	resources     memo[*resources]
	placed        placement
	datacenter    memo[ha.Datacenter]
}

// resources are what ha/resources.cfg says. Nobody changes them.
type resources struct {
	services map[string]*ha.ServiceConfig
	problems []config.Problem
}

func parseResources(data []byte) (*resources, error) {
	services, problems, err := config.ParseResources(string(data))
	return &resources{services, problems}, err
}

// placement remembers where the services were found to live, which depends on what the resource
// file says and on the names below the nodes' directory, and on nothing else.
type placement struct {
	from     *resources
	names    []string
	services map[string]*ha.ServiceConfig
}

// of gives every service the node where it lives, as placeServices does. Nobody may change what it
// is given or returns.
func (p *placement) of(from *resources, names []string, nodes []Node) map[string]*ha.ServiceConfig {
	if p.from == from && slices.Equal(p.names, names) {
		return p.services
	}
	p.from, p.names = from, names
	present := make(map[string]bool, len(names))
	for _, name := range names {
		present[name] = true
	}
	p.services = cloneServices(from.services)
	placeServices(p.services, nodes, present)
	return p.services
}

// cloneServices returns a copy that shares nothing.
func cloneServices(services map[string]*ha.ServiceConfig) map[string]*ha.ServiceConfig {
	out := make(map[string]*ha.ServiceConfig, len(services))
	all := make([]ha.ServiceConfig, 0, len(services))
	for sid, cd := range services {
		all = append(all, *cd)
		out[sid] = &all[len(all)-1]
	}
	return out
}
