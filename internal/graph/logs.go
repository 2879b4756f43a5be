package graph

import (
	"cardea/internal/audit"
	"cardea/internal/odata"
)

// logs are the sign-in log and the directory audits (reports-and-logs §4, §5).
func logs() []resource {
	return []resource{
		Collection[audit.SignIn]{
			Path: "/auditLogs/signIns", Key: "{entry}", Read: readLogs,
			Shape: Shape{Set: "auditLogs/signIns"}, Schema: audit.SignInSchema, Paging: audit.SignInPaging,
			List:  func(c *Call, q odata.Query) ([]audit.SignIn, error) { return audit.FindSignIns(c.Context, c.DB, q) },
			Count: func(c *Call, q odata.Query) (int64, error) { return audit.CountSignIns(c.Context, c.DB, q) }, FreeCount: true,
			Get: func(c *Call) (audit.SignIn, error) { return audit.GetSignIn(c.Context, c.DB, c.Params["entry"]) },
		},
		Collection[audit.Record]{
			Path: "/auditLogs/directoryAudits", Key: "{entry}", Read: readLogs,
			Shape: Shape{Set: "auditLogs/directoryAudits"}, Schema: audit.AuditSchema, Paging: audit.AuditPaging,
			List:  func(c *Call, q odata.Query) ([]audit.Record, error) { return audit.FindAudits(c.Context, c.DB, q) },
			Count: func(c *Call, q odata.Query) (int64, error) { return audit.CountAudits(c.Context, c.DB, q) }, FreeCount: true,
			Get: func(c *Call) (audit.Record, error) { return audit.GetAudit(c.Context, c.DB, c.Params["entry"]) },
		},
	}
}
