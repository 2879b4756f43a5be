package ctap

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// stream is a Device over anything that moves whole reports and knows
// deadlines: a hidraw file, or a socket.
type stream struct {
	conn     Conn
	numbered bool // each written report has its number, 0, in front
}

// Conn moves whole reports and knows deadlines.
type Conn interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// until gives conn the deadline of ctx; the function it returns must be called
// when the transfer is over.
func (s *stream) until(ctx context.Context) (done func() bool, err error) {
	deadline, _ := ctx.Deadline() // zero: none
	if err := s.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	return context.AfterFunc(ctx, func() { s.conn.SetDeadline(time.Unix(1, 0)) }), ctx.Err()
}

func (s *stream) Send(ctx context.Context, report [ReportSize]byte) error {
	done, err := s.until(ctx)
	if err != nil {
		return err
	}
	defer done()
	out := report[:]
	if s.numbered {
		out = append([]byte{0}, out...)
	}
	_, err = s.conn.Write(out)
	return err
}

func (s *stream) Receive(ctx context.Context) (report [ReportSize]byte, err error) {
	done, err := s.until(ctx)
	if err != nil {
		return report, err
	}
	defer done()
	_, err = io.ReadFull(s.conn, report[:])
	return report, err
}

func (s *stream) Close() error { return s.conn.Close() }

// socketPrefix marks the path of a Unix socket that carries bare reports of 64
// bytes in both directions: an authenticator in software, or one forwarded
// from another machine.
const socketPrefix = "unix:"

// Open opens the device at a path: one that Devices found, or "unix:" and the
// path of a socket.
func Open(ctx context.Context, path string) (Device, error) {
	if socket, ok := strings.CutPrefix(path, socketPrefix); ok {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err != nil {
			return nil, gone(err)
		}
		return &stream{conn: conn}, nil
	}
	d, err := open(path)
	if err != nil {
		return nil, gone(err)
	}
	return d, nil
}

var errUnsupported = errors.New("ctap: security keys cannot be reached on this system")

// Stream is a Device over a connection that carries bare reports of 64 bytes.
func Stream(c Conn) Device { return &stream{conn: c} }
