package storecheck

import "time"

// Bounds are the times that excuse a store, by name.
var Bounds = map[string]time.Duration{"serveAfterRing": serveAfterRing,
	"diskReturnMax": diskReturnMax}
