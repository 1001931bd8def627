// Package hostmetrics serves what a machine of package host counts to Prometheus and OpenMetrics scrapers.
// Programs add collectors of their own.
//
// Package hostmetrics never counts anything itself.
package hostmetrics

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/holdfast-sim/holdfast/engine/host/hostapi"
)

const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// Source is a machine, such as a host.
type Source interface{ Health() hostapi.Health }

// Handler returns the handler of hostapi.PathMetrics. It fails if two collectors describe the same metric.
func Handler(m Source, more ...prometheus.Collector) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range append([]prometheus.Collector{&collector{m}}, more...) {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("describing metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true,
		MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
		ErrorHandling: promhttp.ContinueOnError}), nil
}

// collector reports what the machine itself knows.
type collector struct{ machine Source }

var (
	uptimeDesc = prometheus.NewDesc("holdfast_uptime_seconds", "Time since the machine's programs started.",
		nil, nil)
	bootDesc = prometheus.NewDesc("holdfast_boot_count", "Power-ups of the machine.", nil, nil)
	lostDesc = prometheus.NewDesc("holdfast_records_lost_total", "Records that could not be written.",
		nil, nil)
	upDesc = prometheus.NewDesc("holdfast_process_up", "1 while the process takes events.",
		[]string{"process"}, nil)
	startsDesc = prometheus.NewDesc("holdfast_process_starts_total", "Starts of the process.",
		[]string{"process"}, nil)
	datagramsDesc = prometheus.NewDesc("holdfast_datagrams_total",
		"Datagrams of the process by what became of them.", []string{"process", "outcome"}, nil)
	strangersDesc = prometheus.NewDesc("holdfast_datagrams_refused_total",
		"Datagrams of the process that were dropped, by the address that sent them.",
		[]string{"process", "source", "reason"}, nil)
	operationsDesc = prometheus.NewDesc("holdfast_operations_total", "Operations given to the process.",
		[]string{"process"}, nil)
	connectionsDesc = prometheus.NewDesc("holdfast_api_connections", "Connections of clients.",
		[]string{"listener"}, nil)
	inFlightDesc = prometheus.NewDesc("holdfast_api_operations", "Operations of clients under way.",
		[]string{"listener"}, nil)
	refusedDesc = prometheus.NewDesc("holdfast_api_refused_total",
		"What was refused because a listener had no room.", []string{"listener", "kind"}, nil)
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{uptimeDesc, bootDesc, lostDesc, upDesc, startsDesc, datagramsDesc,
		strangersDesc, operationsDesc, connectionsDesc, inFlightDesc, refusedDesc} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	h := c.machine.Health()
	gauge(uptimeDesc, h.Uptime.Seconds())
	gauge(bootDesc, float64(h.Boot))
	counter(lostDesc, h.RecordsLost)
	for _, p := range h.Processes {
		up := 0.0
		if p.State == hostapi.StateRunning {
			up = 1
		}
		gauge(upDesc, up, p.Name)
		counter(startsDesc, p.Incarnation, p.Name)
		counter(datagramsDesc, p.Received, p.Name, "received")
		counter(datagramsDesc, p.Sent, p.Name, "sent")
		counter(datagramsDesc, p.SendErrors, p.Name, "send_error")
		counter(datagramsDesc, p.QueueOverflows, p.Name, "queue_full")
		counter(datagramsDesc, p.UnknownSources, p.Name, "unknown_source")
		for _, s := range p.Strangers {
			counter(strangersDesc, s.Datagrams, p.Name, s.Address, "unknown_source")
		}
		counter(operationsDesc, p.OperationsGiven, p.Name)
	}
	for _, l := range h.Listeners {
		gauge(connectionsDesc, float64(l.Connections), l.Name)
		gauge(inFlightDesc, float64(l.Operations), l.Name)
		counter(refusedDesc, l.RefusedConnections, l.Name, "connection")
		counter(refusedDesc, l.RefusedOperations, l.Name, "operation")
	}
}
