package condaccess

import (
	"cmp"
	"slices"
	"time"

	"cardea/internal/netrange"
	"cardea/internal/passkey"
	"cardea/internal/rule"
)

// Source is what a Snapshot is made of. Built-in strengths are always there.
type Source struct {
	Policies  []Policy
	Locations []NamedLocation
	Strengths []Strength
	// Client ids of the applications that Office365 and MicrosoftAdminPortals
	// stand for. Empty means that the word matches nothing.
	Office365, AdminPortals []string
}

// Snapshot is a Source made ready for questions: immutable, shared by all
// sign-ins, replaced as a whole when something changes. A nil Snapshot holds no
// policy and allows everything.
//
// Policies are numbers, and each fact of a sign-in (a group, an application, a
// platform …) leads to the set of policies that name it. So a condition of all
// policies is decided at once.
type Snapshot struct {
	policies []compiled // in the order of their ids (CA-34)
	enabled  polset
	disabled polset
	free     [kinds]polset // policies without this condition

	users    index
	everyone hit
	guests   []guestRule
	services index
	service  hit // every service principal

	apps      index
	anyApp    hit
	appGroups map[string]appGroup
	actions   map[UserAction]*hit
	contexts  index

	clients   map[ClientApp]*hit
	platforms map[Platform]*hit
	anySystem hit

	ranges    *netrange.Table
	places    []place
	countries map[string][]int // numbers of places
	nowhere   []int            // places that include unknown countries
	anyPlace  hit
	trusted   hit // every trusted place

	filters []filter
	risks   [3]map[RiskLevel]*hit // sign-in, user, service principal
	insider map[string]*hit
	flows   map[string]*hit

	proofUp   polset // policies that demand a strength for RegisterSecurityInfo
	strengths []compiledStrength
}

// polset is a set of policies; nil is empty.
type polset []uint64

func (b polset) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b polset) has(i int) bool { return i/64 < len(b) && b[i/64]&(1<<(i%64)) != 0 }
func (b polset) or(c polset) {
	for i, w := range c {
		b[i] |= w
	}
}

// hit is the policies that a fact includes, and those it excludes.
type hit struct{ in, out polset }

// index finds the hit of an id, or of anything that is compared as text.
type index map[string]*hit

// place is a named location.
type place struct {
	id      string
	trusted bool
	never   bool // cannot be evaluated here
	hit     hit
}

// guestRule is a policy's word about guests.
type guestRule struct {
	kinds   []string
	tenants []string // nil means all
	hit     hit
}

// filter is a device filter and the policies that have it in each mode.
type filter struct {
	rule *rule.Rule
	hit  hit // if the rule is true; in: mode include, out: mode exclude
	rest hit // always; in: mode exclude, which includes every other device
}

// appGroup is a word that stands for applications.
type appGroup struct {
	*hit
	members map[string]bool
}

// compiled is a policy as the evaluation needs it.
type compiled struct {
	source      *Policy
	unsupported string // JSON pointer of what cannot be evaluated here, or ""
	workload    bool
	allApps     bool // includes All
	apps        bool // its target is applications
	and         bool
	controls    []control
	period      time.Duration
	timed       bool // a sign-in frequency is on; period 0 is everyTime
	second      bool // of the second factor only
	browser     BrowserMode
	strict      bool // strictLocation
}

// control is a grant control.
type control struct {
	kind     Control // "" for a strength, terms and factors
	strength int     // index of the strength of kind RequireMFA or ""; -1: none, -2: one that does not exist
	terms    string
	factor   string
	rank     int
}

// Ranks of controls: in which order a person is asked.
var ranks = map[Control]int{Block: 0, RequireMFA: 1, CompliantDevice: 2, DomainJoinedDevice: 3, ApprovedApplication: 4, CompliantApplication: 5, PasswordChange: 6, RiskRemediation: 6}

const (
	rankStrength = 1
	rankTerms    = 7
	rankFactor   = 8
)

type compiledStrength struct {
	id, name string
	combos   []compiledCombo
}

type compiledCombo struct {
	text   Combination
	modes  Mode
	config *compiledConfig
}

type compiledConfig struct {
	id       string
	never    bool // of certificates: Cardea can prove none
	types    passkey.TypeSet
	attested bool
	aaguids  map[passkey.AAGUID]bool // empty means any
}

// compiler puts policies into the sets of a Snapshot.
type compiler struct {
	*Snapshot
	words  int
	office []string
	portal []string
	byID   map[string]int // places by id
	strong map[string]int // strengths by id
	texts  map[string]int // filters by text
}

// Compile makes a snapshot. The source must be valid and not change afterwards.
func Compile(src Source) *Snapshot {
	list := slices.Clone(src.Policies)
	slices.SortStableFunc(list, func(a, b Policy) int { return cmp.Compare(a.ID, b.ID) })
	s := &Snapshot{
		users: index{}, services: index{}, apps: index{}, contexts: index{}, appGroups: map[string]appGroup{}, actions: map[UserAction]*hit{}, clients: map[ClientApp]*hit{}, platforms: map[Platform]*hit{},
		countries: map[string][]int{}, insider: map[string]*hit{}, flows: map[string]*hit{},
	}
	c := &compiler{Snapshot: s, words: (len(list) + 63) / 64, office: src.Office365, portal: src.AdminPortals, byID: map[string]int{}, strong: map[string]int{}, texts: map[string]int{}}
	for i := range s.risks {
		s.risks[i] = map[RiskLevel]*hit{}
	}
	s.enabled, s.disabled, s.proofUp = c.none(), c.none(), c.none()
	for k := range s.free {
		s.free[k] = c.none()
	}
	for _, h := range []*hit{&s.everyone, &s.service, &s.anyApp, &s.anySystem, &s.anyPlace, &s.trusted} {
		h.in, h.out = c.none(), c.none()
	}
	for _, one := range append(BuiltInStrengths(), src.Strengths...) {
		c.strong[one.ID] = len(s.strengths)
		s.strengths = append(s.strengths, compileStrength(one))
	}
	c.locations(src.Locations)
	for i := range list {
		c.policy(i, &list[i])
	}
	return s
}

func (c *compiler) none() polset { return make(polset, c.words) }

func (c *compiler) hit() *hit { return &hit{c.none(), c.none()} }

// at returns the hit of a key, which it makes if it has to.
func at[K comparable](c *compiler, m map[K]*hit, key K) *hit {
	h := m[key]
	if h == nil {
		h = c.hit()
		m[key] = h
	}
	return h
}

func (c *compiler) locations(list []NamedLocation) {
	var b netrange.Builder
	for i, l := range list {
		c.byID[l.ID] = i
		c.places = append(c.places, place{l.ID, l.Kind == IPLocation && l.IsTrusted, !l.evaluable(), *c.hit()})
		switch {
		case l.Kind == IPLocation:
			for _, r := range l.IPRanges {
				ps, err := r.Prefixes()
				if err != nil {
					continue // a valid location has none
				}
				for _, p := range ps {
					b.Add(p, i)
				}
			}
		case l.Kind == CountryLocation && l.evaluable():
			for _, country := range l.Countries {
				c.countries[country] = append(c.countries[country], i)
			}
			if l.IncludeUnknown {
				c.nowhere = append(c.nowhere, i)
			}
		}
	}
	c.ranges = b.Build()
}
