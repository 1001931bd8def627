// Package models holds sequential specifications: what one copy of a system would answer.
//
// Each [Model] embeds a porcupine model, so that porcupine can search with it and a certificate can
// replay it, and adds what the checkers need to know about recorded operations: how to decode
// them, which ones change state, and whether they carry revisions. The step functions are pure, as
// porcupine demands.
//
// A model never looks at times, never guesses an unknown outcome and knows nothing of nodes: those
// belong to the checkers.
package models
