// Package depgraph has directed graphs of dependencies between transactions: strongly connected
// components, and shortest paths of some kinds of edges. Helper vertices keep the number of edges
// linear where many transactions precede many others.
//
// It knows nothing of values and anomalies, and never changes a graph once it is built.
package depgraph
