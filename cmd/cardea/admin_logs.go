package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// logKind is one of the two logs.
type logKind struct {
	path, moment, person, failed string
	columns                      []column
}

var (
	signInLog = logKind{"/v1.0/auditLogs/signIns", "createdDateTime", "userId eq %s", "status/errorCode ne 0",
		[]column{{"TIME", "createdDateTime"}, {"USER", "userPrincipalName"}, {"APPLICATION", "appDisplayName"}, {"RESULT", "status/errorCode"}, {"WHY", "status/failureReason"},
			{"DETAILS", "status/additionalDetails"}, {"ADDRESS", "ipAddress"}, {"ID", "id"}}}
	auditLog = logKind{"/v1.0/auditLogs/directoryAudits", "activityDateTime", "targetResources/any(t: t/id eq %s)", "result ne 'success'",
		[]column{{"TIME", "activityDateTime"}, {"ACTIVITY", "activityDisplayName"}, {"RESULT", "result"}, {"BY", "initiatedBy/user/userPrincipalName"}, {"BY APPLICATION", "initiatedBy/app/displayName"},
			{"REASON", "resultReason"}, {"ID", "id"}}}
)

func logCommand(a *admin, use, short string, k logKind) *cobra.Command {
	return noun(use, short, logList(a, "list", k), logGet(a, k), logTail(a, k))
}

// bothLogs is cardea log signins, cardea log audits.
func bothLogs(a *admin) *cobra.Command {
	return noun("log", "The two logs", logList(a, "signins", signInLog), logList(a, "audits", auditLog))
}

// logFlags are the conditions that lists and tails share.
type logFlags struct {
	user, app, since, kind, filter string
	failed                         bool
}

func (f *logFlags) add(c *cobra.Command, k logKind) {
	c.Flags().StringVar(&f.since, "since", "", "not older than 24h, 7d or a date")
	c.Flags().StringVar(&f.user, "user", "", "about this person only")
	c.Flags().StringVar(&f.filter, "filter", "", "an OData $filter")
	c.Flags().BoolVar(&f.failed, "failed", false, "only what did not succeed")
	if k.path == signInLog.path {
		c.Flags().StringVar(&f.app, "app", "", "to this application only")
		c.Flags().StringVar(&f.kind, "type", "", "interactiveUser, nonInteractiveUser or servicePrincipal")
	}
}

func (f *logFlags) conditions(x *call, k logKind) ([]string, error) {
	var out []string
	if f.filter != "" {
		out = append(out, "("+f.filter+")")
	}
	if f.failed {
		out = append(out, k.failed)
	}
	if f.user != "" {
		u, err := x.user(f.user)
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf(k.person, quoted(text(u, "id"))))
	}
	if f.app != "" {
		o, err := x.app(f.app)
		if err != nil {
			return nil, err
		}
		out = append(out, "appId eq "+quoted(text(o, "appId")))
	}
	if f.kind != "" {
		out = append(out, "signInEventTypes/any(t: t eq "+quoted(f.kind)+")")
	}
	return out, nil
}

func logList(a *admin, use string, k logKind) *cobra.Command {
	var f logFlags
	c := a.verb(use, "Newest first", "  cardea signin list --since 24h --failed\n  cardea audit list --user ada -o ndjson", 0, func(x *call, _ []string) error {
		conditions, err := f.conditions(x, k)
		if err != nil {
			return err
		}
		from, err := since(f.since, time.Now())
		if err != nil {
			return err
		}
		if !from.IsZero() {
			conditions = append(conditions, k.moment+" ge "+from.UTC().Format("2006-01-02T15:04:05Z"))
		}
		top := ""
		if !x.all {
			top = fmt.Sprint(max(1, min(x.limit, 1000)))
		}
		rows, err := x.list(query(k.path, "$filter", strings.Join(conditions, " and "), "$top", top))
		if err != nil {
			return err
		}
		return x.print(rows, k.columns...)
	})
	f.add(c, k)
	return c
}

func logGet(a *admin, k logKind) *cobra.Command {
	return a.verb("get ID", "One entry", "", 1, func(x *call, args []string) error {
		o, err := x.get(k.path + "/" + args[0])
		if err != nil {
			return err
		}
		if x.output == "table" { // an entry is too deep for a row
			x.output = "json"
		}
		return x.printOne(o, k.columns...)
	})
}

// logTail streams new entries as lines of JSON until it is interrupted.
func logTail(a *admin, k logKind) *cobra.Command {
	var f logFlags
	var every time.Duration
	c := a.verb("tail", "New entries as they come, a line of JSON each", "  cardea signin tail --failed", 0, func(x *call, _ []string) error {
		conditions, err := f.conditions(x, k)
		if err != nil {
			return err
		}
		x.all = true
		from, seen := time.Now(), map[string]bool{}
		if past, err := since(f.since, from); err != nil {
			return err
		} else if !past.IsZero() {
			from = past
		}
		tick := time.NewTicker(max(every, time.Second))
		defer tick.Stop()
		for {
			now := time.Now()
			// A little overlap: a transaction may commit after a later one.
			filter := append(slices.Clone(conditions), k.moment+" ge "+from.UTC().Format("2006-01-02T15:04:05Z"))
			rows, err := x.list(query(k.path, "$filter", strings.Join(filter, " and ")))
			if err != nil {
				return err
			}
			next := map[string]bool{}
			for _, r := range slices.Backward(rows) {
				id := text(r, "id")
				next[id] = true
				if seen[id] {
					continue
				}
				if err := writeJSON(x.out, r, ""); err != nil {
					return err
				}
			}
			seen, from = next, now.Add(-30*time.Second)
			select {
			case <-x.ctx.Done():
				return exit(exitInterrupt)
			case <-tick.C:
			}
		}
	})
	f.add(c, k)
	c.Flags().DurationVar(&every, "every", 2*time.Second, "ask the server so often")
	return c
}

func apiCommand(a *admin) *cobra.Command {
	var input string
	var headers []string
	c := a.verb("api METHOD PATH", "Call the API directly", "  cardea api GET '/v1.0/users?$top=5'\n  cardea api PATCH /v1.0/organization --input change.json", 2, func(x *call, args []string) error {
		var body []byte
		var err error
		switch input {
		case "":
		case "-":
			body, err = io.ReadAll(x.in)
		default:
			body, err = os.ReadFile(input)
		}
		if err != nil {
			return err
		}
		h := http.Header{}
		for _, line := range headers {
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return usage{fmt.Errorf("a header is written name: value, not %q", line)}
			}
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
		if !strings.HasPrefix(args[1], "/") {
			return usage{fmt.Errorf("the path begins with /v1.0 or /beta, not %q", args[1])}
		}
		method := strings.ToUpper(args[0])
		if x.dryRun && method != http.MethodGet {
			x.say("Would send %s %s with %d bytes.", method, args[1], len(body))
			return nil
		}
		raw, _, err := x.request(method, strings.ReplaceAll(args[1], " ", "%20"), body, h)
		if err != nil {
			return err
		}
		if len(raw) > 0 && raw[len(raw)-1] != '\n' {
			raw = append(raw, '\n')
		}
		_, err = x.out.Write(raw)
		return err
	})
	c.Flags().StringVar(&input, "input", "", "file with the body; - reads it from the standard input")
	c.Flags().StringSliceVar(&headers, "header", nil, "name: value")
	return c
}
