package directory

import (
	"context"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// Administrator returns the names of the roles of an enabled person who holds
// any. Everybody else is Forbidden, authorizationRequestDenied. What a role
// allows is decided call by call.
func Administrator(ctx context.Context, q db.Querier, userID string) (User, []string, error) {
	u, err := GetUser(ctx, q, userID)
	if err != nil {
		return u, nil, err
	}
	ids, err := RolesOf(ctx, q, u.ID)
	if err != nil {
		return u, nil, err
	}
	if len(ids) == 0 || !u.AccountEnabled {
		return u, nil, problem.New(problem.Forbidden, "authorizationRequestDenied",
			"These pages are for administrators, and your account has no administrator role. Ask an administrator to assign you one.")
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = RoleName(id)
	}
	return u, names, nil
}
