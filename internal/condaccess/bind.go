package condaccess

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"cardea/internal/problem"
)

// Raw is a member that is kept and returned, but means nothing here. What is
// empty all the way down is nil (CA-13).
type Raw json.RawMessage

// MarshalJSON writes what was read.
func (r Raw) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps what it reads.
func (r *Raw) UnmarshalJSON(b []byte) error {
	*r = append(Raw(nil), b...)
	return nil
}

// object is a JSON object on its way into a struct.
type object = map[string]any

// readObject reads the body of a request as a JSON object.
func readObject(body []byte) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // numbers in members that we only keep stay as they are
	var tree any
	err := dec.Decode(&tree)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = errMore
		}
	}
	o, ok := tree.(object)
	if err != nil || !ok {
		return nil, problem.New(problem.Invalid, "invalidMember", "1007: The body must be one JSON object. Compare it with what GET returns.").Because(err)
	}
	return o, nil
}

var errMore = problem.New(problem.Invalid, "invalidMember", "1007: There is something behind the JSON object.")

// treeOf is what readObject reads of v's own JSON.
func treeOf(v any) (object, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return readObject(b)
}

// wrong is a member that cannot be read (CA-14).
func wrong(at, format string, args ...any) error {
	return problem.New(problem.Invalid, "invalidMember", "1007: "+format, args...).On(pointer(at))
}

func pointer(at string) string {
	if at == "" {
		return "/"
	}
	return at
}

// escape makes a member name a part of a JSON pointer (RFC 6901 §3).
func escape(name string) string {
	if r := []rune(name); len(r) > 60 {
		name = string(r[:60]) + "…"
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// enum is a string type with known members, flags one with known flags that are
// joined by commas. Both read any case and write the one spelling.
type (
	enum   interface{ members() []string }
	flags  interface{ flagNames() []string }
	binder interface{ bind(x any, at string) error }
)

// bind puts a decoded JSON value into v, strictly: an unknown member, a wrong
// type or an unknown name is refused with its JSON pointer. Members with an @
// are annotations and mean nothing (CA-12), null is the zero value, and lists
// come out not nil.
func bind(v reflect.Value, x any, at string) error {
	if b, ok := v.Addr().Interface().(binder); ok {
		return b.bind(x, at)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if x == nil {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return bind(v.Elem(), x, at)
	case reflect.Struct:
		return bindStruct(v, x, at)
	case reflect.Slice:
		return bindList(v, x, at)
	case reflect.String:
		return bindString(v, x, at)
	}
	if x == nil {
		return nil
	}
	switch v.Kind() {
	case reflect.Bool:
		b, ok := x.(bool)
		if !ok {
			return wrong(at, "This member is true or false.")
		}
		v.SetBool(b)
	case reflect.Int:
		n, ok := x.(json.Number)
		i, err := strconv.ParseInt(string(n), 10, 32)
		if !ok || err != nil {
			return wrong(at, "This member is a whole number.")
		}
		v.SetInt(i)
	default:
		panic("condaccess: no binding for " + v.Type().String())
	}
	return nil
}

const bindSuffix = "@odata.bind"

func bindStruct(v reflect.Value, x any, at string) error {
	fillLists(v)
	if x == nil {
		return nil
	}
	o, ok := x.(object)
	if !ok {
		return wrong(at, "This member is a JSON object.")
	}
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	sort.Strings(names) // so that of two faults always the same is reported
	for _, name := range names {
		here := at + "/" + escape(name)
		value := o[name]
		if i := strings.IndexByte(name, '@'); i >= 0 && name != "@odata.type" {
			// A link instead of an object is no annotation: dropping it could
			// drop a grant control.
			text, isText := value.(string)
			if !strings.HasSuffix(name, bindSuffix) {
				continue
			}
			f, ok := fieldOf(v, strings.TrimSuffix(name, bindSuffix))
			if !ok || !isText || f.Type() != reflect.TypeFor[*StrengthRef]() {
				return wrong(here, "There is no such link here. Write the object itself, or {\"id\": \"…\"}.")
			}
			if err := bind(f, object{"id": text}, here); err != nil {
				return err
			}
			continue
		}
		f, ok := fieldOf(v, name)
		if !ok && name == "@odata.type" {
			continue
		}
		if !ok {
			return wrong(here, "There is no member %q here. Leave it out, or compare the spelling with what GET returns.", escape(name))
		}
		if f.Type() == timeType {
			continue // read-only: see readOnly
		}
		if err := bind(f, value, here); err != nil {
			return err
		}
	}
	return nil
}

// fieldOf finds the field of a member.
func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			if f, ok := fieldOf(v.Field(i), name); ok {
				return f, true
			}
			continue
		}
		tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if tag == name && tag != "-" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// fillLists makes the nil lists of a struct empty ones, but for those that are
// left out when empty.
func fillLists(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Slice && f.IsNil() && !strings.Contains(v.Type().Field(i).Tag.Get("json"), "omitempty") {
			f.Set(reflect.MakeSlice(f.Type(), 0, 0))
		}
	}
}

// fillAll does so in everything inside v too.
func fillAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fillAll(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == timeType.Elem() {
			return
		}
		fillLists(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillAll(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				fillAll(v.Index(i))
			}
		}
	}
}

func bindList(v reflect.Value, x any, at string) error {
	list, ok := x.([]any)
	if x != nil && !ok {
		return wrong(at, "This member is a list.")
	}
	out := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, one := range list {
		here := at + "/" + strconv.Itoa(i)
		if one == nil {
			return wrong(here, "A list has no null in it.")
		}
		if err := bind(out.Index(i), one, here); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func bindString(v reflect.Value, x any, at string) error {
	if x == nil {
		return nil
	}
	s, ok := x.(string)
	if !ok {
		return wrong(at, "This member is a text.")
	}
	if strings.IndexByte(s, 0) >= 0 {
		return wrong(at, "A text has no zero byte in it.")
	}
	switch e := v.Interface().(type) {
	case enum:
		names := e.members()
		i := slices.IndexFunc(names, func(m string) bool { return strings.EqualFold(m, s) })
		if i < 0 {
			return wrong(at, "%q is not allowed here. Use %s.%s", escape(s), oneOf(names), hidden(s))
		}
		s = names[i]
	case flags:
		var err error
		if s, err = readFlags(s, e.flagNames(), at); err != nil {
			return err
		}
	}
	v.SetString(s)
	return nil
}

// readFlags writes a set of flags in the order of their numbers.
func readFlags(s string, names []string, at string) (string, error) {
	has := make([]bool, len(names))
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		i := slices.IndexFunc(names, func(m string) bool { return strings.EqualFold(m, word) })
		if i < 0 {
			return "", wrong(at, "%q is not allowed here. Use %s, several with a comma between them.%s", escape(word), oneOf(names), hidden(word))
		}
		has[i] = true
	}
	var out []string
	for i, name := range names {
		if has[i] {
			out = append(out, name)
		}
	}
	return strings.Join(out, ","), nil
}

func oneOf(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func hidden(s string) string {
	if strings.EqualFold(s, "unknownFutureValue") {
		return " It stands for a value that was hidden from an older client: read again with the header Prefer: include-unknown-enum-members."
	}
	return ""
}

func (r *Raw) bind(x any, at string) error {
	*r = nil
	if empty(x) {
		return nil
	}
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if bytes.Contains(b, []byte(`\u0000`)) {
		return wrong(at, "A text has no zero byte in it.")
	}
	*r = b
	return nil
}

// empty reports whether x holds nothing.
func empty(x any) bool {
	switch x := x.(type) {
	case nil:
		return true
	case string:
		return x == "" || x == "none"
	case []any:
		return len(x) == 0
	case object:
		for name, one := range x {
			if !strings.Contains(name, "@") && !empty(one) {
				return false
			}
		}
		return true
	}
	return false
}

// merge is a PATCH of cur (CA-15): objects merge by member, anything else is
// replaced, null clears. An object that says to be of another type replaces the
// old one whole.
func merge(cur, change object) object {
	out := make(object, len(cur)+len(change))
	for name, x := range cur {
		out[name] = x
	}
	for name, x := range change {
		sub, isObject := x.(object)
		old, wasObject := out[name].(object)
		if isObject && wasObject && (sub["@odata.type"] == nil || sub["@odata.type"] == old["@odata.type"]) {
			out[name] = merge(old, sub)
			continue
		}
		out[name] = x
	}
	return out
}
