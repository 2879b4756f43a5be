package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"cardea/internal/bulk"
	"cardea/internal/softkey"
)

// softwareKeys makes passkeys in software and keeps them in a sealed file.
type softwareKeys struct {
	file  *softkey.File
	lines *bulk.Lines

	mu    sync.Mutex
	count int
	held  map[string]softkey.Key // keys of earlier runs, until their rows are settled
}

// openKeys opens a key file, or makes one, and reads the keys for which keep
// says yes. The caller closes it.
func openKeys(path string, passphrase []byte, cost softkey.Cost, keep func(id string) bool) (*softwareKeys, error) {
	lines, fresh, err := bulk.OpenLines(path)
	if err != nil {
		return nil, err
	}
	k := &softwareKeys{lines: lines, held: map[string]softkey.Key{}}
	if fresh {
		var head []byte
		if k.file, head, err = softkey.NewFile(passphrase, cost); err == nil {
			if _, err = lines.Add(head); err == nil {
				err = lines.Sync()
			}
		}
	} else {
		n := -1
		err = lines.Each(func(_ int64, line []byte) error {
			if n++; n == 0 {
				var err error
				k.file, err = softkey.OpenFile(line, passphrase)
				return err
			}
			key, err := k.file.Open(n-1, line)
			if id := base64.RawURLEncoding.EncodeToString(key.ID); err == nil && keep(id) {
				k.held[id] = key
			}
			return err
		})
		k.count = n
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), lines.Close())
	}
	return k, nil
}

func (k *softwareKeys) Check(*manyRow) error             { return nil }
func (k *softwareKeys) Parallel(workers int) (int, bool) { return workers, true }

// Create seals the key on the disk before anybody hears of it: a passkey whose
// key is lost would be worse than a key without a passkey.
func (k *softwareKeys) Create(_ context.Context, o order) (made, error) {
	k.mu.Lock()
	key, known := k.held[o.Begun]
	k.mu.Unlock()
	if !known {
		var err error
		if key, err = softkey.New(o.Options, time.Now()); err != nil {
			return made{}, err
		}
		key.UserID, key.Label = o.Row.UserID, o.Row.Label
	}
	c, err := key.Attest(o.Options, o.Origin)
	if err != nil {
		return made{}, err
	}
	if known {
		return made{c.ID, c}, nil
	}
	k.mu.Lock()
	line, err := k.file.Seal(k.count, key)
	if err == nil {
		if _, err = k.lines.Add(line); err == nil {
			k.count++
			k.held[c.ID] = key // for another try within this run
		}
	}
	k.mu.Unlock()
	if err == nil {
		err = k.lines.Sync()
	}
	if err != nil {
		return made{}, awayError{fmt.Errorf("the key file cannot be written: %w", err)}
	}
	return made{c.ID, c}, nil
}

// Settle forgets a key that is registered; a refused one may be tried again.
func (k *softwareKeys) Settle(_ context.Context, c made, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		delete(k.held, c.ID)
	}
	return nil
}

func (k *softwareKeys) Close() error { return k.lines.Close() }

// passphrase reads the passphrase of a key file: from a file, from
// CARDEA_KEYFILE_PASSPHRASE, or from the terminal; never from a flag, which
// other users of the machine could read.
func (x *call) passphrase(file string, twice bool) ([]byte, error) {
	said := os.Getenv("CARDEA_KEYFILE_PASSPHRASE")
	if file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		said = strings.TrimRight(string(raw), "\r\n")
	}
	if f, ok := x.in.(*os.File); said == "" && ok && !x.noInput && isTerminal(f) {
		fmt.Fprint(x.err, "Passphrase of the key file: ")
		once, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(x.err)
		if err != nil {
			return nil, err
		}
		if twice {
			fmt.Fprint(x.err, "Again: ")
			again, err := term.ReadPassword(int(f.Fd()))
			fmt.Fprintln(x.err)
			if err != nil {
				return nil, err
			}
			if string(again) != string(once) {
				return nil, usage{errors.New("the two passphrases differ")}
			}
		}
		said = string(once)
	}
	if said == "" {
		return nil, usage{errors.New("the key file needs a passphrase: set CARDEA_KEYFILE_PASSPHRASE, or give --passphrase-file")}
	}
	if twice && len(said) < 12 {
		return nil, usage{errors.New("the passphrase of a new key file has at least 12 characters: it guards every key in it")}
	}
	return []byte(said), nil
}
