package server

import (
	"os"
	"strings"
	"testing"

	"cardea/internal/problem"
)

func TestEverySettingIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configure.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings {
		def := "empty"
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		row := "| `" + s.Env + "` | " + def + " | " + s.Help + " |"
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/configure.md lacks the row\n%s", row)
		}
	}
}

func TestCheckNamesTheWrongSetting(t *testing.T) {
	for _, row := range []struct{ set, wrong string }{
		{"", ""},
		{"CARDEA_PUBLIC_URL=https://id.example.com", ""},
		{"CARDEA_PUBLIC_URL=id.example.com", "CARDEA_PUBLIC_URL"},
		{"CARDEA_PUBLIC_URL=http://id.example.com", "CARDEA_PUBLIC_URL"},
		{"CARDEA_PUBLIC_URL=https://id.example.com/sso", "CARDEA_PUBLIC_URL"},
		{"CARDEA_PUBLIC_URL=https://192.0.2.1", "CARDEA_PUBLIC_URL"},
		{"CARDEA_PUBLIC_URL=https://id.example.com CARDEA_RP_ID=example.com", ""},
		{"CARDEA_PUBLIC_URL=https://id.example.com CARDEA_RP_ID=ample.com", "CARDEA_RP_ID"},
		{"CARDEA_DATABASE_URL=postgres://cardea@db/cardea", ""},
		{"CARDEA_DATABASE_URL=mysql://db/cardea", "CARDEA_DATABASE_URL"},
		{"CARDEA_LISTEN=8080", "CARDEA_LISTEN"},
		{"CARDEA_LISTEN=:99999", "CARDEA_LISTEN"},
		{"CARDEA_TLS=on", "CARDEA_TLS"},
		{"CARDEA_TLS=self-signed", ""},
		{"CARDEA_TLS=self-signed CARDEA_PUBLIC_URL=http://localhost:8080", "CARDEA_PUBLIC_URL"},
		{"CARDEA_TLS_CERT=a.pem", "CARDEA_TLS_CERT"},
		{"CARDEA_TRUSTED_PROXIES=10.0.0.0/8,192.0.2.1", ""},
		{"CARDEA_TRUSTED_PROXIES=proxy.local", "CARDEA_TRUSTED_PROXIES"},
		{"CARDEA_METRICS_FROM=x", "CARDEA_METRICS_FROM"},
		{"CARDEA_METADATA_URL=https://mds.example", "CARDEA_METADATA_ACCEPT_TERMS"},
		{"CARDEA_METADATA_URL=http://mds.example CARDEA_METADATA_ACCEPT_TERMS=Ada", "CARDEA_METADATA_URL"},
		{"CARDEA_SMTP=mail.example.com", "CARDEA_SMTP"},
		{"CARDEA_SMTP=smtp://mail.example.com", "CARDEA_MAIL_FROM"},
		{"CARDEA_LOG_FORMAT=xml", "CARDEA_LOG_FORMAT"},
	} {
		env := map[string]string{}
		for _, kv := range strings.Fields(row.set) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		err := FromEnvironment(func(k string) string { return env[k] }).Check()
		switch {
		case row.wrong == "" && err != nil:
			t.Errorf("%q: %v", row.set, err)
		case row.wrong != "" && (problem.CodeOf(err) != "badSetting" || !strings.Contains(err.Error(), row.wrong)):
			t.Errorf("%q: want a complaint about %s, got %v", row.set, row.wrong, err)
		}
	}
}

func TestDemoListensOnLoopbackOnly(t *testing.T) {
	c := FromEnvironment(func(string) string { return "" })
	c.Demo = true
	for listen, ok := range map[string]bool{"127.0.0.1:8080": true, "localhost:8080": true, "[::1]:8080": true, "0.0.0.0:8080": false, ":8080": false, "192.0.2.1:80": false} {
		c.Listen = listen
		if err := c.Check(); (err == nil) != ok {
			t.Errorf("demo on %s: %v", listen, err)
		}
	}
}
