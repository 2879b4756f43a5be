package application

import (
	"context"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/jose"
)

// RotateKeys makes new signing and sealing keys and records who asked for it.
// It stands here because jose knows nothing of people.
func RotateKeys(ctx context.Context, r *jose.Ring, by audit.Actor, immediately bool, now time.Time) ([]jose.KeyInfo, error) {
	return r.Rotate(ctx, jose.Rotation{Immediately: immediately, Record: func(q db.Querier, made []jose.KeyInfo) error {
		rec := audit.Record{ActivityDisplayName: "Rotate keys", Category: "KeyManagement", LoggedByService: "Cardea", OperationType: "Add"}
		for _, k := range made {
			rec.TargetResources = append(rec.TargetResources, audit.Target{ID: k.ID, DisplayName: k.Algorithm, Type: "Other",
				ModifiedProperties: []audit.Modified{audit.Change("activeDateTime", nil, k.ActiveAt)}})
		}
		return audit.Write(ctx, q, by, now, rec)
	}}, now)
}
