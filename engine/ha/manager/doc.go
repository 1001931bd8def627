// Package manager is the cluster resource manager (CRM): on every node one CRM competes for the
// manager lock, and the one that holds it decides, round by round, what happens to each service.
// Decisions become visible only when the manager status is written at the end of a round; the local
// resource managers carry them out. The package never starts or stops anything itself, never
// measures time but through its Env, and accepts nothing but a node's agent lock as proof that the
// node is dead.
package manager
