package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cardea/internal/problem"
)

// Config is every setting of a server. Each has a flag of the same name
// (--public-url) and an environment variable (CARDEA_PUBLIC_URL); the flag
// wins. docs/configure.md describes them.
type Config struct {
	PublicURL      string // CARDEA_PUBLIC_URL: where browsers and apps reach Cardea; never taken from a request (WC-3)
	Listen         string // CARDEA_LISTEN
	DataDir        string // CARDEA_DATA_DIR: SQLite file, master key, local CA
	DatabaseURL    string // CARDEA_DATABASE_URL: "" is SQLite in the data dir, or postgres://…
	TLS            string // CARDEA_TLS: "" or "self-signed"
	TLSCert        string // CARDEA_TLS_CERT: PEM file
	TLSKey         string // CARDEA_TLS_KEY: PEM file
	TrustedProxies string // CARDEA_TRUSTED_PROXIES: addresses or ranges whose X-Forwarded-For counts
	MasterKeyFile  string // CARDEA_MASTER_KEY_FILE: "" is master.key in the data dir
	RPID           string // CARDEA_RP_ID: "" is the host of the public URL (PK-103)
	MetadataURL    string // CARDEA_METADATA_URL: FIDO metadata; "" fetches nothing
	MetadataRoots  string // CARDEA_METADATA_ROOTS: PEM file; "" is GlobalSign R3 and R46
	MetadataTerms  string // CARDEA_METADATA_ACCEPT_TERMS: who accepted FIDO's terms; needed to fetch (WA-65)
	SMTP           string // CARDEA_SMTP: smtp://user:password@host:port; "" sends no mail
	MailFrom       string // CARDEA_MAIL_FROM
	LogFormat      string // CARDEA_LOG_FORMAT: text or json
	APIRate        string // CARDEA_API_RATE: requests a second of each caller of the API; 0 is no limit
	PowerShellPage string // CARDEA_POWERSHELL_PAGE: page size for Graph PowerShell (WC-85)
	PowerShellLink string // CARDEA_POWERSHELL_LINKS: no or yes (WC-86)
	AppsReach      string // CARDEA_APPS_RESPECT_REACH: no or yes (DO-25)
	MetricsFrom    string // CARDEA_METRICS_FROM: who besides loopback may read /metrics
	DeviceCode     string // CARDEA_DEVICE_CODE: yes or no: signing in devices without a browser
	DeletedDays    string // CARDEA_DELETED_DAYS: how long deleted people and groups can be restored
	DeltaDays      string // CARDEA_DELTA_DAYS: how long delta tokens live (DO-65)
	PasswordGrant  string // CARDEA_PASSWORD_GRANT: no or yes: applications that ask for passwords (WC-40)
	Demo           bool   // set by `cardea demo` only
}

// Setting is one row of the settings table: its variable, what it is for, and
// its default.
type Setting struct {
	Env, Help, Default string
	Secret             bool // never printed
	At                 func(*Config) *string
}

// Settings lists all settings in the order of the documentation.
var Settings = []Setting{
	{"CARDEA_PUBLIC_URL", "address at which browsers and applications reach Cardea; empty is localhost at the port it listens on", "", false, func(c *Config) *string { return &c.PublicURL }},
	{"CARDEA_LISTEN", "address to listen on", "127.0.0.1:8080", false, func(c *Config) *string { return &c.Listen }},
	{"CARDEA_DATA_DIR", "folder for the SQLite database, the master key and the local CA", "data", false, func(c *Config) *string { return &c.DataDir }},
	{"CARDEA_DATABASE_URL", "postgres://… for PostgreSQL; empty is SQLite in the data folder", "", true, func(c *Config) *string { return &c.DatabaseURL }},
	{"CARDEA_TLS", "self-signed makes a local CA in the data folder and serves https with it", "", false, func(c *Config) *string { return &c.TLS }},
	{"CARDEA_TLS_CERT", "PEM file with the certificate chain", "", false, func(c *Config) *string { return &c.TLSCert }},
	{"CARDEA_TLS_KEY", "PEM file with the private key", "", false, func(c *Config) *string { return &c.TLSKey }},
	{"CARDEA_TRUSTED_PROXIES", "addresses or ranges, comma separated, whose X-Forwarded-For header is believed", "", false, func(c *Config) *string { return &c.TrustedProxies }},
	{"CARDEA_MASTER_KEY_FILE", "file with the master key that wraps all other keys; empty is master.key in the data folder", "", false, func(c *Config) *string { return &c.MasterKeyFile }},
	{"CARDEA_RP_ID", "relying party id of passkeys; empty is the host of the public URL", "", false, func(c *Config) *string { return &c.RPID }},
	{"CARDEA_METADATA_URL", "address of the FIDO metadata, for attestation; empty fetches nothing", "", false, func(c *Config) *string { return &c.MetadataURL }},
	{"CARDEA_METADATA_ROOTS", "PEM file with the roots that sign the metadata; empty is GlobalSign R3 and R46", "", false, func(c *Config) *string { return &c.MetadataRoots }},
	{"CARDEA_METADATA_ACCEPT_TERMS", "name of who accepted https://fidoalliance.org/metadata/metadata-legal-terms/; needed to fetch", "", false, func(c *Config) *string { return &c.MetadataTerms }},
	{"CARDEA_SMTP", "smtp://user:password@host:587 for outgoing mail; empty sends none", "", true, func(c *Config) *string { return &c.SMTP }},
	{"CARDEA_MAIL_FROM", "sender of outgoing mail", "", false, func(c *Config) *string { return &c.MailFrom }},
	{"CARDEA_METRICS_FROM", "addresses or ranges, comma separated, that may read /metrics besides this machine", "", false, func(c *Config) *string { return &c.MetricsFrom }},
	{"CARDEA_API_RATE", "requests a second that each caller of the API may send, twice as many at once; 0 is no limit", "600", false, func(c *Config) *string { return &c.APIRate }},
	{"CARDEA_POWERSHELL_PAGE", "how many objects a list gives Graph PowerShell where it does not say: it cannot follow the link to a next page here", "5000", false, func(c *Config) *string { return &c.PowerShellPage }},
	{"CARDEA_POWERSHELL_LINKS", "yes: links to a next page name graph.microsoft.com for Graph PowerShell, which moves them back here; a client that only calls itself so would send its token to Microsoft", "no", false, func(c *Config) *string { return &c.PowerShellLink }},
	{"CARDEA_APPS_RESPECT_REACH", "yes: applications change sign-in methods and accounts only of people whom an Authentication Administrator reaches", "no", false, func(c *Config) *string { return &c.AppsReach }},
	{"CARDEA_DEVICE_CODE", "yes: people sign in command lines and devices by typing a code at /devicelogin", "yes", false, func(c *Config) *string { return &c.DeviceCode }},
	{"CARDEA_PASSWORD_GRANT", "yes: applications may ask people for their passwords themselves", "no", false, func(c *Config) *string { return &c.PasswordGrant }},
	{"CARDEA_DELETED_DAYS", "days for which deleted people and groups can be restored; then they are gone for good", "30", false, func(c *Config) *string { return &c.DeletedDays }},
	{"CARDEA_DELTA_DAYS", "days for which the tokens of /users/delta and /groups/delta can be continued", "30", false, func(c *Config) *string { return &c.DeltaDays }},
	{"CARDEA_LOG_FORMAT", "text or json", "text", false, func(c *Config) *string { return &c.LogFormat }},
}

// Flag returns the name of the setting's flag: CARDEA_PUBLIC_URL is public-url.
func (s Setting) Flag() string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(s.Env, "CARDEA_"), "_", "-"))
}

// FromEnvironment returns the defaults overridden by the environment.
func FromEnvironment(getenv func(string) string) Config {
	var c Config
	for _, s := range Settings {
		*s.At(&c) = s.Default
		if v := getenv(s.Env); v != "" {
			*s.At(&c) = v
		}
	}
	return c
}

// checked is a Config after validation.
type checked struct {
	Config
	url     *url.URL
	rpID    string
	proxies []netip.Prefix // whose X-Forwarded-For counts
	metrics []netip.Prefix // who may read /metrics besides loopback
	deleted time.Duration  // DeletedDays
	delta   time.Duration  // DeltaDays

	apiRate, powerShellPage int
}

// Check validates c and names the first setting that is wrong, in words for
// the operator.
func (c Config) Check() error { _, err := c.check(); return err }

func (c Config) check() (checked, error) {
	bad := func(setting, format string, args ...any) (checked, error) {
		return checked{}, problem.New(problem.Invalid, "badSetting", "%s: "+format, append([]any{setting}, args...)...)
	}
	k := checked{Config: c}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return bad("CARDEA_LISTEN", "%q is not host:port.", c.Listen)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return bad("CARDEA_LISTEN", "%q is not a port.", port)
	}
	if u := c.DatabaseURL; u != "" && !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") { // the value may hold a password
		return bad("CARDEA_DATABASE_URL", "must begin with postgres://. Leave it empty for SQLite in the data folder.")
	}
	if c.PublicURL == "" {
		scheme := "http"
		if c.TLS != "" || c.TLSCert != "" {
			scheme = "https"
		}
		c.PublicURL = scheme + "://localhost:" + port
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return bad("CARDEA_PUBLIC_URL", "%q is not an address like https://id.example.com.", c.PublicURL)
	}
	if strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return bad("CARDEA_PUBLIC_URL", "must be scheme and host alone, without a path: clients cut the path off.")
	}
	if u.Scheme == "http" && u.Hostname() != "localhost" {
		return bad("CARDEA_PUBLIC_URL", "browsers offer passkeys only on https:// and on http://localhost. Use https, or CARDEA_TLS=self-signed.")
	}
	u.Path = ""
	u.Host = strings.ToLower(u.Host)
	if p := u.Port(); (u.Scheme == "https" && p == "443") || (u.Scheme == "http" && p == "80") {
		u.Host = u.Hostname()
	}
	k.url, k.PublicURL = u, u.String()
	k.rpID = c.RPID
	if k.rpID == "" {
		k.rpID = u.Hostname()
	}
	if host := u.Hostname(); host != k.rpID && !strings.HasSuffix(host, "."+k.rpID) {
		return bad("CARDEA_RP_ID", "%q must be %q or a parent domain of it, otherwise browsers refuse every passkey.", k.rpID, host)
	}
	if net.ParseIP(u.Hostname()) != nil {
		return bad("CARDEA_PUBLIC_URL", "passkeys need a host name; an IP address does not do.")
	}
	if c.Demo && !loopback(host) {
		return bad("CARDEA_LISTEN", "the demo has invented people and no protection; it listens on loopback only, not on %q.", host)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return bad("CARDEA_TLS_CERT", "a certificate needs its key and the other way round.")
	}
	if c.TLS != "" && c.TLS != "self-signed" {
		return bad("CARDEA_TLS", "%q is not known; use self-signed or leave it empty.", c.TLS)
	}
	if c.TLS != "" && c.TLSCert != "" {
		return bad("CARDEA_TLS", "choose between self-signed and a certificate of your own.")
	}
	if (c.TLS != "" || c.TLSCert != "") && u.Scheme != "https" {
		return bad("CARDEA_PUBLIC_URL", "Cardea serves https here, so the public address must begin with https://.")
	}
	if k.proxies, err = ranges(c.TrustedProxies); err != nil {
		return bad("CARDEA_TRUSTED_PROXIES", "%v", err)
	}
	if k.metrics, err = ranges(c.MetricsFrom); err != nil {
		return bad("CARDEA_METRICS_FROM", "%v", err)
	}
	if c.MetadataURL != "" {
		if m, err := url.Parse(c.MetadataURL); err != nil || m.Scheme != "https" {
			return bad("CARDEA_METADATA_URL", "%q is not an https address.", c.MetadataURL)
		}
		if c.MetadataTerms == "" {
			return bad("CARDEA_METADATA_ACCEPT_TERMS", "read https://fidoalliance.org/metadata/metadata-legal-terms/ and write the name of who accepts them here.")
		}
	}
	if c.SMTP != "" {
		if m, err := url.Parse(c.SMTP); err != nil || (m.Scheme != "smtp" && m.Scheme != "smtps") || m.Host == "" {
			return bad("CARDEA_SMTP", "not an address like smtp://user:password@mail.example.com:587.")
		}
		if c.MailFrom == "" {
			return bad("CARDEA_MAIL_FROM", "mail needs a sender.")
		}
	}
	if k.apiRate, err = number(c.APIRate, 0, 1_000_000); err != nil {
		return bad("CARDEA_API_RATE", "%v", err)
	}
	if k.powerShellPage, err = number(c.PowerShellPage, 0, 100_000); err != nil {
		return bad("CARDEA_POWERSHELL_PAGE", "%v", err)
	}
	if c.PowerShellLink != "" && c.PowerShellLink != "no" && c.PowerShellLink != "yes" {
		return bad("CARDEA_POWERSHELL_LINKS", "%q is neither yes nor no.", c.PowerShellLink)
	}
	if c.AppsReach != "" && c.AppsReach != "no" && c.AppsReach != "yes" {
		return bad("CARDEA_APPS_RESPECT_REACH", "%q is neither yes nor no.", c.AppsReach)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return bad("CARDEA_LOG_FORMAT", "%q is neither text nor json.", c.LogFormat)
	}
	for setting, value := range map[string]string{"CARDEA_DEVICE_CODE": c.DeviceCode, "CARDEA_PASSWORD_GRANT": c.PasswordGrant} {
		if value != "" && value != "no" && value != "yes" {
			return bad(setting, "%q is neither yes nor no.", value)
		}
	}
	for setting, days := range map[string]struct {
		text string
		to   *time.Duration
	}{"CARDEA_DELETED_DAYS": {c.DeletedDays, &k.deleted}, "CARDEA_DELTA_DAYS": {c.DeltaDays, &k.delta}} {
		if days.text == "" {
			days.text = "30"
		}
		n, err := strconv.Atoi(days.text)
		if err != nil || n < 1 || n > 3650 {
			return bad(setting, "%q is not a number of days from 1 to 3650.", days.text)
		}
		*days.to = time.Duration(n) * 24 * time.Hour
	}
	if k.MasterKeyFile == "" {
		k.MasterKeyFile = filepath.Join(c.DataDir, "master.key")
	}
	return k, nil
}

// dsn returns what db.Open wants.
func (k checked) dsn() string {
	if k.DatabaseURL != "" {
		return k.DatabaseURL
	}
	return filepath.Join(k.DataDir, "cardea.db")
}

// tlsConfig returns nil where Cardea does not end TLS itself.
func (k checked) tlsConfig() (*tls.Config, error) {
	switch {
	case k.TLSCert != "":
		cert, err := tls.LoadX509KeyPair(k.TLSCert, k.TLSKey)
		if err != nil {
			return nil, problem.New(problem.Invalid, "badSetting", "CARDEA_TLS_CERT: %v", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
	case k.TLS == "self-signed":
		cert, err := selfSigned(k.DataDir, k.url.Hostname())
		if err != nil {
			return nil, fmt.Errorf("local CA: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
	}
	return nil, nil
}

// number reads a whole number from low to high; "" is 0.
func number(text string, low, high int) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a number from %d to %d.", text, low, high)
	}
	return n, nil
}

// ranges reads a comma-separated list of addresses and CIDR ranges.
func ranges(list string) (out []netip.Prefix, err error) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			addr, err := netip.ParseAddr(part)
			if err != nil {
				return nil, fmt.Errorf("%q is neither an address nor a range.", part)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, prefix)
	}
	return out, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// prepareDataDir makes the data folder, readable by its owner only.
func prepareDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return problem.New(problem.Invalid, "badSetting", "CARDEA_DATA_DIR: cannot make %s: %v", dir, err)
	}
	return nil
}
