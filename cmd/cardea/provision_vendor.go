package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"cardea/internal/bulk"
)

// Formats of the files for key vendors (docs/provisioning.md).
const (
	challengesFormat = "cardea-challenges/1"
	responsesFormat  = "cardea-responses/1"
)

// challengesHead is the challenges file without its people.
type challengesHead struct {
	Format  string    `json:"format"`
	Server  string    `json:"server"`
	Origin  string    `json:"origin"` // for the client data
	Created time.Time `json:"createdDateTime"`
}

type challengeFor struct {
	UserID    string `json:"userId"`
	UserName  string `json:"user"`
	Label     string `json:"label,omitempty"`
	Serial    string `json:"serial,omitempty"`
	Expires   any    `json:"challengeTimeoutDateTime"`
	PublicKey any    `json:"publicKey"`
}

// minutesOf reads --valid-for: 30d, 12h, 90m.
func minutesOf(s string) (int, error) {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(n * 24 * float64(time.Hour))
	}
	if m := int(d.Minutes()); err == nil && m >= 5 && m <= 43200 {
		return m, nil
	}
	return 0, usage{fmt.Errorf("%q is not between 5m and 30d", s)}
}

// writeChallenges fetches creation options for everybody. They cost the server
// nothing, so there is no journal: an interrupted run is simply run again. The
// file appears when it is complete.
func (p *provisioning) writeChallenges() error {
	minutes, err := minutesOf(p.o.validFor)
	if err != nil {
		return err
	}
	if p.dryRun {
		return p.rehearse()
	}
	f, err := os.CreateTemp(filepath.Dir(p.o.challenges), ".challenges-*") // 0600: it names people
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already after success
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	head := mustJSON(challengesHead{challengesFormat, p.client.server, p.client.server, time.Now().UTC().Truncate(time.Second)})
	fmt.Fprintf(w, "%s,\"people\":[", head[:len(head)-1])
	lines := make(chan []byte, 64)
	written := make(chan error, 1)
	go func() {
		var err error
		sep := "\n"
		for l := range lines {
			if err == nil {
				_, err = w.WriteString(sep + string(l))
			}
			sep = ",\n"
		}
		written <- err
	}()
	end := p.progress()
	run := p.each(p.open, 1, func(manyRow) bool { return true }, func(rows []manyRow) {
		r := rows[0]
		e := entry(r, bulk.Done)
		err := p.joinGroups(r)
		var o map[string]any
		if err == nil {
			o, err = p.options(r.UserID, minutes)
		}
		if err == nil {
			lines <- mustJSON(challengeFor{r.UserID, r.User, r.Label, r.Serial, o["challengeTimeoutDateTime"], o["publicKey"]})
		}
		p.ended(r, e, err)
	})
	close(lines)
	end()
	err = errors.Join(run, <-written)
	if err == nil {
		fmt.Fprint(w, "\n]}\n")
		err = errors.Join(w.Flush(), f.Sync())
	}
	if errors.Is(err, context.Canceled) {
		p.say("Interrupted; %s was not written. Run the same command again.", p.o.challenges)
		return exit(exitInterrupt)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), p.o.challenges); err != nil {
		return err
	}
	p.say("%s challenges in %s, valid for %s; %s refused.   Next: cardea passkey provision --import RESPONSES", bulk.Thousands(p.done), p.o.challenges, p.o.validFor, bulk.Thousands(p.failed))
	return partly(p.failed+len(p.bad), p.failed+p.done+len(p.bad))
}

// response is one person in a responses file.
type response struct {
	UserID     string          `json:"userId"`
	UserName   string          `json:"user"`
	Label      string          `json:"label"`
	Serial     string          `json:"serial"`
	Credential json.RawMessage `json:"publicKeyCredential"`
}

// responseRows reads a responses file as a stream. A row's line is its number
// among the people, from 1.
type responseRows struct {
	f *os.File
	d *json.Decoder
	n int
}

func openResponses(path string) (rowReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &responseRows{f: f}
	if err := r.begin(bufio.NewReader(f)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

var errResponses = &bulk.Fault{Line: 1, Message: `this is no responses file; it is {"format":"` + responsesFormat + `","people":[…]}`}

// begin finds the list: the member people of an object, or the file itself.
func (r *responseRows) begin(in *bufio.Reader) error {
	if head, err := in.Peek(3); err == nil && bytes.Equal(head, []byte("\ufeff")) {
		if _, err := in.Discard(3); err != nil {
			return err
		}
	}
	r.d = json.NewDecoder(in)
	switch t, err := r.d.Token(); {
	case err == nil && t == json.Delim('['):
		return nil
	case err != nil || t != json.Delim('{'):
		return errResponses
	}
	for r.d.More() {
		name, err := r.d.Token()
		if err != nil {
			return errResponses
		}
		if name == "people" {
			if t, err := r.d.Token(); err != nil || t != json.Delim('[') {
				return errResponses
			}
			return nil
		}
		var value any
		if err := r.d.Decode(&value); err != nil {
			return errResponses
		}
		if name == "format" && value != responsesFormat {
			return &bulk.Fault{Line: 1, Message: fmt.Sprintf("the format of the file is %v, not %s", value, responsesFormat)}
		}
	}
	return errResponses
}

func (r *responseRows) Close() error { return r.f.Close() }

// Next is one response. JSON that does not hold together ends the reading.
func (r *responseRows) Next() (manyRow, error) {
	if !r.d.More() {
		if _, err := r.d.Token(); err != nil { // the end of the list, or of half a file
			return manyRow{}, fmt.Errorf("the file breaks off behind person %d: %w", r.n, noEOF(err))
		}
		return manyRow{}, io.EOF
	}
	r.n++
	var v response
	if err := r.d.Decode(&v); err != nil {
		if _, wrong := errors.AsType[*json.UnmarshalTypeError](err); wrong {
			return manyRow{}, &bulk.Fault{Line: r.n, Message: err.Error()}
		}
		return manyRow{}, fmt.Errorf("person %d is no JSON: %w", r.n, noEOF(err))
	}
	row := manyRow{Line: r.n, User: strings.TrimSpace(v.UserID), Label: strings.TrimSpace(v.Label), Serial: strings.TrimSpace(v.Serial), Payload: v.Credential}
	if row.User == "" {
		row.User = strings.TrimSpace(v.UserName)
	}
	return row, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// responses is the source of --import: the credentials are in the rows.
type responses struct{}

// maxResponse is how large a credential may be; the server takes no larger ones.
const maxResponse = 64 << 10

// Check reads what a credential must have. Whether it is genuine is for the
// server to say.
func (responses) Check(r *manyRow) error {
	fault := func(format string, args ...any) error {
		return &bulk.Fault{Line: r.Line, Message: fmt.Sprintf(format, args...)}
	}
	if len(r.Payload) > maxResponse {
		return fault("publicKeyCredential is larger than %d KiB", maxResponse>>10)
	}
	id, err := credentialID(r.Payload)
	if err != nil {
		return fault("%v", err)
	}
	r.Credential = id
	return nil
}

func credentialID(payload json.RawMessage) (string, error) {
	var c struct {
		ID       string `json:"id"`
		Response struct {
			ClientDataJSON    string `json:"clientDataJSON"`
			AttestationObject string `json:"attestationObject"`
		} `json:"response"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return "", errors.New("publicKeyCredential is missing, or no object with texts")
	}
	for _, m := range [][2]string{{"id", c.ID}, {"response.clientDataJSON", c.Response.ClientDataJSON}, {"response.attestationObject", c.Response.AttestationObject}} {
		if plainBase64(m[1]) == "" {
			return "", fmt.Errorf("%s of publicKeyCredential is missing, or not base64url", m[0])
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(plainBase64(c.Response.ClientDataJSON))
	var data struct{ Type, Challenge string }
	if err != nil || json.Unmarshal(raw, &data) != nil || data.Type != "webauthn.create" || data.Challenge == "" {
		return "", errors.New("clientDataJSON is not of a registration (type webauthn.create)")
	}
	return plainBase64(c.ID), nil
}

func (responses) Parallel(workers int) (int, bool) { return workers, false }

func (responses) Create(_ context.Context, o order) (made, error) {
	id, err := credentialID(o.Row.Payload)
	return made{id, o.Row.Payload}, err
}

func (responses) Settle(context.Context, made, error) error { return nil }
func (responses) Close() error                              { return nil }
