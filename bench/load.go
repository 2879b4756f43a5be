package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// apiClient asks the API with an application's token.
type apiClient struct {
	base, token string
	workers     int
	length      time.Duration
	cpu         func() time.Duration // of the server so far
	floor       time.Duration        // its processor time for the floor
	only        string               // measure what is called so; "" is everything
	failed      error                // of all that was measured
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
	return c.send(client, "GET", path, nil)
}

func (c *apiClient) send(client *http.Client, method, path string, body any) ([]byte, error) {
	if strings.HasPrefix(path, "/") {
		path = c.base + strings.ReplaceAll(path, `"`, "%22")
	}
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequest(method, strings.ReplaceAll(path, " ", "%20"), content)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("ConsistencyLevel", "eventual")
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 400 {
		err = fmt.Errorf("%s: %.300s", res.Status, answer)
	}
	return answer, err
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

// measure asks for one address again and again and prints how long it takes and
// what it costs the server, beside the floor. It returns the latter.
func (c *apiClient) measure(name, path string) time.Duration {
	if !strings.Contains(name, c.only) && !strings.HasPrefix(name, "floor") {
		return 0
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var all []time.Duration
	var failed error
	spent, until := c.cpu(), time.Now().Add(c.length)
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
	if len(all) == 0 && failed == nil {
		failed = errors.New("no answer in time")
	}
	if failed != nil {
		fmt.Printf("%-40s failed: %v\n", name, failed)
		c.failed = errors.Join(c.failed, fmt.Errorf("%s: %w", name, failed))
		return 0
	}
	each := (c.cpu() - spent) / time.Duration(len(all))
	slices.Sort(all)
	at := func(p float64) time.Duration { return all[int(p*float64(len(all)-1))] }
	ratio := ""
	if c.floor > 0 {
		ratio = fmt.Sprintf(" = %5.1f × the floor", float64(each)/float64(c.floor))
	}
	fmt.Printf("%-40s %6.0f /s; p50 %7.2f ms, p99 %7.2f ms; server CPU %8.2f ms%s\n", name, float64(len(all))/time.Since(until.Add(-c.length)).Seconds(), ms(at(.5)), ms(at(.99)), ms(each), ratio)
	return each
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
