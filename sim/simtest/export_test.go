package simtest

// NemesisLabels and Overrides are for tests.
var (
	NemesisLabels = nemesisLabels
	Overrides     = overrides
)
