package session

import (
	"testing"
	"time"
	"unicode/utf8"

	"cardea/internal/directory"
)

func TestParseUserAgent(t *testing.T) {
	const webkit = " AppleWebKit/537.36 (KHTML, like Gecko) "
	for _, c := range []struct{ header, os, browser string }{
		{"", "", ""},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + webkit + "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Windows", "Edge"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + webkit + "Chrome/140.0.0.0 Safari/537.36", "Windows", "Chrome"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0", "Windows", "Firefox"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15", "macOS", "Safari"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", "iOS", "Safari"},
		{"Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1", "iPadOS", "Chrome"},
		{"Mozilla/5.0 (Linux; Android 10; K)" + webkit + "Chrome/140.0.0.0 Mobile Safari/537.36", "Android", "Chrome"},
		{"Mozilla/5.0 (Linux; Android 10; K)" + webkit + "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Android", "Samsung Internet"},
		{"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" + webkit + "Chrome/140.0.0.0 Safari/537.36", "ChromeOS", "Chrome"},
		{"Mozilla/5.0 (X11; Linux x86_64)" + webkit + "HeadlessChrome/140.0.0.0 Safari/537.36", "Linux", "Chrome"},
		{"curl/8.14.1", "", "curl"},
	} {
		if os, browser := ParseUserAgent(c.header); os != c.os || browser != c.browser {
			t.Errorf("%q: %q, %q; want %q, %q", c.header, os, browser, c.os, c.browser)
		}
	}
}

// FuzzParseUserAgent: whatever a stranger sends, the answer comes from our own
// short lists, and what the row keeps is bounded and valid text.
func FuzzParseUserAgent(f *testing.F) {
	f.Add("Mozilla/5.0 (Windows NT 10.0) Edg/1")
	f.Add("\xff\xfe Chrome/")
	f.Fuzz(func(t *testing.T, header string) {
		os, browser := ParseUserAgent(header)
		known := func(signs []sign, name string) bool {
			for _, s := range signs {
				if s.name == name {
					return true
				}
			}
			return name == ""
		}
		if !known(systems, os) || !known(browsers, browser) {
			t.Fatalf("%q, %q are not names of ours", os, browser)
		}
		row := Situation{UserAgent: header}.Row(time.UnixMilli(1))
		if len(row.UserAgent) > 500 || len(header) > 500 && !utf8.ValidString(row.UserAgent) {
			t.Fatalf("the row keeps %d bytes: %q", len(row.UserAgent), row.UserAgent)
		}
	})
}

func TestSituationRow(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	s := Situation{IP: "192.0.2.7", UserAgent: "Mozilla/5.0 (Windows NT 10.0) Edg/140.0", AppID: "a", AppName: "Wiki", CorrelationID: "c"}
	row := s.Row(now)
	Of(&row, directory.User{ID: "u", DisplayName: "Ada", UserPrincipalName: "Ada@Example.com"})
	if row.ID == "" || !row.CreatedDateTime.Equal(now) || row.AppDisplayName != "Wiki" || row.IPAddress != "192.0.2.7" || row.CorrelationID != "c" {
		t.Errorf("row: %+v", row)
	}
	if row.UserPrincipalName != "ada@example.com" || row.UserID != "u" {
		t.Errorf("the log spells names in lower case: %q", row.UserPrincipalName)
	}
	if row.DeviceDetail.OperatingSystem != "Windows" || row.DeviceDetail.Browser != "Edge" || row.AuthenticationProtocol != "none" {
		t.Errorf("device: %+v, protocol %q", row.DeviceDetail, row.AuthenticationProtocol)
	}
	if got := s.ClientName(); got != "Windows, Edge" {
		t.Errorf("client %q", got)
	}
	if got := (Situation{UserAgent: "curl/8"}).ClientName(); got != "curl" {
		t.Errorf("client %q", got)
	}
	if got := (Situation{Client: "Kiosk"}).ClientName(); got != "Kiosk" {
		t.Errorf("client %q", got)
	}
}
