package account_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/mail"
)

// postbox is an SMTP server on loopback that hands over what it gets.
func postbox(t *testing.T) (address string, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got = make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go receive(c, got)
		}
	}()
	return l.Addr().String(), got
}

func receive(c net.Conn, got chan string) {
	defer c.Close()
	in := bufio.NewReader(c)
	fmt.Fprint(c, "220 postbox\r\n")
	for {
		line, err := in.ReadString('\n')
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case err != nil:
			return
		case verb == "DATA":
			fmt.Fprint(c, "354 go on\r\n")
			text := ""
			for {
				line, err := in.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				text += line
			}
			got <- text
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		}
		fmt.Fprint(c, "250 fine\r\n")
	}
}

// A mail goes out when a passkey is added and when one is deleted (UX-M6).
func TestNotices_UXM6(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		address, got := postbox(t)
		sender, err := mail.Open("smtp://"+address, "cardea@contoso.com", slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			t.Fatal(err)
		}
		h := house.Open(t, d, sender).Administrate()
		_, b, _ := h.Settled("ada@contoso.com", "Ada Lovelace")
		m := h.Register(b, cardeatest.NewAuthenticator())
		if r := b.Form("/security-info/passkeys/" + m.ID + "/delete"); r.To() != "/security-info" {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		sender.Close() // sends what waits
		close(got)
		var all []string
		for text := range got {
			all = append(all, text)
			for _, want := range []string{"<ada@contoso.com>", "Ada Lovelace", "Windows, Edge", "192.0.2.7", "/security-info"} {
				if !strings.Contains(text, want) {
					t.Errorf("the mail lacks %q: %s", want, text)
				}
			}
		}
		if len(all) != 3 || !strings.Contains(all[1], "was added") || !strings.Contains(all[2], "was deleted") {
			t.Errorf("%d mails: %q", len(all), all)
		}
	})
}
