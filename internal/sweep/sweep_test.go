package sweep

import (
	"fmt"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/db/dbtest"
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
