package passkey

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJudge: PK-81, PK-83 to PK-89, and PK-80's event.
func TestJudge(t *testing.T) {
	yes := Decision{Allowed: true, State: Applies}
	typeRefused := Decision{State: Applies, Reasons: []Reason{{Code: TypeNotAllowed}}}
	const be, bs = true, true
	changed := func(accepted bool, reason string) Event {
		return Event{Code: BackupEligibilityChanged, Accepted: accepted, Reason: reason}
	}
	counted := func(accepted bool, reason string) Event {
		return Event{Code: SignCounterRegression, Accepted: accepted, Reason: reason}
	}
	for _, tt := range []struct {
		name          string
		stored, got   Signs
		policy        Decision
		evaluatedAs   Type
		code          string // "" means accepted
		events        []Event
		typeAfterward Type
	}{
		{"nothing changed", Signs{be, bs, 0}, Signs{be, bs, 0}, yes, Synced, "", nil, Synced},
		{"PK-83 upgrade, allowed", Signs{!be, !bs, 0}, Signs{be, bs, 0}, yes, Synced, "", []Event{changed(true, "")}, Synced},
		{"PK-80 PK-83 upgrade, refused", Signs{!be, !bs, 7}, Signs{be, bs, 8}, typeRefused, Synced, CodeKeyDisallowed, []Event{changed(false, TypeNotAllowed)}, DeviceBound},
		{"PK-83 upgrade, counter went back", Signs{!be, !bs, 7}, Signs{be, bs, 7}, yes, Synced, SignCounterRegression,
			[]Event{changed(false, SignCounterRegression), counted(false, SignCounterRegression)}, DeviceBound},
		{"PK-84 eligibility lost", Signs{be, bs, 0}, Signs{!be, !bs, 0}, yes, DeviceBound, BackupEligibilityLost, []Event{changed(false, BackupEligibilityLost)}, Synced},
		{"PK-85 backed up, not eligible", Signs{!be, !bs, 1}, Signs{!be, bs, 2}, yes, DeviceBound, BackupStateInvalid, nil, DeviceBound},
		{"PK-85 before PK-84", Signs{be, bs, 1}, Signs{!be, bs, 2}, yes, DeviceBound, BackupStateInvalid, []Event{changed(false, BackupStateInvalid)}, Synced},
		{"PK-86 backup state rises", Signs{be, !bs, 0}, Signs{be, bs, 0}, yes, Synced, "", nil, Synced},
		{"PK-86 backup state falls", Signs{be, bs, 0}, Signs{be, !bs, 0}, yes, Synced, "", nil, Synced},
		{"PK-87 counter rises", Signs{!be, !bs, 7}, Signs{!be, !bs, 8}, yes, DeviceBound, "", nil, DeviceBound},
		{"PK-87 counter stands", Signs{!be, !bs, 7}, Signs{!be, !bs, 7}, yes, DeviceBound, SignCounterRegression, []Event{counted(false, SignCounterRegression)}, DeviceBound},
		{"PK-87 counter falls", Signs{!be, !bs, 7}, Signs{!be, !bs, 6}, yes, DeviceBound, SignCounterRegression, []Event{counted(false, SignCounterRegression)}, DeviceBound},
		{"PK-87 counter falls to 0", Signs{!be, !bs, 7}, Signs{!be, !bs, 0}, yes, DeviceBound, SignCounterRegression, []Event{counted(false, SignCounterRegression)}, DeviceBound},
		{"PK-87 does not count", Signs{!be, !bs, 0}, Signs{!be, !bs, 0}, yes, DeviceBound, "", nil, DeviceBound},
		{"PK-87 begins to count", Signs{!be, !bs, 0}, Signs{!be, !bs, 1}, yes, DeviceBound, "", nil, DeviceBound},
		{"PK-88 PK-89 synced counter falls", Signs{be, bs, 7}, Signs{be, bs, 3}, yes, Synced, "", []Event{counted(true, "")}, Synced},
		{"PK-89 synced counter falls, refused", Signs{be, bs, 7}, Signs{be, bs, 3}, typeRefused, Synced, CodeKeyDisallowed, []Event{counted(false, TypeNotAllowed)}, Synced},
		{"PK-87 wrap-around is no rise", Signs{!be, !bs, 1<<32 - 1}, Signs{!be, !bs, 1}, yes, DeviceBound, SignCounterRegression, []Event{counted(false, SignCounterRegression)}, DeviceBound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := Judge(tt.stored, tt.got)
			if j.Type != tt.evaluatedAs {
				t.Errorf("evaluated as %s", j.Type)
			}
			want := Outcome{Accepted: tt.code == "", Code: tt.code, Signs: tt.stored, Type: tt.typeAfterward, Events: tt.events}
			if want.Accepted {
				want.Signs = tt.got
			}
			for i := range want.Events {
				want.Events[i].Stored, want.Events[i].Received = tt.stored, tt.got
			}
			if diff := cmp.Diff(want, j.Conclude(tt.policy)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			switch e := j.Problem(); {
			case (e == nil) != (j.Refusal == ""):
				t.Errorf("refusal %q, problem %v", j.Refusal, e)
			case e != nil && (e.Code != j.Refusal || e.Detail == ""):
				t.Errorf("problem %v", e)
			}
		})
	}
}
