package graph

import (
	"cmp"
	"fmt"
	"strings"

	"cardea/internal/directory"
	"cardea/internal/problem"
	"cardea/internal/rule"
)

// ruleQuestion is the body of evaluateDynamicMembership.
type ruleQuestion struct {
	MemberID string `json:"memberId"`
	Rule     string `json:"membershipRule"` // where no group has it
}

// ruleAnswer is Graph's evaluateDynamicMembershipResult.
type ruleAnswer struct {
	Rule    string      `json:"membershipRule"`
	Result  bool        `json:"membershipRuleEvaluationResult"`
	Details ruleDetails `json:"membershipRuleEvaluationDetails"`
}

// ruleDetails is Graph's expressionEvaluationDetails: what one part of the rule
// says, and its parts.
type ruleDetails struct {
	Expression string        `json:"expression"`
	Result     bool          `json:"expressionResult"`
	Property   *ruleProperty `json:"propertyToEvaluate"`
	Parts      []ruleDetails `json:"expressionEvaluationDetails"`
}

type ruleProperty struct {
	Name  string `json:"propertyName"`
	Value string `json:"propertyValue"`
}

func asDetails(o rule.Outcome) ruleDetails {
	d := ruleDetails{Expression: o.Expression, Result: o.Result, Parts: []ruleDetails{}}
	if o.Attribute != "" {
		p := &ruleProperty{Name: strings.TrimPrefix(o.Attribute, "user.")}
		switch v := o.Value.(type) {
		case nil:
		case []string:
			p.Value = strings.Join(v, ", ")
		default:
			p.Value = fmt.Sprint(v)
		}
		d.Property = p
	}
	for _, part := range o.Parts {
		d.Parts = append(d.Parts, asDetails(part))
	}
	return d
}

// dynamicGroups explains membership rules, and says how far a changed rule has
// been followed (DO-15).
func dynamicGroups() []resource {
	explain := func(c *Call, in ruleQuestion) (ruleAnswer, error) {
		text := in.Rule
		if id := c.Params["group"]; id != "" {
			g, err := directory.GetGroup(c.Context, c.DB, id)
			if err != nil {
				return ruleAnswer{}, err
			}
			text = cmp.Or(text, g.MembershipRule)
		}
		if text == "" {
			return ruleAnswer{}, problem.New(problem.Invalid, "invalidValue", "Say which rule: the group has none.").On("membershipRule")
		}
		if in.MemberID == "" {
			return ruleAnswer{}, problem.New(problem.Invalid, "invalidValue", "Say whom to ask the rule about: the id of a user.").On("memberId")
		}
		o, err := directory.ExplainRule(c.Context, c.DB, text, strings.ToLower(in.MemberID))
		return ruleAnswer{text, o.Result, asDetails(o)}, err
	}
	const result = "microsoft.graph.evaluateDynamicMembershipResult"
	return []resource{
		Action[ruleQuestion, ruleAnswer]{Path: "/groups/evaluateDynamicMembership", Access: explainRules, Context: result, Do: explain},
		Action[ruleQuestion, ruleAnswer]{Path: "/groups/{group}/evaluateDynamicMembership", Access: explainRules, Context: result, Do: explain},
		Singleton[directory.Processing]{Path: "/groups/{group}/cardea.membershipProcessing", Read: readGroups, Shape: Shape{Set: "groups('{group}')/cardea.membershipProcessing"},
			Get: func(c *Call) (directory.Processing, error) {
				return directory.GetProcessing(c.Context, c.DB, c.Params["group"])
			}},
	}
}
