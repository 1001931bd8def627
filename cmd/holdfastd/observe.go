package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-sim/holdfast/engine/cluster"
	"github.com/holdfast-sim/holdfast/engine/ha"
	"github.com/holdfast-sim/holdfast/engine/ha/haproc"
	"github.com/holdfast-sim/holdfast/engine/host"
	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
	"github.com/holdfast-sim/holdfast/engine/host/hostmetrics"
	"github.com/holdfast-sim/holdfast/engine/store"
)

// observe lets the node's clients ask whether it serves, and scrapers what it counts.
func observe(cfg *host.Config) {
	cfg.Ready = func(ctx context.Context, h *host.Host) hostapi.Readiness { return askReadiness(ctx, h) }
	cfg.Metrics = func(h *host.Host) (http.Handler, error) {
		return hostmetrics.Handler(h, &nodeCollector{host: h})
	}
}

// askReadiness reports whether the node's processes run and its store takes changes.
func askReadiness(ctx context.Context, h *host.Host) hostapi.Readiness {
	health := h.Health()
	out := health.AllRunning()
	s, err := storeStatus(ctx, h)
	switch {
	case err != nil:
		out.Reasons = append(out.Reasons, fmt.Sprintf("the store does not answer: %v", err))
	case !s.Quorate:
		reason := s.Reason
		if reason == "" {
			reason = "phase " + string(s.Phase)
		}
		out.Reasons = append(out.Reasons, "the store takes no changes: "+reason)
	}
	out.Ready = out.Ready && err == nil && s.Quorate
	return out
}

func storeStatus(ctx context.Context, h *host.Host) (*store.Status, error) {
	r, err := askStore(ctx, h, store.Request{Op: store.OpStatus})
	if err != nil {
		return nil, err
	}
	if r.Status == nil {
		return nil, fmt.Errorf("asking for the store's status: %s %s", r.Code, r.Message)
	}
	return r.Status, nil
}

// askStore gives the store a request that changes nothing.
func askStore(ctx context.Context, h *host.Host, req store.Request) (*store.Response, error) {
	req.ID = "holdfastd"
	data, err := h.Invoke(ctx, store.Process, req.Encode())
	if err != nil {
		return nil, err
	}
	return store.DecodeResponse(data)
}

// nodeCollector reports what the ring, the store and the HA manager know, as the node has it.
type nodeCollector struct{ host *host.Host }

// collectTimeout bounds all questions of one scrape.
const collectTimeout = 5 * time.Second

// desc returns the description of a metric.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("holdfast_"+name, help, labels, nil)
}

var (
	ringQuorateDesc  = desc("ring_quorate", "1 while votequorum decides that the ring has quorum.")
	ringMembersDesc  = desc("ring_members", "Members of the ring.")
	ringVotesDesc    = desc("ring_votes", "Votes by kind: present, expected, required.", "kind")
	ringsDesc        = desc("ring_memberships_total", "Memberships that were installed.")
	tokensDesc       = desc("ring_tokens_total", "Tokens that arrived.")
	messagesDesc     = desc("ring_messages_total", "Messages of the ring by kind.", "kind")
	refusedDesc      = desc("ring_packets_refused_total", "Packets that changed nothing.", "node", "reason")
	storeQuorateDesc = desc("store_quorate", "1 while the store acknowledges changes.")
	storePhaseDesc   = desc("store_phase", "1 for the store's phase.", "phase", "role")
	storeRevDesc     = desc("store_revision", "Revision of the store on this node.")
	storePendingDesc = desc("store_pending_requests", "Requests that wait for their answer.")
	storeVotersDesc  = desc("store_voters", "Votes in the store's configuration by node.", "node", "present")
	storeLossesDesc  = desc("store_losses", "Losses of acknowledged changes that this node has witnessed.")
	haMasterDesc     = desc("ha_master", "1 for the node that is the HA master.", "node")
	haAgeDesc        = desc("ha_status_timestamp_seconds", "Time of the last status.", "kind", "node")
	haNodesDesc      = desc("ha_node_state", "1 for the state of each node.", "node", "state")
	haServicesDesc   = desc("ha_services", "Services by state and node.", "node", "state")
)

// Describe implements prometheus.Collector.
func (c *nodeCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ringQuorateDesc, ringMembersDesc, ringVotesDesc, ringsDesc,
		tokensDesc, messagesDesc, refusedDesc, storeQuorateDesc, storePhaseDesc, storeRevDesc,
		storePendingDesc,
		storeVotersDesc, storeLossesDesc, haMasterDesc, haAgeDesc, haNodesDesc, haServicesDesc} {
		to <- d
	}
}

// sink passes samples on.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s sink) counter(d *prometheus.Desc, value uint64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}

// Collect implements prometheus.Collector. What does not answer is left out: a scraper shows the gap.
func (c *nodeCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	c.collectRing(ctx, to)
	if c.collectStore(ctx, to) {
		c.collectHA(ctx, to)
	}
}

func (c *nodeCollector) collectRing(ctx context.Context, to sink) {
	data, err := c.host.Invoke(ctx, cluster.Name, []byte(cluster.OpRing))
	var s cluster.Status
	if err != nil || json.Unmarshal(data, &s) != nil {
		return
	}
	to.gauge(ringQuorateDesc, boolValue(s.Quorate))
	to.gauge(ringMembersDesc, float64(len(s.Members)))
	to.gauge(ringVotesDesc, float64(s.Votes), "present")
	to.gauge(ringVotesDesc, float64(s.Expected), "expected")
	to.gauge(ringVotesDesc, float64(s.Required), "required")
	to.counter(ringsDesc, s.Rings)
	to.counter(tokensDesc, s.Tokens)
	to.counter(messagesDesc, s.Sent, "sent")
	to.counter(messagesDesc, s.Resent, "resent")
	to.counter(messagesDesc, s.Delivered, "delivered")
	for _, r := range s.Refused {
		node := fmt.Sprint(r.Node)
		to.counter(refusedDesc, r.Foreign, node, "foreign")
		to.counter(refusedDesc, r.Replayed, node, "replayed")
		to.counter(refusedDesc, r.StaleBoot, node, "stale_boot")
		to.counter(refusedDesc, r.Malformed, node, "malformed")
	}
}

// collectStore reports whether the store answers.
func (c *nodeCollector) collectStore(ctx context.Context, to sink) bool {
	s, err := storeStatus(ctx, c.host)
	if err != nil {
		return false
	}
	to.gauge(storeQuorateDesc, boolValue(s.Quorate))
	to.gauge(storePhaseDesc, 1, string(s.Phase), string(s.Role))
	to.gauge(storeRevDesc, float64(s.Revision))
	to.gauge(storePendingDesc, float64(s.Pending))
	to.gauge(storeLossesDesc, float64(len(s.Losses)))
	for _, m := range s.Config {
		present := fmt.Sprint(m.Present == m.Incarnation && m.Present != "")
		to.gauge(storeVotersDesc, float64(m.Votes), fmt.Sprint(m.Node), present)
	}
	return true
}

func (c *nodeCollector) collectHA(ctx context.Context, to sink) {
	data, ok := c.readFile(ctx, haproc.ManagerStatusPath)
	if !ok {
		return
	}
	m, err := ha.DecodeManagerStatus(data)
	if err != nil {
		return
	}
	if m.MasterNode != "" {
		to.gauge(haMasterDesc, 1, m.MasterNode)
		to.gauge(haAgeDesc, float64(m.Timestamp), "master", m.MasterNode)
	}
	type place struct{ node, state string }
	services := map[place]int{}
	for _, s := range m.ServiceStatus {
		services[place{s.Node, string(s.State)}]++
	}
	for at, n := range services {
		to.gauge(haServicesDesc, float64(n), at.node, at.state)
	}
	for node, state := range m.NodeStatus {
		to.gauge(haNodesDesc, 1, node, string(state))
		data, ok := c.readFile(ctx, haproc.LRMStatusPath(node))
		if !ok {
			continue
		}
		if agent, err := ha.DecodeLRMStatus(data); err == nil {
			to.gauge(haAgeDesc, float64(agent.Timestamp), "agent", node)
		}
	}
}

// readFile reads a file as this node has it; false if it cannot.
func (c *nodeCollector) readFile(ctx context.Context, path string) ([]byte, bool) {
	r, err := askStore(ctx, c.host, store.Request{Op: store.OpRead, Path: path, Local: true})
	if err != nil || !r.OK || r.Entry == nil {
		return nil, false
	}
	return r.Entry.Data, true
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
