package ctap

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// fidoUsage is how a report descriptor begins that belongs to FIDO: usage page
// 0xF1D0, usage 0x01 (CTAP 2.1 §11.2.8.1).
var fidoUsage = []byte{0x06, 0xD0, 0xF1, 0x09, 0x01}

// Devices lists the security keys that are plugged in, those too that this
// user may not open: Open says so.
func Devices() ([]Found, error) { return devices("/sys/class/hidraw") }

func devices(class string) ([]Found, error) {
	entries, err := filepath.Glob(filepath.Join(class, "hidraw*"))
	if err != nil {
		return nil, err
	}
	var out []Found
	for _, entry := range entries {
		descriptor, err := os.ReadFile(filepath.Join(entry, "device", "report_descriptor"))
		if err != nil || !bytes.Contains(descriptor, fidoUsage) {
			continue // gone meanwhile, or a mouse
		}
		f := Found{Path: "/dev/" + filepath.Base(entry), Product: filepath.Base(entry)}
		uevent, _ := os.ReadFile(filepath.Join(entry, "device", "uevent"))
		for line := range strings.Lines(string(uevent)) {
			if name, ok := strings.CutPrefix(line, "HID_NAME="); ok {
				f.Product = strings.TrimSpace(name)
			}
		}
		out = append(out, f)
	}
	return out, nil
}

func open(path string) (Device, error) {
	// Not blocking, so that deadlines work.
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &stream{conn: f, numbered: true}, nil
}
