package ctap

import (
	"context"
	"encoding/binary"
	"time"

	"cardea/internal/problem"
)

// CTAPHID (CTAP 2.1 §11.2): a message of up to 7,609 bytes is cut into an
// initialization report and up to 128 continuation reports.
const (
	broadcast      uint32 = 0xFFFFFFFF
	cmdInit        byte   = 0x06
	cmdCBOR        byte   = 0x10
	cmdCancel      byte   = 0x11
	cmdKeepalive   byte   = 0x3B
	cmdError       byte   = 0x3F
	first          byte   = 0x80 // the bit of an initialization report
	capabilityCBOR byte   = 0x04
	maxMessage            = ReportSize - 7 + 128*(ReportSize-5)
	upNeeded       byte   = 2 // status of a keepalive: the key waits for its button
)

// silence is how long a key may say nothing at all: it sends a keepalive every
// 100 ms while it works.
const silence = 3 * time.Second

// message sends one message and waits for the answer to it. When ctx ends
// first, the key is told to give up.
func (k *Key) message(ctx context.Context, command byte, body []byte) ([]byte, error) {
	if len(body) > maxMessage || k.info.MaxMessage > 0 && uint(len(body)) > k.info.MaxMessage {
		return nil, problem.New(problem.Invalid, "keyMessageTooLong", "The request is longer than this key can take. Exclude fewer credentials.")
	}
	for _, r := range cut(k.channel, command, body) {
		if err := k.device.Send(ctx, r); err != nil {
			return nil, gone(err)
		}
	}
	answer, err := k.answer(ctx, command)
	if ctx.Err() != nil {
		stop, end := context.WithTimeout(context.WithoutCancel(ctx), silence)
		defer end()
		for _, r := range cut(k.channel, cmdCancel, nil) {
			k.device.Send(stop, r) // the key may be gone: nothing more can be done
		}
		return nil, ctx.Err()
	}
	return answer, err
}

// cut makes the reports of a message.
func cut(channel uint32, command byte, body []byte) (out [][ReportSize]byte) {
	var r [ReportSize]byte
	binary.BigEndian.PutUint32(r[:], channel)
	r[4] = command | first
	binary.BigEndian.PutUint16(r[5:], uint16(len(body)))
	n := copy(r[7:], body)
	out = append(out, r)
	for seq := byte(0); n < len(body); seq++ {
		r = [ReportSize]byte{}
		binary.BigEndian.PutUint32(r[:], channel)
		r[4] = seq
		n += copy(r[5:], body[n:])
		out = append(out, r)
	}
	return out
}

// answer collects the reports of the answer to command. Reports of other
// channels are other programs' business.
func (k *Key) answer(ctx context.Context, command byte) ([]byte, error) {
	touched := false
	for {
		r, err := k.receive(ctx)
		if err != nil {
			return nil, err
		}
		if binary.BigEndian.Uint32(r[:]) != k.channel || r[4]&first == 0 {
			continue
		}
		size := int(binary.BigEndian.Uint16(r[5:]))
		switch got := r[4] &^ first; {
		case got == cmdKeepalive:
			if r[7] == upNeeded && !touched && k.touch != nil {
				k.touch()
				touched = true
			}
		case got == cmdError:
			return nil, hidError(r[7])
		case got != command || size > maxMessage:
			return nil, badAnswer(nil)
		default:
			return k.rest(ctx, r, size)
		}
	}
}

func (k *Key) rest(ctx context.Context, r [ReportSize]byte, size int) ([]byte, error) {
	out := append([]byte(nil), r[7:min(ReportSize, 7+size)]...)
	for seq := byte(0); len(out) < size; {
		r, err := k.receive(ctx)
		if err != nil {
			return nil, err
		}
		if binary.BigEndian.Uint32(r[:]) != k.channel {
			continue
		}
		if r[4] != seq {
			return nil, badAnswer(nil)
		}
		seq++
		out = append(out, r[5:min(ReportSize, 5+size-len(out))]...)
	}
	return out, nil
}

func (k *Key) receive(ctx context.Context) (r [ReportSize]byte, err error) {
	wait, end := context.WithTimeout(ctx, silence)
	defer end()
	if r, err = k.device.Receive(wait); err != nil && ctx.Err() == nil {
		err = gone(err)
	}
	return r, err
}

func gone(err error) error {
	return problem.New(problem.Unavailable, "keyGone", "The key does not answer. Is it still plugged in, and may you use it? Plug it in again and repeat.").Because(err)
}

func hidError(code byte) error {
	if code == 0x06 { // ERR_CHANNEL_BUSY
		return problem.New(problem.Unavailable, "keyBusy", "Another program uses this key. Close it and repeat.")
	}
	return badAnswer(nil)
}
