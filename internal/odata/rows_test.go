package odata

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cardea/internal/db"
)

// row is a row of the tables below, as a client sees it: empty is null.
type row struct {
	id, name, kind string
	flags          []string
	on, synced     bool  // synced: false is null
	n, at          int64 // at: 0 is null
	mails          []string
	accounts       []account
}

type account struct{ issuer, value string }

// real is a schema over real tables, with every sort of member.
var real = Schema{
	"id":       {Column: "id", Folded: true},
	"name":     {Column: "name", Sort: true, More: []string{"endswith", "contains", "gt", "ge", "lt", "le"}},
	"key":      {Column: "name_key", Folded: true, Sort: true, Search: true, More: []string{"endswith", "contains", "gt", "ge", "lt", "le"}},
	"flags":    {Column: "flags", More: []string{"has"}},
	"on":       {Column: "is_on", Kind: Boolean, Sort: true},
	"synced":   {Column: "synced", Kind: Boolean, Zero: true},
	"n":        {Column: "n", Kind: Int64, Sort: true},
	"at":       {Column: "at", Kind: DateTimeOffset, Zero: true, Sort: true},
	"kinds":    {Items: &Items{Members: Schema{"": {Column: "kind", More: []string{"endswith"}}}, All: true, Count: true}},
	"mails":    {Items: &Items{From: "odata_mails m WHERE TRUE", Owner: "m.row_id", Row: "odata_rows.id", Members: Schema{"": {Column: "m.mail", More: []string{"endswith"}}}, All: true, Count: true}},
	"accounts": {Items: &Items{From: "odata_accounts a WHERE a.row_id <> ''", Owner: "a.row_id", Row: "odata_rows.id", Members: Schema{"issuer": {Column: "a.issuer"}, "value": {Column: "a.value_key", Folded: true}}, All: true, Count: true}},
}

const tables = `CREATE TABLE odata_rows (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, name_key TEXT NOT NULL, kind TEXT NOT NULL, flags TEXT NOT NULL,
		is_on BOOLEAN NOT NULL, synced BOOLEAN NOT NULL, n BIGINT NOT NULL, at BIGINT NOT NULL);
	CREATE TABLE odata_mails (row_id TEXT NOT NULL, mail TEXT NOT NULL);
	CREATE TABLE odata_accounts (row_id TEXT NOT NULL, issuer TEXT NOT NULL, value_key TEXT NOT NULL);`

// texts are what is hard about text: case beyond ASCII, characters of LIKE,
// quotes, separators of words, the ends of the alphabets.
var texts = []string{"", "", "Ada", "ada", "ADA Love", "ada-love", "Äda", "ÄDA", "äda", "a_a", "aba", "100%", "1000", `a\a`, "O'Neil", `say "x"`, "Zoë 😀", "😀", "Ωmega", "ωMEGA", "straße", "Love.Ada@x.test", "z", "\U0010ffff", "\ud7ffx", "(a)/b,c&d:e+f"}

var kinds, issuers, flags = []string{"", "Guest", "member"}, []string{"", "a.test", "B.test"}, []string{"sms", "Password", "fido2", "a_b"}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// made is a row of random members.
func made(r *rand.Rand, id string) row {
	x := row{id: id, name: pick(r, texts), kind: pick(r, kinds), on: r.IntN(2) == 0, synced: r.IntN(2) == 0, n: int64(r.IntN(5) - 2), at: int64(r.IntN(3)) * 1767312000000}
	for _, f := range flags {
		if r.IntN(2) == 0 {
			x.flags = append(x.flags, f)
		}
	}
	for range r.IntN(3) {
		x.mails = append(x.mails, pick(r, texts))
		x.accounts = append(x.accounts, account{pick(r, issuers), pick(r, texts)})
	}
	return x
}

func insert(t *testing.T, d *db.DB, rows ...row) {
	t.Helper()
	ctx := t.Context()
	err := d.Write(ctx, func(q db.Querier) error {
		for _, x := range rows {
			if _, err := q.ExecContext(ctx, `INSERT INTO odata_rows (id, name, name_key, kind, flags, is_on, synced, n, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
				x.id, x.name, strings.ToLower(x.name), x.kind, strings.Join(x.flags, ","), x.on, x.synced, x.n, x.at); err != nil {
				return err
			}
			for _, m := range x.mails {
				if _, err := q.ExecContext(ctx, `INSERT INTO odata_mails (row_id, mail) VALUES ($1, $2)`, x.id, m); err != nil {
					return err
				}
			}
			for _, a := range x.accounts {
				if _, err := q.ExecContext(ctx, `INSERT INTO odata_accounts (row_id, issuer, value_key) VALUES ($1, $2, $3)`, x.id, a.issuer, strings.ToLower(a.value)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// world makes the tables and n rows.
func world(t *testing.T, d *db.DB, r *rand.Rand, n int) []row {
	t.Helper()
	if err := d.Write(t.Context(), func(q db.Querier) error {
		_, err := q.ExecContext(t.Context(), tables)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	rows := make([]row, n)
	for i := range rows {
		rows[i] = made(r, fmt.Sprintf("%08x-0000-7000-8000-%012x", r.Uint32(), i))
	}
	insert(t, d, rows...)
	return rows
}

// ids runs SELECT id FROM odata_rows WHERE s.
func ids(ctx context.Context, d *db.DB, s *SQL) ([]string, error) {
	rows, err := d.QueryContext(ctx, `SELECT id FROM odata_rows WHERE `+s.String(), s.Args...)
	return db.Collect(rows, err, func(r *sql.Rows, id *string) error { return r.Scan(id) })
}
