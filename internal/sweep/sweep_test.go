package sweep

import (
	"fmt"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
	"cardea/internal/directory"
	"cardea/internal/problem"
)

func TestDeletesOnlyWhatExpired(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		err := d.Write(ctx, func(q db.Querier) error {
			for i := range 1200 { // more than two batches
				if _, err := q.ExecContext(ctx, `INSERT INTO spent_challenges (id, expires_at) VALUES ($1, $2)`, fmt.Sprintf("%012xold%d", now.Add(-2*time.Hour).UnixMilli(), i), now.Add(-2*time.Hour).UnixMilli()); err != nil {
					return err
				}
			}
			if _, err := q.ExecContext(ctx, `INSERT INTO spent_challenges (id, expires_at) VALUES ($1, $2)`, fmt.Sprintf("%012xyoung", now.UnixMilli()), now.UnixMilli()); err != nil {
				return err
			}
			for _, days := range []int{1, 91} { // RL-38: 90 days
				at := now.AddDate(0, 0, -days)
				if err := audit.WriteSignIn(ctx, q, audit.SignIn{ID: db.NewID(at), CreatedDateTime: at}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n, err := Once(ctx, d, Default, now)
		if err != nil || n != 1201 {
			t.Fatal("deleted", n, err)
		}
		var spent, signIns int
		if err := d.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM spent_challenges), (SELECT count(*) FROM sign_ins)`).Scan(&spent, &signIns); err != nil {
			t.Fatal(err)
		}
		if spent != 1 || signIns != 1 {
			t.Error("kept", spent, "challenges and", signIns, "sign-ins, want one each")
		}
	})
}

// TestDeletedItemsAndChangesEnd: what was deleted 30 days ago goes for good,
// and the changes that no delta token needs any more.
func TestDeletedItemsAndChangesEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now, by := t.Context(), time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), audit.System("test")
		ids := map[int]string{}
		for _, days := range []int{31, 29} {
			at := now.AddDate(0, 0, -days)
			err := d.Write(ctx, func(q db.Querier) error {
				u, err := directory.CreateUser(ctx, q, by, at, directory.User{UserPrincipalName: fmt.Sprintf("p%d@example.com", days), DisplayName: "p"})
				if err != nil {
					return err
				}
				ids[days] = u.ID
				return directory.DeleteUser(ctx, q, by, at, u.ID)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Once(ctx, d, Default, now); err != nil {
			t.Fatal(err)
		}
		if _, err := directory.GetDeleted(ctx, d, ids[31]); problem.KindOf(err) != problem.NotFound {
			t.Errorf("deleted 31 days ago: %v", err)
		}
		if _, err := directory.GetDeleted(ctx, d, ids[29]); err != nil {
			t.Errorf("deleted 29 days ago: %v", err)
		}
		var changes, records int
		if err := d.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM directory_changes), (SELECT count(*) FROM directory_audits WHERE target_id = $1)`, ids[31]).Scan(&changes, &records); err != nil {
			t.Fatal(err)
		}
		if changes != 3 || records != 3 { // two of 29 days ago and the purge; add, delete, hard delete
			t.Errorf("%d changes and %d records are left, want 3 and 3", changes, records)
		}
	})
}

// TestDeletedPoliciesEnd: Conditional Access keeps what is deleted for 30 days
// (CA-19).
func TestDeletedPoliciesEnd(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		err := d.Write(ctx, func(q db.Querier) error {
			for id, deleted := range map[string]int64{"old": now.AddDate(0, 0, -31).UnixMilli(), "young": now.AddDate(0, 0, -29).UnixMilli(), "alive": 0} {
				if _, err := q.ExecContext(ctx, `INSERT INTO ca_objects (id, sort, display_key, document, created_at, deleted_at) VALUES ($1, 'policy', 'p', '{}', 0, $2)`, id, deleted); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Once(ctx, d, Default, now); err != nil {
			t.Fatal(err)
		}
		var left string
		if err := d.QueryRowContext(ctx, `SELECT string_agg(id, ',') FROM (SELECT id FROM ca_objects ORDER BY id) kept`).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left != "alive,young" {
			t.Errorf("left: %s", left)
		}
	})
}
