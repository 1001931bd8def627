// Package register is a small replicated register, the subject that Holdfast's own harness is
// tested with: named values, each read and written through majorities of the machines (Attiya,
// Bar-Noy, Dolev: Sharing memory robustly in message-passing systems, J. ACM 42(1), 1995).
//
// It shows what a subject needs and it is right: every schedule of faults leaves its histories
// linearizable. It never grows into a database.
package register
