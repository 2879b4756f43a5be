//go:build !linux && !(darwin && cgo)

package ctap

// Devices always fails: build on macOS with cgo, or use Linux.
func Devices() ([]Found, error) { return nil, errUnsupported }

func open(string) (Device, error) { return nil, errUnsupported }
