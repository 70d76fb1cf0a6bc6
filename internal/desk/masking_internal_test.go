package desk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"pgregory.net/rapid"

	"github.com/ringmaster-dev/ringmaster/internal/store/storetest"
)

func TestMaskedValues(t *testing.T) {
	for _, test := range []struct {
		as         sensitivity
		characters int
		in, want   string
	}{
		{public, 4, "zoe@customer.example", "zoe@customer.example"},
		{address, 4, "zoe@customer.example", "***@customer.example"},
		{address, 4, "zoe.marchetti@customer.example", "zoe.march****@customer.example"},
		{address, 32, "zoe.marchetti@customer.example", "*************@customer.example"},
		{address, 1, "zoe@customer.example", "zo*@customer.example"},
		{address, 4, `"a@b"@customer.example`, `"****@customer.example`},
		{address, 4, "Zoe Marchetti <zoe@customer.example>", "*** March**** <***@customer.example>"},
		{address, 4, "", ""},
		{address, 4, "undisclosed", "undiscl****"},
		{name, 4, "Zoe Marchetti", "*** March****"},
		{name, 4, "zoe@customer.example", "***@customer.example"},
		{name, 2, "Žoë 李小龍", "Ž** 李**"},
		{number, 4, "+39 333 1234567", "+39 333 123****"},
		{number, 4, "333-12-34", "333-**-**"},
		{number, 4, "101", "***"},
		{number, 4, "zoe@192.0.2.1", "***@192.0.2.1"},
		{hidden, 4, "<p>zoe</p>", ""},
		{text, 4, "Write to zoe@customer.example, or <zoe.marchetti@mail.customer.example>.", "Write to ***@customer.example, or <***.march****@mail.customer.example>."},
		{text, 4, "https://customer.example/?u=zoe%40customer.example", "https://customer.example/?u=***%40customer.example"},
		{text, 4, "Call +39 333 1234567 or (02) 1234567 or 333.123.4567", "Call +39 333 123**** or (02) 123**** or 333.123.****"},
		{text, 4, "Order 20264711 of 2026-01-31 08:42 and 31/01/2026 08, 12.50 EUR", "Order 20264711 of 2026-01-31 08:42 and 31/01/2026 08, 12.50 EUR"},
		{text, 4, "id 01a1fd45-8c88-7eb2-a676-0ccc40db3eb8", "id 01a1fd45-8c88-7eb2-a676-0ccc40db3eb8"},
		{text, 4, "zoe marchetti and Zoe, not Zoetrope", "*** march**** and ***, not Zoetrope"},
	} {
		m := masking{characters: test.characters, names: []string{"Zoe Marchetti", "Marchetti", "Zoe"}}
		if got := m.string(test.in, test.as); got != test.want {
			t.Errorf("%q with %d as %d is %q, want %q", test.in, test.characters, test.as, got, test.want)
		}
	}
}

func TestMaskingHidesAsManyAsItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := masking{characters: rapid.IntRange(1, maxMaskedCharacters).Draw(t, "characters")}
		local := rapid.StringMatching(`[a-z][a-z0-9._-]{0,40}`).Draw(t, "local")
		domain := rapid.StringMatching(`[a-z]{1,9}\.example`).Draw(t, "domain")
		shown := max(0, utf8.RuneCountInString(local)-m.characters)
		want := local[:shown] + strings.Repeat("*", len(local)-shown) + "@" + domain
		for as, in := range map[sensitivity]string{address: "%s", text: "say %s!", name: "%s"} {
			if got := m.string(fmt.Sprintf(in, local+"@"+domain), as); got != fmt.Sprintf(in, want) {
				t.Fatalf("%q became %q", local+"@"+domain, got)
			}
		}
		digits := rapid.StringMatching(`\+[1-9][0-9]{6,14}`).Draw(t, "digits")
		hidden := min(m.characters, len(digits)-1)
		for as, in := range map[sensitivity]string{number: "%s", text: "(%s)"} {
			want := fmt.Sprintf(in, digits[:len(digits)-hidden]+strings.Repeat("*", hidden))
			if got := m.string(fmt.Sprintf(in, digits), as); got != want {
				t.Fatalf("%q became %q, want %q", digits, got, want)
			}
		}
	})
}

// notJSON are the operations whose answers pass no transformer, and why that is right.
var notJSON = map[string]string{
	"exportInteractions":  "masked page by page",
	"getAvatar":           "a colleague's picture",
	"getCannedAttachment": "content of the center, the same for every customer",
	"getMessageView":      "needs sensitiveData",
	"getRawMessage":       "needs sensitiveData",
	"getRecording":        "needs sensitiveData",
	"getAttachment":       "the name is masked, messages and business cards need sensitiveData",
	"streamEvents":        "masked event by event",
}

// answerTypes are the Go types of all JSON answers, by operation.
func answerTypes(t *testing.T) map[string][]reflect.Type {
	t.Helper()
	db := storetest.SQLite(t)
	s := &server{Options: Options{Store: db}}
	api := s.register(http.NewServeMux()).OpenAPI()
	types := map[string][]reflect.Type{}
	for _, path := range api.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Patch, path.Delete} {
			if op == nil {
				continue
			}
			for status, response := range op.Responses {
				for contentType, content := range response.Content {
					if !strings.HasSuffix(contentType, "json") {
						if notJSON[op.OperationID] == "" {
							t.Errorf("%s answers %s: mask it and say so in notJSON", op.OperationID, contentType)
						}
						continue
					}
					if content.Schema == nil || content.Schema.Ref == "" {
						t.Fatalf("%s: the answer %s is no object", op.OperationID, status)
					}
					answer := api.Components.Schemas.TypeFromRef(content.Schema.Ref)
					if !slices.Contains(types[op.OperationID], answer) {
						types[op.OperationID] = append(types[op.OperationID], answer)
					}
				}
			}
		}
	}
	types["streamEvents"] = append(types["streamEvents"], reflect.TypeFor[changeEvent]())
	return types
}

// Whoever adds a property to an answer says what it may tell about customers.
func TestEveryPropertyOfAnAnswerIsClassified(t *testing.T) {
	used := map[string]bool{}
	var look func(path string, in reflect.Type)
	look = func(path string, in reflect.Type) {
		for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice || in.Kind() == reflect.Map {
			in = in.Elem()
		}
		if in.Kind() != reflect.Struct || in == reflect.TypeFor[time.Time]() || strings.Count(path, ".") > 12 {
			return
		}
		for f := range in.Fields() {
			if !f.IsExported() || f.Tag.Get("json") == "-" {
				continue
			}
			property := in.Name() + "." + strings.Split(f.Tag.Get("json"), ",")[0]
			if _, ok := classified(in, f); !ok && !used[property] && mayCarryText(f.Type) {
				t.Errorf("%s.%s of type %s: add %q to sensitivities in masking_fields.go", path, f.Name, f.Type, property)
			}
			used[property] = true
			look(path+"."+f.Name, f.Type)
		}
	}
	for operation, types := range answerTypes(t) {
		for _, answer := range types {
			look(operation, answer)
		}
	}
	for property := range sensitivities {
		if strings.Contains(property, ".") && !used[property] {
			t.Errorf("no answer has the property %s", property)
		}
	}
}

// mayCarryText: strings, lists and maps of them, and whatever has no type of its own.
func mayCarryText(in reflect.Type) bool {
	for in.Kind() == reflect.Pointer || in.Kind() == reflect.Slice && in.Elem().Kind() != reflect.Uint8 || in.Kind() == reflect.Map {
		in = in.Elem()
	}
	return in.Kind() == reflect.String || in.Kind() == reflect.Interface
}

// Every answer, filled with a customer's data in every place that may have some, comes out without them.
func TestEveryAnswerIsMasked(t *testing.T) {
	answers := answerTypes(t)
	rapid.Check(t, func(r *rapid.T) {
		word := rapid.StringMatching(`[A-Z][a-z]{5,12}`)
		first, last := word.Draw(r, "first"), word.Draw(r, "last")
		phone := "+39 33" + rapid.StringMatching(`[0-9] [0-9]{7}`).Draw(r, "phone")
		secrets := []string{first, last, phone, strings.ToLower(last) + "@"}
		whole := map[sensitivity]string{
			address: first + " " + last + " <" + strings.ToLower(first+"."+last) + "@customer.example>", name: first + " " + last, number: phone,
			hidden: "<b>" + first + "</b>", text: fmt.Sprintf("I am at %s.%s@customer.example and %s", strings.ToLower(first), strings.ToLower(last), phone),
		}
		c := caller{permissions: Permissions{SensitiveData: SensitiveMasked, MaskedCharacters: rapid.IntRange(1, maxMaskedCharacters).Draw(r, "characters")}}
		for operation, types := range answers {
			for _, answer := range types {
				v := reflect.New(answer)
				fill(v.Elem(), whole, public)
				before := fmt.Sprintf("%+v", v.Elem())
				got := reflect.ValueOf(masked(c, v.Interface())).Elem()
				if v.Elem().Kind() == reflect.Struct && fmt.Sprintf("%+v", v.Elem()) != before {
					r.Fatalf("%s: the answer itself was changed", operation)
				}
				if e, ok := reflect.TypeAssert[changeEvent](got); ok && slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(string(e.Data), s) }) {
					r.Fatalf("%s tells %s", operation, e.Data)
				}
				eachPart(got, public, func(part reflect.Value, as sensitivity) {
					for _, s := range secrets {
						if as != public && part.Kind() == reflect.String && strings.Contains(part.String(), s) {
							r.Fatalf("%s tells %q in %q", operation, s, part)
						}
					}
				})
			}
		}
	})
}

// fill sets every string below v to the example of its sensitivity, and every list to one of a kind.
func fill(v reflect.Value, with map[sensitivity]string, as sensitivity) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), with, as)
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(fmt.Sprintf(`{"list": [{"new": %q}], "state": "Open"}`, with[text])))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), with, as)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, with, as)
		v.SetMapIndex(reflect.Zero(v.Type().Key()), value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), with, sensitivityOf(v.Type(), i))
			}
		}
	case reflect.String:
		v.SetString(with[as])
	default:
	}
}
