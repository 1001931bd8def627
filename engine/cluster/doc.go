// Package cluster is the process that keeps a machine in the ring: it hosts the ring protocol,
// hosts the service that decides about quorum when a ring begins, and serves the machine's other
// processes in the language of package cpg.
//
// What a client may rely on:
//
//   - After Hello it gets a Config with Greeting set, the Quorum of that ring if it is known, and
//     everything from there on, in the ring's order. Before the node's first ring there is no
//     greeting; the ring's own Config comes first then.
//   - In every ring the order is Config, then Quorum, then messages: no client's message is
//     ordered in a ring before all its members have exchanged what decides about quorum. Messages
//     that were queued earlier wait for it. A ring that ends before the exchange has no Quorum and
//     no messages; the Quorum may come behind the transitional Config, and then messages too.
//   - A client that does not keep up is not waited for. When its queue refuses something, it gets
//     nothing more until it can be greeted anew: a Config with Greeting set, that it did not ask
//     for, means that something was left out. Order is never broken otherwise.
//   - Multicast answers Busy while a ring is being formed and when the queue is full. A message
//     that was taken is ordered in this ring or a later one, unless the process ends before.
//   - Reform is carried out at most every [ReformEvery]; what comes sooner waits.
//
// Package cluster never decides about quorum itself and never looks into messages of clients.
package cluster
