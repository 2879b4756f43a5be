package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"cardea/internal/accesspass"
	"cardea/internal/application"
	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/jose"
	"cardea/internal/problem"
)

// What `cardea bootstrap app` prints.
type BootstrappedApp struct {
	TenantID       string `json:"tenantId"`
	ClientID       string `json:"clientId"`
	ClientSecret   string `json:"clientSecret"`
	PublicClientID string `json:"publicClientId"` // of the command line, for people
}

// BootstrapApp registers an application with application permissions and a
// secret, for automation. Whoever may open the database may do this.
func (s *Server) BootstrapApp(ctx context.Context, name string, permissions []string) (BootstrappedApp, error) {
	out := BootstrappedApp{TenantID: s.tenantID, PublicClientID: application.CLIAppID}
	err := s.DB.Write(ctx, func(q db.Querier) error {
		by, now := audit.System("bootstrap"), s.now()
		app, err := application.Create(ctx, q, by, now, application.Application{DisplayName: name, Cardea: application.Extra{Permissions: permissions, Scopes: permissions}})
		if err != nil {
			return err
		}
		secret, err := application.AddSecret(ctx, q, by, now, app.ID, application.PasswordCredential{DisplayName: "bootstrap"})
		out.ClientID, out.ClientSecret = app.AppID, secret.SecretText
		return err
	})
	return out, err
}

// Keys lists the signing and sealing keys, newest first.
func (s *Server) Keys() []jose.KeyInfo { return s.ring.Keys() }

// RotateKeys makes new keys; immediately skips the ten minutes in which they
// are published and not used yet.
func (s *Server) RotateKeys(ctx context.Context, immediately bool) ([]jose.KeyInfo, error) {
	return application.RotateKeys(ctx, s.ring, audit.System("command line"), immediately, s.now())
}

// Backup writes a consistent copy of the SQLite database to a new file.
func (s *Server) Backup(ctx context.Context, path string) error {
	if s.DB.Engine != db.SQLite {
		return problem.New(problem.Invalid, "backupNotHere", "This server uses PostgreSQL: back it up with pg_dump or a base backup (docs/operate.md).")
	}
	if _, err := os.Stat(path); err == nil {
		return problem.New(problem.Conflict, "fileExists", "%s exists already; a backup never overwrites one.", path)
	}
	if err := s.DB.Backup(ctx, path); err != nil {
		return err
	}
	return os.Chmod(path, 0o600)
}

// Restore puts a backup in the place of the SQLite database and returns the
// name under which the database that was there is kept, "" if there was none.
// The server must not run. replace must be true if there is a database already.
func Restore(ctx context.Context, c Config, path string, replace bool) (kept string, err error) {
	k, err := c.check()
	if err != nil {
		return "", err
	}
	if k.DatabaseURL != "" {
		return "", problem.New(problem.Invalid, "backupNotHere", "This server uses PostgreSQL: restore it with pg_restore (docs/operate.md).")
	}
	if err := intact(ctx, path); err != nil {
		return "", problem.New(problem.Invalid, "backupBroken", "%s is not an intact backup of Cardea; nothing was changed.", path).Because(err)
	}
	if err := prepareDataDir(k.DataDir); err != nil {
		return "", err
	}
	target := k.dsn()
	if _, err := os.Stat(target); err == nil {
		if !replace {
			return "", problem.New(problem.Conflict, "databaseExists", "There is a database in %s. Stop the server and say --yes to replace it; the old one is kept beside.", k.DataDir)
		}
		if err := unused(target); err != nil {
			return "", err
		}
		kept = fmt.Sprintf("%s.before-%s", target, time.Now().UTC().Format("20060102T150405Z"))
		if err := os.Rename(target, kept); err != nil {
			return "", err
		}
		for _, suffix := range []string{"-wal", "-shm"} { // unused() folded them into the file
			if err := os.Remove(target + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return kept, err
			}
		}
	}
	if err := copyFile(path, target); err != nil {
		return kept, err
	}
	return kept, Restored(ctx, c)
}

// Restored marks the database as one that came from a backup, however that was
// done: clients that follow changes with delta must start again (DO-65).
func Restored(ctx context.Context, c Config) error {
	k, err := c.check()
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, db.Options{DSN: k.dsn()})
	if err != nil {
		return err
	}
	err = d.Write(ctx, func(q db.Querier) error { return directory.NewEpoch(ctx, q, time.Now()) })
	return errors.Join(err, d.Close())
}

// unused folds the write-ahead log into the file and fails if a process has
// the database open.
func unused(path string) error {
	conn, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(200)&_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetMaxOpenConns(1)
	if _, err := conn.Exec(`BEGIN EXCLUSIVE; COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return problem.New(problem.Conflict, "databaseInUse", "The database is in use. Stop the server first.").Because(err)
	}
	return nil
}

// intact checks that path is a whole database of ours.
func intact(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	conn, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer conn.Close()
	var verdict string
	if err := conn.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return errors.New(verdict)
	}
	var n int
	return conn.QueryRowContext(ctx, `SELECT count(*) FROM organization`).Scan(&n)
}

// copyFile copies durably: the file appears under its name when it is whole.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := os.CreateTemp(filepath.Dir(to), ".restore-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := io.Copy(tmp, in); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), to)
}

// SetupLink issues a fresh set-up link, or fails with alreadySetUp.
func (s *Server) SetupLink(ctx context.Context) (address string, until time.Time, err error) {
	return s.link(ctx, accesspass.LinkOrder{Kind: accesspass.SetupLink}, "/setup")
}

func (s *Server) link(ctx context.Context, o accesspass.LinkOrder, path string) (address string, until time.Time, err error) {
	err = s.DB.Write(ctx, func(q db.Querier) error {
		l, text, err := accesspass.IssueLink(ctx, q, audit.System("server"), s.now(), o)
		address, until = s.k.PublicURL+path+"?link="+text, l.ExpiresAt
		return err
	})
	return address, until, err
}
