package schema

import "github.com/holdfast-sim/holdfast/scenarios/fault"

// descriptions are what editors show, by the path of the key.
var descriptions = map[string]string{
	"name":       "The file's name without extension: lower-case letters, digits and dashes.",
	"story":      "What happens and what must hold, in a few sentences.",
	"references": "What the scenario is modelled on: incidents, papers, bug numbers.",
	"machines":   "How many machines there are (named n1, n2, …), or the list of their names.",

	"network":         "The condition of every link when nothing is wrong.",
	"network.latency": "The least one-way delay of a packet. Default 500us.",
	"network.jitter":  "The usual extra delay; rarely up to eight times as much. Default 200us.",
	"network.pair_latency": "The most that is added to the latency between two machines for the whole " +
		"run, as drawn for each pair. Default none.",
	"network.loss": "The share of packets that get lost. Default 0%.",

	"disk":                "How long disk calls take when nothing is wrong. Simulator only.",
	"disk.write":          "A write into the page cache. Default 4us.",
	"disk.sync":           "Making a file durable. Default 400us.",
	"disk.capacity_bytes": "How much all files of a machine may hold together. Default: no limit.",

	"watchdog": "What a hardware watchdog does to its machine: reset (it boots again) or power_off (it " +
		"stays off). Default reset.",

	"warmup":     "How long the machines run before workload and faults begin. Default 10s.",
	"duration":   "How long workload and faults last, from the end of the warm-up.",
	"quiescence": "The time without faults afterwards, in which the system must recover. Default 40s.",

	"workload":             "What clients do.",
	"workload.clients":     "How many clients there are; each makes one call at a time. Default 5.",
	"workload.operations":  "How many calls all clients make together. Default 200.",
	"workload.keys":        "How many names the operations are about. Default 6.",
	"workload.value_bytes": "The size of written values. Default 24.",
	"workload.pause": "A client's mean time between an answer and its next call. Default: such that " +
		"the calls fill the duration.",
	"workload.timeout": "How long a client waits for an answer. Default 5s.",
	"workload.mix": "The weight of each operation, by its name, for example {read: 3, write: 2}. " +
		"Default: the subject's.",
	"workload.locks":       "How clients use the locks that acquire takes.",
	"workload.locks.hold":  "How long a client keeps a lock. Default 5s.",
	"workload.locks.ttl":   "How long a lock stays valid without renewal. Default 120s.",
	"workload.locks.renew": "The time between two renewals of a holder. Default: a third of the TTL.",
	"workload.locks.poll": "The mean time between two looks at a lock that another client holds. " +
		"Default 1s.",
	"workload.locks.within": "The verdict counts the waits that ended within this time. Default 10s.",
	"workload.locks.served": "The least share of waits that must have ended with the lock. " +
		"Default: none.",

	"faults":      "What goes wrong, in any order.",
	"faults.kind": "What goes wrong.",
	"faults.at":   "When it begins, counted from the end of the warm-up.",
	"faults.for":  "How long it lasts. Default: until the duration is over.",
	"faults.groups": "The machines that still see each other. " +
		"Machines that no group names form one more group.",
	"faults.from":      "The machines at one end; all stands for every machine.",
	"faults.to":        "The machines at the other end; all stands for every machine.",
	"faults.one_way":   "Whether only what travels from from to to is hit. Default false.",
	"faults.machines":  "The machines that are hit; all stands for every machine.",
	"faults.process":   "The process that is hit, by its name. Default: all of the machine.",
	"faults.loss":      "The share of packets that get lost in addition.",
	"faults.duplicate": "The share of packets that arrive twice.",
	"faults.reorder":   "The share of packets that are held back so that others overtake them.",
	"faults.latency":   "The delay that is added, to packets or to disk calls.",
	"faults.jitter":    "The extra delay that is added to that of the network.",
	"faults.up":        "How long a flapping link works each time.",
	"faults.down":      "How long a flapping link is dead each time; it begins dead.",
	"faults.operation": "The disk calls that fail.",
	"faults.step":      "How far the wall clock jumps; negative is back.",
	"faults.file":      "The name of a file on the disks of the machines; the longest one unless given.",
	"faults.role": "The role of the subject whose machine is hit, in place of machines, from or groups: " +
		"the machine that has it when the fault begins.",
	"faults.follow": "How often the fault looks which machine has its role, and moves to that machine. " +
		"Default: it stays where it began.",
	"faults.trigger": "A kind of record or a probe of the subject. From its time on the fault waits until " +
		"that has come, on any machine. Default: it begins at its time.",
	"faults.nth": "How often the trigger must come. Default 1.",
	"faults.within": "How long the fault waits for its trigger; then it is not injected. " +
		"Default: until faults end.",
	"faults.delay": "How long after its trigger the fault begins. Default: at once.",
	"faults.at_disk_call": "The disk call at which the fault acts, counted from its beginning; 1 is the " +
		"first. Default: at once, or every call.",
	"faults.after_call": "Whether the call takes effect before the machine or process ends. " +
		"Default false.",
	"faults.times":            "How many times as long each step of a process takes.",
	"faults.bytes_per_second": "How much passes in each direction, IP and UDP headers included.",
	"faults.queue_bytes": "How much waits in front of a line that is too slow; more is dropped. " +
		"Default 65536.",
	"faults.mtu_bytes": "The largest packet that passes, IP and UDP headers included.",
	"faults.share": "The share of packets in which bits flip, or of the visits of a site that take the " +
		"rare path: 25% by default.",
	"faults.sites": "Where processes take rare paths, by their names in env.Buggify. " +
		"Default: all.",
	"faults.bits":      "How many bits flip. Default 16.",
	"faults.drift_ppm": "How much faster the clock runs, in millionths; negative is slower.",

	"nemesis": "Faults drawn at random from the seed, " +
		"never more than the system must survive.",
	"nemesis.kinds": "The kinds to draw from, all with equal weight. " +
		"Default: all that lose no data, without disk-full and disk-error.",
	"nemesis.every": "The mean time from the beginning of one fault to that of the next. " +
		"Default: derived from the subject's timers.",
	"nemesis.for_min": "The shortest that a fault lasts. Default: derived from the subject's timers.",
	"nemesis.for_max": "The longest that a fault lasts. Default: derived from the subject's timers.",
	"nemesis.mostly_short": "Whether each doubling from for_min to for_max is equally likely; otherwise " +
		"every length is. Default: true if neither is given.",
	"nemesis.at_once": "How many drawn faults may act at the same time. Default 1, or 3 without any times.",
	"nemesis.processes": "What kill, pause and slow may hit instead of all of a machine, as drawn, by the " +
		"processes' names.",
	"nemesis.roles": "The roles of the subject that faults may be aimed at, as drawn, instead of the " +
		"machines drawn.",
	"nemesis.disk_calls": "The last disk call at which a kill, power-cut or disk-error may act, as drawn, " +
		"instead of at once. Default: always at once.",
	"nemesis.beyond_survival": "Whether faults may take away what the system cannot do without. " +
		"Default false.",

	"expect":           "What must come out, beyond the checks that always hold.",
	"expect.verdict":   "What the run must end with. Default valid; invalid documents a known loss.",
	"expect.no_effect": "Accepts runs in which no fault had an effect.",
	"expect.succeeded": "The least share of operations that must have succeeded.",
	"expect.probes":    "Rare paths that some seed of a campaign must reach.",

	"subject": "The system under test: its kind, and its own part of the description.",
}

// kindDescriptions describe the effect of each kind of fault.
var kindDescriptions = map[fault.Kind]string{
	fault.Partition: "Cuts every link between machines of different groups.",
	fault.Cut:       "Drops everything between the machines in from and those in to.",
	fault.Link:      "Degrades what travels between the machines in from and those in to.",
	fault.Flap:      "Cuts the machines in from and to off from each other, again and again.",
	fault.Kill:      "Ends processes without notice and starts them again when the fault is over.",
	fault.Pause:     "Stops processes from running; time continues.",
	fault.PowerCut:  "Switches machines off: what was not durable is gone.",
	fault.PowerOn: "Switches on machines that are off by themselves: shut down, or left off by their " +
		"watchdogs.",
	fault.DiskStall: "Lets disk calls wait until the fault is over.",
	fault.DiskSlow:  "Adds latency to every disk call.",
	fault.DiskFull:  "Fails writes that need more space.",
	fault.DiskError: "Fails the disk calls of one operation.",
	fault.DiskWipe:  "Switches machines off and empties their disks, as a repair with a new disk does.",
	fault.DiskRollback: "Puts disks back to what was on them when the fault began, by a power cut at its " +
		"end.",
	fault.DiskCut:    "Switches machines off and cuts a file of their disks to half of its length.",
	fault.ClockStep:  "Moves the wall clock at once, and back when the fault is over.",
	fault.ClockDrift: "Lets clocks run too fast or too slow.",
	fault.Slow:       "Makes every step of processes longer.",
	fault.Freeze: "Stops machines together with their clocks and watchdogs, as the host of a virtual " +
		"machine can.",
	fault.Clog: "Holds back what the machines in from send to those in to; it arrives in order when the " +
		"fault is over.",
	fault.Bandwidth:     "Limits how much passes between the machines in from and those in to.",
	fault.MTU:           "Drops the packets that are too large, without a notice to their sender.",
	fault.Corrupt:       "Flips bits of packets.",
	fault.DiskCorrupt:   "Flips bits of what is durable, once.",
	fault.DiskLatent:    "Fails reads of one page of a file, until it is written again.",
	fault.DiskLostWrite: "Loses writes at a power cut that a sync has reported durable.",
	fault.Buggify:       "Makes processes take rare paths that they may take at any time.",
	fault.DiskMisdirect: "Puts writes in a wrong place of their file, which shows after a power cut.",
}
