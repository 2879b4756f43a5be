package oidc

import (
	"testing"

	"cardea/docs"
)

// TestEveryAnswerHasHelp: error_uri leads to a page that exists.
func TestEveryAnswerHasHelp(t *testing.T) {
	for code := range meanings {
		if code == "requestThrottled" { // every edge's
			continue
		}
		if _, ok := docs.Help(code); !ok {
			t.Errorf("docs/errors.md says nothing about %s", code)
		}
	}
}
