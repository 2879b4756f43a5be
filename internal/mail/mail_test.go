package mail

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"

	"cardea/internal/problem"
)

// smtp is a real, small SMTP server on loopback that hands over what it gets.
func smtp(t *testing.T, accept func(n int) bool) (addr string, mails chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	mails = make(chan string, 10)
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if !accept(n) {
				c.Close()
				continue
			}
			go talk(c, mails)
		}
	}()
	return l.Addr().String(), mails
}

func talk(c net.Conn, mails chan string) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(s string) { c.Write([]byte(s + "\r\n")) }
	say("220 test")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.Fields(line + " x")[0]); verb {
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				l, err := r.ReadString('\n')
				if err != nil || l == ".\r\n" {
					break
				}
				b.WriteString(l)
			}
			mails <- b.String()
			say("250 ok")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func TestSendsThroughARealServer(t *testing.T) {
	// The first connection is dropped: the message must arrive all the same.
	addr, mails := smtp(t, func(n int) bool { return n > 0 })
	s, err := Open("smtp://"+addr, "cardea@example.com", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(Message{"ada@example.com", "A passkey was added", "Hello Ada"}); err != nil {
		t.Fatal(err)
	}
	got := <-mails
	for _, want := range []string{"A passkey was added", "ada@example.com", "Hello Ada"} {
		if !strings.Contains(got, want) {
			t.Errorf("the mail lacks %q:\n%s", want, got)
		}
	}
}

func TestWithoutAServerSaysSo(t *testing.T) {
	s, err := Open("", "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p, ok := errors.AsType[*problem.Error](s.Send(Message{To: "a@b.c"}))
	if !ok || p.Code != "mailNotConfigured" {
		t.Fatal(p)
	}
}
