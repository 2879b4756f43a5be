package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"cardea/internal/audit"
	"cardea/internal/cardeatest"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/server"
)

// measureImport lets the command import n people from a CSV file.
func measureImport(n int, o options) error {
	s, err := open(o, func(context.Context, *server.Server) error { return nil })
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Printf("%s\n\n", o.machine())
	var list bytes.Buffer
	list.WriteString("userPrincipalName,displayName,givenName,surname,mail,department,jobTitle,city\n")
	for i := range n {
		fmt.Fprintf(&list, "p%07d@contoso.com,Person %07d,Person,No %07d,p%07d@contoso.com,Department %d,Engineer,Berlin\n", i, i, i, i, i%500)
	}
	floor := verifications(time.Second)
	if err := s.command(o, floor, n, list.Bytes(), "user", "import"); err != nil {
		return err
	}
	return s.audited(o, "Add user", n)
}

// measureProvision makes n people, provisions a passkey for each with the
// command, and then for n more over HTTP, to tell the server's part from that
// of the authenticators, which are on the same machine.
func measureProvision(n int, o options) error {
	var made []directory.User
	maker, err := cardeatest.NewAttestationCA("Bench keys", time.Now())
	if err != nil {
		return err
	}
	s, err := open(o, func(ctx context.Context, s *server.Server) error {
		_, err := s.Keeper.Metadata.AddUpload(ctx, audit.System("bench"), time.Now(), []byte(`{"name": "Bench key", "aaguids": ["`+benchKey+`"], "roots": ["`+base64.StdEncoding.EncodeToString(maker.Root)+`"],
			"versions": ["FIDO_2_1"], "clientPin": true, "residentKey": true, "certification": "FIDO_CERTIFIED_L1"}`))
		for len(made) < 2*n && err == nil {
			err = s.DB.Write(ctx, func(q db.Querier) error {
				var some []directory.Newcomer
				for i := len(made); i < min(2*n, len(made)+500); i++ {
					some = append(some, directory.Newcomer{By: audit.System("bench"), At: time.Now(), User: directory.User{UserPrincipalName: fmt.Sprintf("p%07d@contoso.com", i), DisplayName: fmt.Sprintf("Person %07d", i), AccountEnabled: true}})
				}
				stored, err := directory.CreateUsers(ctx, q, some)
				if err == nil {
					made = append(made, stored...)
				}
				return err
			})
		}
		return err
	})
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Printf("%s\n\n", o.machine())
	floor := verifications(time.Second)
	var list bytes.Buffer
	list.WriteString("userPrincipalName,label\n")
	for _, u := range made[:n] {
		fmt.Fprintf(&list, "%s,Kiosk\n", u.UserPrincipalName)
	}
	if err := s.command(o, floor, n, list.Bytes(), "passkey", "provision", "--authenticator", "software", "--keys", filepath.Join(s.dir, "keys")); err != nil {
		return err
	}
	return s.register(maker, made[n:], floor)
}

// command runs cardea on a list and prints how it went.
func (s *site) command(o options, floor float64, n int, list []byte, args ...string) error {
	file := filepath.Join(s.dir, "list.csv")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return err
	}
	c := exec.Command(o.binary, append(args, "--csv", file)...)
	c.Env = append(os.Environ(), "CARDEA_SERVER="+s.api.base, "CARDEA_CLIENT_ID="+s.app.ClientID, "CARDEA_CLIENT_SECRET="+s.app.ClientSecret,
		"CARDEA_CONFIG_DIR="+s.dir, "CARDEA_KEYFILE_PASSPHRASE=correct horse battery", "CARDEA_CA=")
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	before, began := s.cpu(), time.Now()
	if err := c.Run(); err != nil {
		return fmt.Errorf("%w\n%s", err, &said)
	}
	wall := time.Since(began)
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	fmt.Println(strings.Join(lines[max(0, len(lines)-3):], "\n"))
	each := float64((s.cpu() - before).Microseconds()) / float64(n)
	client := "unknown"
	if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		client = fmt.Sprintf("%d kB at most, %.1f s CPU", u.Maxrss, float64(u.Utime.Nano()+u.Stime.Nano())/1e9)
	}
	fmt.Printf("%-34s %6.0f /s (%.1f s); %.0f µs server CPU each = %.1f verifications\n", "cardea "+strings.Join(args[:2], " "), float64(n)/wall.Seconds(), wall.Seconds(), each, each/floor)
	fmt.Printf("  memory: server %s, command %s\n", s.peak(), client)
	return nil
}

func (s *site) cpu() time.Duration {
	if s.process == nil {
		return 0
	}
	return s.process.cpu()
}

// audited fails unless there are n records of an activity: every change has one.
func (s *site) audited(o options, activity string, n int) error {
	dsn := o.dsn
	if dsn == "" {
		dsn = filepath.Join(s.dir, "cardea.db")
	}
	d, err := db.Open(context.Background(), db.Options{DSN: dsn})
	if err != nil {
		return err
	}
	defer d.Close()
	var records int
	if err := d.QueryRowContext(context.Background(), `SELECT count(*) FROM directory_audits WHERE activity = $1`, activity).Scan(&records); err != nil {
		return err
	}
	if records != n {
		return fmt.Errorf("%d records of %q for %d people", records, activity, n)
	}
	fmt.Printf("  %d audit records\n", records)
	return nil
}

const benchKey = "be9c4000-0000-4000-8000-000000000001"

// register makes a passkey for each person over HTTP, in three steps of which
// only the first and the last are the server's: all creation options, all
// credentials (packed, with the maker's certificate), all registrations.
func (s *site) register(maker *cardeatest.AttestationCA, people []directory.User, floor float64) error {
	model := [16]byte{0xbe, 0x9c, 0x40, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}
	leaf, err := maker.Issue(cardeatest.LeafRules{AAGUID: &model})
	if err != nil {
		return err
	}
	credentials := make([][]byte, len(people))
	path := func(i int) string { return "/v1.0/users/" + people[i].ID + "/authentication/fido2Methods" }
	optionsWall, optionsCPU, err := s.all(len(people), func(client *http.Client, i int) (err error) {
		credentials[i], err = s.api.get(client, path(i)+"/creationOptions")
		return err
	})
	if err != nil {
		return err
	}
	if _, _, err := s.all(len(people), func(_ *http.Client, i int) error {
		var options struct {
			PublicKey json.RawMessage `json:"publicKey"`
		}
		if err := json.Unmarshal(credentials[i], &options); err != nil {
			return err
		}
		key := cardeatest.NewAuthenticator(cardeatest.SecurityKey(model))
		key.Algorithm, key.Attestation = cardeatest.ES256, cardeatest.Attestation{Leaf: leaf}
		credentials[i], err = key.Create(options.PublicKey, s.api.base)
		return err
	}); err != nil {
		return err
	}
	attested := 0
	var mu sync.Mutex
	wall, cpu, err := s.all(len(people), func(client *http.Client, i int) error {
		answer, err := s.api.send(client, "POST", path(i), map[string]any{"displayName": "Key", "publicKeyCredential": json.RawMessage(credentials[i])})
		if err == nil && bytes.Contains(answer, []byte(`"attestationLevel":"attested"`)) {
			mu.Lock()
			attested++
			mu.Unlock()
		}
		return err
	})
	if err != nil {
		return err
	}
	n := float64(len(people))
	each := float64((cpu + optionsCPU).Microseconds()) / n
	fmt.Printf("%-34s %6.0f /s; %.0f µs server CPU each = %.1f verifications (options %.0f µs, register %.0f µs); %d of %d attested\n", "options + register over HTTP",
		n/(wall+optionsWall).Seconds(), each, each/floor, float64(optionsCPU.Microseconds())/n, float64(cpu.Microseconds())/n, attested, len(people))
	fmt.Printf("  by its processor time the server alone would do %.0f /s on four cores\n  memory: server %s\n", 4*1e6/each, s.peak())
	if attested != len(people) {
		return errors.New("not every attestation was verified")
	}
	return nil
}

// all does f for 0 … n-1, by all workers, and returns the time and the server's
// processor time that it took.
func (s *site) all(n int, f func(client *http.Client, i int) error) (wall, cpu time.Duration, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	cpu = s.cpu()
	began := time.Now()
	for range s.api.workers {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := range next {
				if failed := f(client, i); failed != nil {
					mu.Lock()
					err = failed
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return time.Since(began), s.cpu() - cpu, err
}
