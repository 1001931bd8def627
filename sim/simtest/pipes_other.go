//go:build !unix

package simtest

import "os"

// workersPossible reports whether a process of this system can get further open files from its parent.
const workersPossible = false

// workerPipes is never called: no worker is started.
func workerPipes() (questions, answers *os.File) { return nil, nil }
