package env

import "cmp"

// Buggifier is an [Env] that can ask a process to take a rare path. That of the simulator does so while a
// fault of the kind buggify acts; that of a real machine cannot.
type Buggifier interface {
	// Buggify reports whether the process must take the rare path of a site now.
	Buggify(site string) bool
}

// Buggify reports whether a process must take a rare path that it may take at any time: refuse a request,
// drop a message, skip a round. It is always false on a real machine. A site is named like a probe, for
// example "store/few-pending".
//
// The name and the technique are those of FoundationDB: code that tests of the whole system reach seldom,
// such as that for a full queue, is tested as much as the rest when the simulator may ask for it.
func Buggify(e Env, site string) bool {
	b, can := e.(Buggifier)
	return can && b.Buggify(site)
}

// SiteLocalFull is a site that every process has: [Env.Local] fails with [ErrLocalFull].
const SiteLocalFull = "env/local-full"

// Limit returns a limit of a process: the usual one, or the least one with which the process must work, where
// [Buggify] asks for the rare path of the site.
func Limit[N cmp.Ordered](e Env, site string, usual, least N) N {
	if Buggify(e, site) {
		return least
	}
	return usual
}
