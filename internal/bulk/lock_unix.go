//go:build unix

package bulk

import (
	"os"
	"syscall"
)

// lock is gone with the process, however it ends.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
