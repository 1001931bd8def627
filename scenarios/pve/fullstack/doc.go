// Package fullstack replays the conformance scenarios of the HA manager on a whole cluster: ring,
// quorum, store, watchdogs and the manager's processes in a simulated world, instead of the logic
// alone in the virtual world of engine/ha/conformance. It translates a scenario folder into an
// ordinary scenario, follows the run by what the daemons log and by what the machines' guests do,
// and compares with the expected log.
//
// Package fullstack knows no scenario by its name, and it decides nothing about what is right beyond
// the rules in [Rules], which say where a real cluster may differ and why.
package fullstack
