// Package hacheck judges what the HA manager did with services: where they ran, which locks were taken from
// whom, which machines were reset, and whether services recovered in time. DESIGN.md of scenarios/pve lists
// what excuses what.
//
// The checks believe guests, the machines' power, the injected faults and the store's order. Package hacheck
// never believes what the HA manager reports of itself, except which commands its agents carried out and
// which it refused.
package hacheck
