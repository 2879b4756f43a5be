package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"cardea/internal/db"
	"cardea/internal/server"
)

// invent fills the directory with people and a hundredth as many groups: every
// group has 100 people, and one group in a hundred holds the hundred behind it,
// so that asking for its transitive members means 10,000 people. The rows are
// what the API would have written, without their audit records; making a
// million people through the API is another measurement (docs/speed.md).
func invent(ctx context.Context, d *db.DB, people int) error {
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < CAST($1 AS BIGINT))`
	const digits = `CAST(i + 100000000000 AS TEXT)` // twelve of them
	const last = `'p' || substr(` + digits + `, 5)`
	const user, group = `'01990000-0000-7000-8000-' || ` + digits, `'01990000-0000-7000-9000-' || `
	groups := people / 100
	for _, s := range []struct {
		text string
		args []any
	}{
		{`INSERT INTO users (id, upn, upn_key, display_name, display_key, mail, mail_key, department, department_key, user_type_key, created_at) ` + numbers + `
			SELECT ` + user + `, ` + last + ` || '@contoso.com', ` + last + ` || '@contoso.com', 'Person ' || substr(` + digits + `, 5), 'person ' || substr(` + digits + `, 5),
			` + last + ` || '@contoso.com', ` + last + ` || '@contoso.com', 'D' || CAST(i % 500 AS TEXT), 'd' || CAST(i % 500 AS TEXT), 'member', 1760000000000 + i FROM n`, []any{people}},
		{`INSERT INTO groups (id, display_name, display_key, created_at) ` + numbers + `
			SELECT ` + group + digits + `, 'Group ' || ` + digits + `, 'group ' || ` + digits + `, 1760000000000 + i FROM n`, []any{groups}},
		{`INSERT INTO group_members (group_id, member_id, member_type) ` + numbers + `
			SELECT ` + group + `CAST(i / 100 + 100000000000 AS TEXT), ` + user + `, 'user' FROM n`, []any{groups * 100}},
		{`INSERT INTO group_members (group_id, member_id, member_type) ` + numbers + `
			SELECT ` + group + `CAST(i / 100 * 100 + 100000000000 AS TEXT), ` + group + digits + `, 'group' FROM n WHERE i % 100 > 0`, []any{groups}},
	} {
		if err := d.Write(ctx, func(q db.Querier) error { _, err := q.ExecContext(ctx, s.text, s.args...); return err }); err != nil {
			return err
		}
	}
	return nil
}

// measureDirectory measures what clients ask of a directory of n people, over HTTP,
// by a client with an access token.
func measureDirectory(n, workers int, length time.Duration, dsn, binary string) error {
	dir, err := os.MkdirTemp("", "cardea-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	port, err := freePort()
	if err != nil {
		return err
	}
	for k, v := range map[string]string{"CARDEA_DATA_DIR": dir, "CARDEA_LISTEN": "127.0.0.1:" + port, "CARDEA_DATABASE_URL": dsn, "CARDEA_API_RATE": "0"} {
		os.Setenv(k, v)
	}
	ctx := context.Background()
	s, err := server.New(ctx, server.FromEnvironment(os.Getenv), server.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Offline: true})
	if err != nil {
		return err
	}
	began := time.Now()
	app, err := s.BootstrapApp(ctx, "Bench", []string{"all"})
	if err == nil {
		err = invent(ctx, s.DB, n)
	}
	s.Close()
	if err != nil {
		return err
	}
	fmt.Printf("%d people, %d groups made in %.0f s\n", n, n/100, time.Since(began).Seconds())
	p, err := start(binary, filepath.Join(dir, "log"), port)
	if err != nil {
		return err
	}
	defer p.stop()
	c := &apiClient{base: "http://localhost:" + port, workers: workers, length: length}
	if c.token, err = c.login(app.ClientID, app.ClientSecret); err != nil {
		return err
	}
	engine := "SQLite"
	if dsn != "" {
		engine = "PostgreSQL"
	}
	fmt.Printf("%s, %d clients on this machine too, %d cores\n\n", engine, workers, runtime.NumCPU())
	floor := c.measure("floor: GET one person by id", "/v1.0/users/01990000-0000-7000-8000-100000000007")
	c.floor = floor
	top := "01990000-0000-7000-9000-100000000000"
	c.measure("page of 100, startswith(displayName)", "/v1.0/users?$filter=startswith(displayName,'person 000012')")
	c.measure("page of 100, department eq, by name", "/v1.0/users?$filter=department+eq+'D77'&$orderby=displayName")
	c.measure("page of 100, mail eq or upn eq", "/v1.0/users?$filter=mail+eq+'p00000042@contoso.com'+or+userPrincipalName+eq+'p00000043@contoso.com'")
	c.measure("page of 999, deep in the list", c.deep("/v1.0/users?$top=999", 3))
	c.measure("$search of a word", `/v1.0/users?$search="displayName:00000042"&$top=10`)
	c.measure("$count of everybody", "/v1.0/users/$count")
	c.measure("transitive members of 10,000, page", "/v1.0/groups/"+top+"/transitiveMembers?$top=100")
	c.measure("transitiveMemberOf of a person", "/v1.0/users/01990000-0000-7000-8000-100000000123/transitiveMemberOf")
	c.measure("delta, first page", "/v1.0/users/delta")
	if link := c.latest(); link != "" {
		c.measure("delta, nothing changed", link)
	}
	fmt.Printf("\nServer's memory: %s at most\n", p.peak())
	return nil
}

// peak is the most memory that the server has had.
func (p *process) peak() string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return "unknown"
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(line)
}

type apiClient struct {
	base, token string
	workers     int
	length      time.Duration
	floor       time.Duration
}

func (c *apiClient) login(id, secret string) (string, error) {
	res, err := http.PostForm(c.base+"/organizations/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {c.base + "/.default"}})
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var body struct {
		Token string `json:"access_token"`
		Why   string `json:"error_description"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body.Token == "" {
		return "", fmt.Errorf("no token: %s %w", body.Why, err)
	}
	return body.Token, nil
}

func (c *apiClient) get(client *http.Client, path string) ([]byte, error) {
	if strings.HasPrefix(path, "/") {
		path = c.base + strings.ReplaceAll(path, `"`, "%22")
	}
	r, err := http.NewRequest("GET", strings.ReplaceAll(path, " ", "%20"), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("ConsistencyLevel", "eventual")
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 400 {
		err = fmt.Errorf("%s: %.300s", res.Status, body)
	}
	return body, err
}

// deep is the address of the page that is so many pages behind the first.
func (c *apiClient) deep(path string, pages int) string {
	for range pages {
		body, err := c.get(http.DefaultClient, path)
		var page struct {
			Next string `json:"@odata.nextLink"`
		}
		if err != nil || json.Unmarshal(body, &page) != nil || page.Next == "" {
			break
		}
		path = page.Next
	}
	return path
}

// latest is a delta link from now.
func (c *apiClient) latest() string {
	body, err := c.get(http.DefaultClient, "/v1.0/users/delta?$deltatoken=latest")
	var page struct {
		Link string `json:"@odata.deltaLink"`
	}
	if err != nil || json.Unmarshal(body, &page) != nil {
		return ""
	}
	return page.Link
}

// measure asks for one address again and again and prints how long it takes,
// beside the floor. It returns the median.
func (c *apiClient) measure(name, path string) time.Duration {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []time.Duration
	var failed error
	until := time.Now().Add(c.length)
	for range c.workers {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			var mine []time.Duration
			for time.Now().Before(until) {
				began := time.Now()
				if _, err := c.get(client, path); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	if failed != nil || len(all) == 0 {
		fmt.Printf("%-38s failed: %v\n", name, failed)
		return 0
	}
	slices.Sort(all)
	at := func(p float64) time.Duration { return all[int(p*float64(len(all)-1))] }
	ratio := ""
	if c.floor > 0 {
		ratio = fmt.Sprintf(" = %.1f × the floor", float64(at(.5))/float64(c.floor))
	}
	fmt.Printf("%-38s %7.0f /s; p50 %7.2f ms, p99 %7.2f ms%s\n", name, float64(len(all))/c.length.Seconds(), float64(at(.5).Microseconds())/1000, float64(at(.99).Microseconds())/1000, ratio)
	return at(.5)
}
