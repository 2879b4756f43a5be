package odata

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Token is the $skiptoken that continues behind a row. member gives the row's
// members as the API shows them; key is the row's id.
func Token(order []Order, member func(name string) any, key string) string {
	values := make([]any, 0, len(order)+1)
	for _, o := range order {
		v := member(o.Name)
		if text, ok := v.(string); ok {
			switch {
			case o.Property.Kind == DateTimeOffset:
				t, _ := time.Parse(time.RFC3339Nano, text)
				v = t.UnixMilli()
			case o.Property.Folded:
				v = strings.ToLower(text)
			}
		}
		if v == nil && o.Property.Kind == String {
			v = ""
		}
		values = append(values, v)
	}
	raw, _ := json.Marshal(append(values, key))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readToken reads a Token made under the same order. A token of another list
// or an invented one is refused, or at worst names a place in this list.
func readToken(token string, order []Order) ([]any, error) {
	failed := bad("invalidSkipToken", "This $skiptoken is not one of ours, or belongs to another query. Start again without it.").On("$skiptoken")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, failed
	}
	var values []any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&values); err != nil || len(values) != len(order)+1 {
		return nil, failed
	}
	for i, v := range values {
		kind := String
		if i < len(order) {
			kind = order[i].Property.Kind
		}
		ok := false
		switch v := v.(type) {
		case string:
			ok = kind == String && len(v) <= maxOption
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

func sortedNames(s Schema) []string {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
