package sim

// LostSteps is for tests.
func LostSteps() int32 { return lostSteps.Load() }
