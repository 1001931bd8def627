// Package requests is the clients that make requests for services during a run, as users of
// ha-manager do: start, stop, migrate, relocate. Each request and its answer go into the history.
//
// It never retries a request whose outcome is unknown, and it never judges what became of one.
package requests
