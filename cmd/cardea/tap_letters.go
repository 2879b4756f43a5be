package main

import (
	"bufio"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cardea/internal/bulk"
)

// letters is one HTML file with a page for each person, to be printed. Each
// letter is one line, so that a run that dies leaves no half letter.
type letters struct {
	path, organisation, server string
	lines                      *bulk.Lines
}

const lettersHead = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex"><title>Letters</title><style>` +
	`@page{size:A4;margin:25mm 22mm}body{font:12pt/1.5 system-ui,sans-serif;color:#000;background:#fff;margin:0}` +
	`section{break-after:page;max-width:165mm;margin:0 auto;padding:10mm 0}section:last-of-type{break-after:auto}` +
	`h1{font-size:18pt;line-height:1.25}dl{border:1pt solid #000;padding:4mm 6mm;break-inside:avoid}dt{font-size:10pt}dd{margin:0 0 3mm;font-weight:600;overflow-wrap:anywhere}` +
	`.code{font:700 20pt/1.3 ui-monospace,monospace;letter-spacing:.08em}ol{padding-left:7mm}li{margin-bottom:1.5mm}small{font-size:10pt}` +
	`@media screen{section{border-bottom:1px dashed #777}}</style>`

func openLetters(path, organisation, server string) (*letters, error) {
	lines, fresh, err := bulk.OpenLines(path)
	if err != nil {
		return nil, err
	}
	l := &letters{path, organisation, server, lines}
	if fresh {
		if _, err := lines.Add([]byte(lettersHead)); err != nil {
			return nil, errors.Join(err, lines.Close())
		}
	}
	return l, nil
}

// add writes the letter of the row on a line of the input. It is on the disk
// when add returns.
func (l *letters) add(line int, user, pass map[string]any) error {
	_, err := l.lines.Add([]byte(l.letter(line, user, pass)))
	if err != nil {
		return err
	}
	return l.lines.Sync()
}

func (l *letters) letter(line int, user, pass map[string]any) string {
	from, _ := time.Parse(time.RFC3339, text(pass, "startDateTime"))
	minutes, _ := strconv.Atoi(show(pass["lifetimeInMinutes"]))
	times := "until " + from.Add(time.Duration(minutes)*time.Minute).Local().Format("Monday 2 January 2006, 15:04 MST")
	if from.After(time.Now()) {
		times = "from " + from.Local().Format("Monday 2 January 2006, 15:04 MST") + " " + times
	}
	often := ""
	if pass["isUsableOnce"] == true {
		often = " It works once: create your passkey within ten minutes of signing in."
	}
	e := func(s string) string { return html.EscapeString(plain(s)) }
	return fmt.Sprintf(`<section id="r%d"><p>%s</p><h1>%s, your way to sign in without a password</h1>`+
		`<p>You get a passkey: you will sign in with your fingerprint, your face or the PIN of your device. This code lets you in once, to create it.</p>`+
		`<dl><dt>Address</dt><dd>%s</dd><dt>User name</dt><dd>%s</dd><dt>Temporary Access Pass</dt><dd class="code">%s</dd><dt>Works</dt><dd>%s.%s</dd></dl>`+
		`<ol><li>Take the device that you work with and open the address.</li><li>Enter your user name and choose <b>Use a Temporary Access Pass</b>.</li><li>Enter the code exactly as it is printed; capital and small letters differ.</li>`+
		`<li>Choose <b>Add a passkey</b> and follow your device.</li></ol>`+
		`<p><small>Whoever holds this letter can sign in as you until then. Give it to nobody, read the code to nobody; no one from %s will ever ask for it. Destroy the letter when your passkey works. If it does not, ask your help desk for a new one.</small></p></section>`,
		line, e(l.organisation), e(text(user, "displayName")), e(l.server+"/security-info"), e(text(user, "userPrincipalName")), e(text(pass, "temporaryAccessPass")), e(times), often, e(l.organisation))
}

// close brings the letters into the order of the input. Of a row that was done
// twice the last letter counts: its pass ended the one before.
func (l *letters) close() (err error) {
	at, head := map[int]int64{}, []byte(nil)
	err = l.lines.Each(func(begin int64, line []byte) error {
		number, _, _ := strings.Cut(strings.TrimPrefix(string(line[:min(40, len(line))]), `<section id="r`), `"`)
		if n, err := strconv.Atoi(number); err == nil {
			at[n] = begin
		} else {
			head = slices.Clone(line)
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, l.lines.Close())
	}
	order := make([]int, 0, len(at))
	for n := range at {
		order = append(order, n)
	}
	slices.Sort(order)
	f, err := os.CreateTemp(filepath.Dir(l.path), ".letters-*") // 0600
	if err != nil {
		return errors.Join(err, l.lines.Close())
	}
	w := bufio.NewWriter(f)
	_, err = w.Write(append(head, '\n'))
	for _, n := range order {
		line, failed := l.lines.At(at[n])
		if err = errors.Join(err, failed); err != nil {
			break
		}
		if _, err = w.Write(append(line, '\n')); err != nil {
			break
		}
	}
	err = errors.Join(err, w.Flush(), f.Sync(), f.Close(), l.lines.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
