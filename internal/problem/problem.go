// Package problem defines the one error type that crosses package borders.
//
// A problem is an error that can be explained to whoever caused it. Anything
// that is not an *Error is a bug or an outage, and every edge answers it with
// Internal and no text at all.
//
// Refusals by policy are not problems: they are decisions with reasons (see
// passkey.Decision). An edge turns a decision into an *Error only at the very
// end, when it has to answer with a status.
package problem

import (
	"errors"
	"fmt"
	"time"
)

// Kind is the coarse class of an error: what the caller can do about it.
// Each protocol edge maps kinds to its own codes in exactly one table.
type Kind uint8

const (
	Internal           Kind = iota // not the caller's fault; says nothing more
	Invalid                        // the request itself is wrong
	Unauthenticated                // we do not know who is asking
	Forbidden                      // we know, and the answer is no
	NotFound                       // there is no such thing, or none the caller may know of
	Conflict                       // a unique value is taken
	PreconditionFailed             // the thing changed since it was read (ETag)
	TooMany                        // slow down; RetryAfter says how long
	Unavailable                    // a part that is needed is not there now
)

// Error is an error we can explain.
type Error struct {
	Kind       Kind
	Code       string        // a lowerCamel fact with a sentence of help in docs/errors.md, e.g. "aaguidNotAllowed"
	Target     string        // the property at fault, spelled as the API spells it; "" if none
	Detail     string        // shown to the caller: what is wrong and what to do next
	Reasons    []Reason      // every single cause, where there are several
	RetryAfter time.Duration // for TooMany
	Err        error         // cause; logged, never shown
}

// Reason is one cause among several, for example one refusing passkey profile.
type Reason struct {
	Code    string `json:"code"`
	Target  string `json:"target,omitempty"`
	Message string `json:"message"`
}

// Error is the text for logs, never for people.
func (e *Error) Error() string {
	s := e.Code
	if e.Target != "" {
		s += " (" + e.Target + ")"
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of kind k.
func New(k Kind, code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// On returns a copy of e that points at one property.
func (e *Error) On(target string) *Error { c := *e; c.Target = target; return &c }

// Because returns a copy of e with the cause err, which is logged and not shown.
func (e *Error) Because(err error) *Error { c := *e; c.Err = err; return &c }

// KindOf reports err's kind: Internal for anything that is not an *Error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// CodeOf reports err's code: "systemError" for anything that is not an *Error.
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return "systemError"
}
