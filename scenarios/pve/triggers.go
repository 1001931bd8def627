package pve

import (
	"maps"
	"slices"
	"strings"
)

// probes are the rare paths that the engine marks as reached.
var probes = []string{
	"cluster/client-behind", "cluster/client-not-awaited",
	"fence/confirmed", "fence/failed",
	"ha/guest-locked", "ha/move-had-been-done",
	"lock/taken-on-proof", "lock/taken-over",
	"node/settings-differ",
	"resource/copy-expired", "resource/not-resumed", "resource/orphaned-at-switch-over",
	"store/acknowledged-changes-dropped", "store/backlog-overflow", "store/change-sent-again", "store/failed",
	"store/fetch-given-up", "store/fetch-retried", "store/left-with-unanswered-operations",
	"store/local-answer-refused", "store/message-of-another-ring", "store/multicast-busy",
	"store/outcome-unknown", "store/proposed-without-silent-member", "store/recovered", "store/reform-asked",
	"store/replacement-without-quorum", "store/report-after-decision", "store/ring-entered-late",
	"store/snapshot-too-old", "store/stranger", "store/too-many-operations", "store/too-many-replacements",
	"store/too-many-watches", "store/two-clusters", "store/went-back",
	"totem/boot-hint", "totem/cannot-form", "totem/excluded", "totem/failed-to-receive", "totem/hold-cancel",
	"totem/owed", "totem/pause", "totem/persist-failed", "totem/recovered", "totem/recovery-discard",
	"totem/recovery-gap", "totem/relay-limit", "totem/retransmit", "totem/route",
	"totem/token-lost-in-recovery",
	"watchdog/client-late", "watchdog/expired", "watchdog/found-armed",
}

// sites are where the engine takes rare paths on request.
var sites = []string{
	"ha/few-edits", "ha/late-command", "ha/late-result", "ha/late-round",
	"store-client/few-restarts", "store-client/no-answer", "store-client/not-sent",
	"store/eager-checkpoint", "store/eager-fetch", "store/eager-proposal", "store/few-pending",
	"store/few-replacements", "store/few-watches", "store/late-remember",
	"store/one-client", "store/propose-out-of-turn", "store/small-backlog", "store/small-batch",
	"store/small-frames", "store/small-outbox", "store/unknown-outcome",
	"totem/broken-recovery", "totem/busy", "totem/few-retransmits", "totem/lost-commit-token",
	"totem/lost-join", "totem/lost-packet", "totem/lost-token", "totem/narrow-window", "totem/small-packet",
}

// haTriggers are the first parts of the names of records, probes and sites that exist only with the HA
// manager.
var haTriggers = []string{"fence", "ha", "lock", "store-client", "resource", "watchdog", "guest",
	"service", "program"}

// Triggers implements scenarios.TriggerJudge.
func (j judge) Triggers() (records, rare []string) {
	records, rare = slices.Collect(maps.Keys(recordDecoders)), slices.Clone(probes)
	records = slices.DeleteFunc(records, ofWatches)
	if j.subject.spec.HA != nil {
		return records, rare
	}
	return slices.DeleteFunc(records, ofHA), slices.DeleteFunc(rare, ofHA)
}

// Sites implements scenarios.SiteJudge.
func (j judge) Sites() []string {
	if j.subject.spec.HA != nil {
		return sites
	}
	return slices.DeleteFunc(slices.Clone(sites), ofHA)
}

// ofWatches reports whether a record exists only where the workload's clients watch: few scenarios ask for
// that, and in the others a fault would wait for it in vain.
func ofWatches(name string) bool { return strings.HasPrefix(name, "store-watch") }

// ofHA reports whether a record, a probe or a site exists only with the HA manager.
func ofHA(name string) bool {
	return slices.ContainsFunc(haTriggers, func(part string) bool {
		return strings.HasPrefix(name, part+"-") || strings.HasPrefix(name, part+"/")
	})
}
