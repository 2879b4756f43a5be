package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"cardea/internal/db"
	"cardea/internal/problem"
)

// MaxBody is how many bytes of a request are read. The largest honest one, a
// registration with a long attestation chain, stays below 16 KB.
const MaxBody = 64 << 10

// ReadJSON reads the whole body as one JSON value into v, a pointer to a
// struct. Unknown members, a second value, a NUL, more than MaxBody bytes and
// any content type but application/json are refused. The content type matters for
// safety too: other sites cannot send it without asking first.
func ReadJSON(r *http.Request, v any) error {
	if mediaType(r) != "application/json" {
		return problem.New(problem.Invalid, "contentTypeInvalid", "Send the request as application/json.")
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if err != nil {
		return badBody(err)
	}
	if !db.StorableJSON(text) {
		return badBody(errText)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badBody(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badBody(err)
	}
	return nil
}

// ReadForm reads an application/x-www-form-urlencoded body; the query of the
// address is not mixed in.
func ReadForm(r *http.Request) (url.Values, error) {
	if mediaType(r) != "application/x-www-form-urlencoded" {
		return nil, problem.New(problem.Invalid, "contentTypeInvalid", "Send the form from its own page.")
	}
	if err := r.ParseForm(); err != nil {
		return nil, badBody(err)
	}
	for _, values := range r.PostForm {
		for _, v := range values {
			if !db.Storable(v) {
				return nil, badBody(errText)
			}
		}
	}
	return r.PostForm, nil
}

var errText = errors.New("the text is not UTF-8, or holds a NUL")

func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

func badBody(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.New(problem.Invalid, "requestTooLarge", "The request is larger than this page ever sends. Go back, reload the page and try again.").Because(err)
	}
	return problem.New(problem.Invalid, "requestInvalid", "The request could not be read. Go back, reload the page and try again.").Because(err)
}
