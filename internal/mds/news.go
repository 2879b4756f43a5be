package mds

import "time"

// BadNews is one bad report that was not in effect before.
type BadNews struct {
	Entry  *Entry
	Report StatusReport
}

// NewBadNews compares two states of the metadata: what is bad in after at now
// and was not in before at since, in the order of after.All (WA-70). Either may
// be nil, and both may be the same, since a report can come into effect by the
// date alone. Whether a passkey is affected depends on its chain: ask
// Entry.Compromised.
func NewBadNews(before, after *Metadata, since, now time.Time) []BadNews {
	var out []BadNews
	for e := range after.All() {
		old := map[string]bool{}
		for _, was := range before.same(e) {
			for _, r := range was.StatusReports {
				if r.Bad() && r.InEffect(since) {
					old[r.about()] = true
				}
			}
		}
		for _, r := range e.StatusReports {
			if r.Bad() && r.InEffect(now) && !old[r.about()] {
				old[r.about()] = true // said twice is one piece of news
				out = append(out, BadNews{e, r})
			}
		}
	}
	return out
}

// about tells reports apart: a status, and the certificates it is limited to.
func (r StatusReport) about() string {
	return r.Status + "\x00" + string(r.Certificate) + "\x00" + string(r.BatchCertificate)
}

// same gives m's entries for the model of e.
func (m *Metadata) same(e *Entry) []*Entry {
	var out []*Entry
	if old := m.Lookup(e.AAGUID); old != nil {
		out = append(out, old)
	}
	for _, k := range e.KeyIdentifiers {
		if old := m.LookupKeyIdentifier(k); old != nil {
			out = append(out, old)
		}
	}
	return out
}
