// Package vswitch is a network switch in user space. It holds one end of every machine's network
// interface and delays, drops, duplicates or reorders each frame according to the present
// [fault.Condition] of its link.
//
// One thread reads, decides and delivers, so that frames of one pair with the same delay keep
// their order. The switch never reads more of a frame than its destination address, and it never
// decides which faults are active: the owner of the [fault.Net] does.
package vswitch
