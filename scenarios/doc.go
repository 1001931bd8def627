// Package scenarios describes a run: the machines, the network, the workload, the faults, and how the
// run must end. The same description runs in the simulator and on real nodes.
//
// What to use when:
//
//   - To describe the system under test: [Define] with a [Definition]. A system that outgrows it
//     implements [Subject] with [Builder] (simulator), [Driver] (real nodes), workload.Codec and [Judge].
//   - To write a scenario: a file, read by [Parse] or [Load], or [New] in Go. Both give a
//     [Scenario]; [Marshal] writes it as a file.
//   - To make a subject from a file: [Kinds], a map from names to [Decode] functions; [KindsOf] for
//     subjects without configuration.
//   - To run a scenario: the packages sim and chaos, each with a [Runner] that returns a [Run]; in go
//     test the packages sim/simtest and chaos/chaostest.
//   - To judge a run: [CheckHistory], [CheckRecovery] and [CheckExpect]; package scenarios/check has
//     more, and its Conclude calls all of them for a Runner.
//
// A subject may implement these optional interfaces:
//
//   - [Varier], a Subject that derives its scenario from the seed
//   - [ActorProvider], a Subject with background clients, such as an operator
//   - [PartialSubject], a Subject whose configuration can ask for what it does not carry out
//   - [TimelineFilter], a Judge whose timeline needs only some of the records
//   - [ServedJudge], a Judge that distinguishes served operations from failed ones
//   - [ExternalDeviceBuilder], a Builder with devices outside of the machines, such as power switches
//
// Package scenarios never runs anything and never decides by itself whether a run is valid.
package scenarios
