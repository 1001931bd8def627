// Package lease keeps what a run of real nodes creates in this machine (namespaces, control
// groups, directories, processes) in its owner's name, and removes it: at the run's end, and also
// when the owner was killed before it could.
//
// A run is a directory with a file that names the owning process. What belongs to the run carries
// the run's id in its own name, so that it is found without having been written down. Package
// lease never touches what is owned by a living process.
package lease
