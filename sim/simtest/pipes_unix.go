//go:build unix

package simtest

import (
	"os"
	"syscall"
)

// workersPossible reports whether a process of this system can get further open files from its parent.
const workersPossible = true

// workerPipes returns the pipes that a worker was started with. Programs that its tests start do not get
// them.
func workerPipes() (questions, answers *os.File) {
	for descriptor := 3; descriptor <= 4; descriptor++ {
		syscall.CloseOnExec(descriptor)
	}
	return os.NewFile(3, "questions"), os.NewFile(4, "answers")
}
