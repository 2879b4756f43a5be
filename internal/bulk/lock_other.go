//go:build !unix

package bulk

import "os"

// lock does nothing here: two runs on one journal are the caller's mistake.
func lock(*os.File) error { return nil }
