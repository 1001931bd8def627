// Package manager is the cluster resource manager (CRM). On every node one CRM competes for the manager
// lock; the CRM that holds it is the master, which decides in each round what happens to each service.
// Its decisions become visible only when it writes the manager status at the end of a round; the local
// resource managers execute them. The package never starts or stops anything itself, never measures time
// except through its Env, and accepts only a node's agent lock as proof that the node is dead.
package manager
