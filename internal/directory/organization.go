package directory

import (
	"context"
	"errors"
	"regexp"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/problem"
)

// Organization is the one tenant of a Cardea server.
type Organization struct {
	ID              string    `json:"id"` // the tenant id, a GUID
	DisplayName     string    `json:"displayName"`
	Domain          string    `json:"domain"` // of user names, e.g. contoso.com
	Color           string    `json:"color"`  // #rrggbb, or "" for Cardea's own
	Logo            []byte    `json:"-"`      // PNG or JPEG, at most 64 KiB
	LogoType        string    `json:"-"`
	HelpText        string    `json:"helpText"`   // how to reach the help desk, shown under "I can't sign in"
	BreakGlassGroup string    `json:"breakGlass"` // id of the group of emergency accounts, or ""
	CreatedDateTime time.Time `json:"createdDateTime"`
	Version         int64     `json:"-"`
}

// OrganizationVersion is the name of the version row that a change bumps.
const OrganizationVersion = "organization"

var color = regexp.MustCompile(`^(#[0-9a-fA-F]{6})?$`)

func (o *Organization) check() error {
	if o.DisplayName == "" || len(o.DisplayName) > 100 {
		return problem.New(problem.Invalid, "invalidValue", "The organisation's name has 1 to 100 characters.").On("displayName")
	}
	if !color.MatchString(o.Color) {
		return problem.New(problem.Invalid, "invalidValue", "A colour looks like #0a5d4e.").On("color")
	}
	if len(o.Logo) > 64<<10 {
		return problem.New(problem.Invalid, "invalidValue", "A logo has at most 64 KiB.").On("logo")
	}
	if len(o.Logo) > 0 && o.LogoType != "image/png" && o.LogoType != "image/jpeg" {
		return problem.New(problem.Invalid, "invalidValue", "A logo is a PNG or a JPEG.").On("logo")
	}
	return nil
}

// GetOrganization returns the organisation.
func GetOrganization(ctx context.Context, d db.Querier) (o Organization, err error) {
	var created int64
	err = d.QueryRowContext(ctx, `SELECT id, display_name, domain, color, logo, logo_type, help_text, break_glass, created_at, version FROM organization`).
		Scan(&o.ID, &o.DisplayName, &o.Domain, &o.Color, &o.Logo, &o.LogoType, &o.HelpText, &o.BreakGlassGroup, &created, &o.Version)
	o.CreatedDateTime = db.Time(created)
	return o, db.Err("The organisation", err)
}

// EnsureOrganization makes the organisation at the first start, under a name
// to be replaced at set-up, and returns it. It is the first thing a node does,
// so it also refolds and recounts what an older release wrote.
func EnsureOrganization(ctx context.Context, d *db.DB, now time.Time) (Organization, error) {
	err := d.Write(ctx, func(q db.Querier) error {
		_, err := q.ExecContext(ctx, `INSERT INTO organization (id, display_name, domain, created_at)
			SELECT $1, 'Cardea', '', CAST($2 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM organization)`, db.NewID(now), now.UnixMilli())
		return err
	})
	if err == nil {
		err = errors.Join(Refold(ctx, d), Recount(ctx, d))
	}
	if err != nil {
		return Organization{}, err
	}
	return GetOrganization(ctx, d)
}

// UpdateOrganization applies change.
func UpdateOrganization(ctx context.Context, q db.Querier, a audit.Actor, now time.Time, change func(*Organization) error) (Organization, error) {
	o, err := GetOrganization(ctx, q)
	if err != nil {
		return o, err
	}
	was := o
	if err := change(&o); err != nil {
		return o, err
	}
	o.ID, o.CreatedDateTime = was.ID, was.CreatedDateTime
	if err := o.check(); err != nil {
		return o, err
	}
	if _, err := q.ExecContext(ctx, `UPDATE organization SET display_name = $1, domain = $2, color = $3, logo = $4, logo_type = $5, help_text = $6, break_glass = $7, version = version + 1`,
		o.DisplayName, o.Domain, o.Color, o.Logo, o.LogoType, o.HelpText, o.BreakGlassGroup); err != nil {
		return o, err
	}
	if err := db.Bump(ctx, q, OrganizationVersion); err != nil {
		return o, err
	}
	was.Logo, o.Logo = nil, nil
	t := audit.Target{ID: o.ID, DisplayName: o.DisplayName, Type: "Directory", ModifiedProperties: []audit.Modified{audit.Change("organization", was, o)}}
	if err := audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Set company information", Category: "DirectoryManagement", OperationType: "Update", TargetResources: []audit.Target{t}}); err != nil {
		return o, err
	}
	if was.BreakGlassGroup != o.BreakGlassGroup {
		err = audit.Write(ctx, q, a, now, audit.Record{ActivityDisplayName: "Break-glass group changed", Category: "Policy", LoggedByService: "Cardea", OperationType: "Update", TargetResources: []audit.Target{t}})
	}
	return o, err
}
