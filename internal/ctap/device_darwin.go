//go:build darwin && cgo

package ctap

import (
	"context"
	"errors"
	"time"

	"github.com/sstallion/go-hid"
)

const fidoUsagePage = 0xF1D0

// Devices lists the security keys that are plugged in.
func Devices() (out []Found, err error) {
	if err := hid.Init(); err != nil {
		return nil, err
	}
	err = hid.Enumerate(hid.VendorIDAny, hid.ProductIDAny, func(d *hid.DeviceInfo) error {
		if d.UsagePage == fidoUsagePage {
			out = append(out, Found{Path: d.Path, Product: d.ProductStr})
		}
		return nil
	})
	return out, err
}

func open(path string) (Device, error) {
	if err := hid.Init(); err != nil {
		return nil, err
	}
	d, err := hid.OpenPath(path)
	if err != nil {
		return nil, err
	}
	return &managed{d}, nil
}

// managed is a Device of the system's HID manager.
type managed struct{ d *hid.Device }

func (m *managed) Send(_ context.Context, report [ReportSize]byte) error {
	_, err := m.d.Write(append([]byte{0}, report[:]...))
	return err
}

// slice is how long a read may hold out against the end of its context.
const slice = 100 * time.Millisecond

func (m *managed) Receive(ctx context.Context) (report [ReportSize]byte, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return report, err
		}
		n, err := m.d.ReadWithTimeout(report[:], slice)
		if errors.Is(err, hid.ErrTimeout) {
			continue
		}
		if err == nil && n != ReportSize {
			err = errors.New("ctap: a short report")
		}
		return report, err
	}
}

func (m *managed) Close() error { return m.d.Close() }
