// Package cluster is the "cluster" process, which keeps a machine in the ring: it runs the ring protocol
// (package totem) and a service that decides about quorum, and it serves the other processes of the machine
// through the protocol of package cpg. Package node composes it with votequorum.
//
// A client may rely on this:
//
//   - After Hello it gets a Config with Greeting set, the Quorum of that ring if it is known, and then
//     everything in the ring's order. Before the node's first ring there is no greeting; the first message
//     is the ring's own Config.
//   - In every ring the order is Config, then Quorum, then messages: no client's message is ordered in a
//     ring before all its members have exchanged their votes. Messages that were queued earlier wait. A
//     ring that ends before the exchange is complete has no Quorum and no messages. The Quorum, and
//     messages after it, may also come behind the transitional Config.
//   - A slow client does not delay others. When its queue refuses a message, it gets nothing further until
//     it can be greeted again. A Config with Greeting set that the client did not ask for means that
//     messages were left out. Order is never broken otherwise.
//   - Multicast is answered with Busy while a ring is being formed and when the queue is full. A message
//     that was queued is ordered in this ring or a later one, unless the process ends before.
//   - Reform is carried out at most once in [ReformEvery]; a request that comes sooner waits.
//
// Package cluster never decides about quorum itself and never reads the messages of clients.
package cluster
