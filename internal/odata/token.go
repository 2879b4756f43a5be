package odata

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// bind returns what a $skiptoken is bound to: the options that decide which
// rows there are and in which order. $top, $select and $count may change from
// page to page.
func bind(v url.Values) string {
	h := sha256.New()
	for _, name := range []string{"$filter", "$orderby", "$search"} {
		val := v.Get(name)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(val))))
		h.Write([]byte(val))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}

// Token is the $skiptoken that continues q behind a row. member gives the
// row's members as the API shows them; key is the row's id.
//
// A token holds no secret and proves nothing: whoever invents one can only
// name a place in a list that they may read anyhow. So it holds the values of
// the order, which the reader of the list must be allowed to see (Query.Names).
func (q Query) Token(member func(name string) any, key string) string {
	values := make([]any, 0, len(q.OrderBy)+2)
	values = append(values, q.bound)
	for _, o := range q.OrderBy {
		values = append(values, o.Property.stored(member(o.Name)))
	}
	raw, _ := json.Marshal(append(values, key)) // strings, booleans and numbers always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

// stored is what the column holds for v, which is as the API shows it.
func (p Property) stored(v any) any {
	switch p.Kind {
	case String:
		s, _ := v.(string)
		if p.Folded {
			s = strings.ToLower(s)
		}
		return s
	case Boolean:
		b, _ := v.(bool)
		return b
	case DateTimeOffset:
		if s, ok := v.(string); ok {
			if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
				return t.UnixMilli()
			}
		}
		return 0
	}
	switch n := v.(type) {
	case json.Number, int64, int:
		return n
	case float64:
		return int64(n)
	}
	return 0
}

// readToken reads a Token of the same query.
func readToken(token string, q Query) ([]any, error) {
	failed := bad("invalidSkipToken", "This $skiptoken is not one of ours, or belongs to another query. Start again without it.").On("$skiptoken")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || !text(string(raw)) {
		return nil, failed
	}
	var values []any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&values); err != nil || d.More() || len(values) != len(q.OrderBy)+2 || values[0] != q.bound {
		return nil, failed
	}
	values = values[1:]
	for i, v := range values {
		kind := String // of the key
		if i < len(q.OrderBy) {
			kind = q.OrderBy[i].Property.Kind
		}
		ok := false
		switch v := v.(type) {
		case string:
			ok = kind == String && text(v)
		case bool:
			ok = kind == Boolean
		case json.Number:
			n, err := v.Int64()
			values[i], ok = n, err == nil && (kind == Int64 || kind == DateTimeOffset)
		}
		if !ok {
			return nil, failed
		}
	}
	return values, nil
}
