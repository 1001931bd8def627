// Package harandom draws scenario folders of the HA manager, in the form that package conformance reads: a
// cluster, services, rules or groups, and commands and faults. A folder can be replayed by the decisions
// alone, by a whole cluster, and by the manager of Proxmox VE, and the results compared. Use it to find
// differences in situations that no test was written for. The package never replays or judges a folder
// itself.
package harandom
