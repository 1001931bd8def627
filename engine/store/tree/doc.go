// Package tree is the meaning of the configuration store: a tree of small files with one revision
// counter. Judging and applying an operation is a pure function of the tree and the operation, so
// every replica comes to the same result, and tests use the package as the sequential
// specification of the whole store.
//
// Package tree never persists, never communicates and knows nothing of epochs or votes.
package tree
