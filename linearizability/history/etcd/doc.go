// Package etcd reads operations.json, in which etcd's robustness tests record what one client asked and was
// answered, with the times of call and return (tests/robustness/report in etcd's repository). The files of
// several clients may follow each other in one file.
//
// It turns requests into operations of package history and never judges them. It leaves out what the keys do
// not show: defragmenting, compacting and granting a lease.
package etcd
