package session

import (
	"strings"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
)

// Situation is what an edge knows about a sign-in before anything is proved.
// The sign-in log, the session and the throttle take it from here.
type Situation struct {
	IP            string // the address of the browser, without port
	UserAgent     string
	Client        string // "Windows, Edge"; "" means: read it from UserAgent
	AppID         string // client id of the application the person is on the way to
	AppName       string
	CorrelationID string
	Protocol      string // authenticationProtocol: oAuth2, deviceCode …; "" means none
	ClientApp     string // clientAppUsed; "" means Browser
}

// ClientName is the browser in words for session lists: "Windows, Edge".
func (s Situation) ClientName() string {
	if s.Client != "" {
		return s.Client
	}
	os, browser := ParseUserAgent(s.UserAgent)
	switch {
	case os == "":
		return browser
	case browser == "":
		return os
	}
	return os + ", " + browser
}

// Row begins the interactive row of the sign-in log for this attempt: a fresh
// id, the circumstances, nobody yet (Of), and the status of a success.
func (s Situation) Row(now time.Time) audit.SignIn {
	os, browser := ParseUserAgent(s.UserAgent)
	protocol := s.Protocol
	if protocol == "" {
		protocol = "none"
	}
	used := s.ClientApp
	if used == "" {
		used = "Browser"
	}
	return audit.SignIn{
		ID: db.NewID(now), CreatedDateTime: now.UTC(),
		AppID: s.AppID, AppDisplayName: s.AppName,
		IPAddress: s.IP, ClientAppUsed: used, UserAgent: clip(s.UserAgent, 500), CorrelationID: s.CorrelationID,
		IsInteractive: true, SignInEventTypes: []string{audit.Interactive},
		DeviceDetail:              audit.DeviceDetail{OperatingSystem: os, Browser: browser},
		AuthenticationRequirement: "singleFactorAuthentication",
		AuthenticationProtocol:    protocol, IncomingTokenType: "none",
	}
}

// Of writes into row whom the attempt was for. The log spells user names in
// lower case (reports-and-logs §4.2).
func Of(row *audit.SignIn, u directory.User) {
	row.UserID, row.UserDisplayName, row.UserPrincipalName = u.ID, u.DisplayName, strings.ToLower(u.UserPrincipalName)
}

// Actor is the person u acting in this situation, for the audit log.
func (s Situation) Actor(u directory.User) audit.Actor {
	return audit.Actor{UserID: u.ID, UserName: u.DisplayName, UserPrincipalName: u.UserPrincipalName,
		IP: s.IP, UserAgent: clip(s.UserAgent, 500), CorrelationID: s.CorrelationID}
}

// clip bounds what a stranger can make us store; it never cuts a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// sign is a word of a User-Agent and what it stands for.
type sign struct{ word, name string }

// Order matters: most browsers also carry the names of the browsers they
// descend from, and Android says Linux, iOS says Mac OS X.
var (
	systems = []sign{{"Windows", "Windows"}, {"iPhone", "iOS"}, {"iPad", "iPadOS"}, {"Android", "Android"},
		{"CrOS", "ChromeOS"}, {"Mac OS X", "macOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"}, {"X11", "Linux"}}
	browsers = []sign{{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
		{"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"HeadlessChrome/", "Chrome"},
		{"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"PowerShell/", "PowerShell"}, {"curl/", "curl"}}
)

// ParseUserAgent reads the operating system and the browser from a User-Agent
// header: "Windows", "Edge". What it does not know is "". It is a hint for
// people who look at their sessions; no rule may depend on it.
func ParseUserAgent(header string) (os, browser string) {
	header = clip(header, 1000)
	first := func(signs []sign) string {
		for _, s := range signs {
			if strings.Contains(header, s.word) {
				return s.name
			}
		}
		return ""
	}
	return first(systems), first(browsers)
}
