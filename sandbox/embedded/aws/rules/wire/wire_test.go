package wire

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// One list of tags, as each protocol writes it.
func TestOneNotation(t *testing.T) {
	query := Service{Name: "x", Protocols: []Protocol{Query, JSON11}, Target: "X"}
	form := func(body string) params.Params {
		r := httptest.NewRequest("POST", "https://x.us-east-1.amazonaws.com/", nil)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		op, p, err := query.Identify(r, []byte(body))
		if err != nil || op != "Do" {
			t.Fatal(op, err)
		}
		return p
	}
	r := httptest.NewRequest("POST", "https://x.us-east-1.amazonaws.com/", nil)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "X.Do")
	_, asJSON, err := query.Identify(r, []byte(`{"Tags":[{"Key":"a","Value":"1"},{"Key":"b"}],"N":7,"Yes":true,"No":null}`))
	if err != nil {
		t.Fatal(err)
	}
	fields, err := readXML("x", []byte(`<?xml version="1.0"?><R xmlns="urn:x"><Tags><Key>a</Key><Value>1</Value></Tags><Tags><Key>b</Key></Tags></R>`))
	if err != nil {
		t.Fatal(err)
	}
	rest, err := ReadBody("x", RESTJSON, []byte(`{"Tags":[{"Key":"a","Value":"1"},{"Key":"b"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []params.Pair{{Key: "a", Value: "1"}, {Key: "b"}}
	for name, got := range map[string][]params.Pair{
		"query":  form("Action=Do&Tags.2.Key=b&Tags.1.Key=a&Tags.1.Value=1").Pairs(params.ParsePath("Tags.#"), "Key", "Value"),
		"member": form("Action=Do&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b").Pairs(params.ParsePath("Tags.#"), "Key", "Value"),
		"json":   asJSON.Pairs(params.ParsePath("Tags.#"), "Key", "Value"),
		"rest":   params.Params{Fields: rest}.Pairs(params.ParsePath("body.Tags.#"), "Key", "Value"),
		"xml":    params.Params{Fields: fields}.Pairs(params.ParsePath("body.Tags.#"), "Key", "Value"),
	} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	for path, want := range map[string]string{"N": "7", "Yes": "true", "No": "", "Tags.#[Key=a].Value": "1", "Tags.#[Key=b].Value": "", "T*.#.Value": "1"} {
		if got := strings.Join(asJSON.Values(params.ParsePath(path)), ","); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	if _, err := readJSON("x", []byte(`{"a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+"}")); err == nil {
		t.Error("a deep body is read")
	}
	if _, err := readXML("x", []byte(strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100))); err == nil {
		t.Error("a deep document is read")
	}
	for _, bad := range []string{"<a>", "<a></b>", "<a/><b/>", "text", "<!DOCTYPE a><a/>", `{}`} {
		if _, err := readXML("x", []byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	for _, bad := range []string{"[]", "1", `{"a":1`, `{"a":1}}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`} {
		if _, err := readJSON("x", []byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestRouteSaysMost: of two routes that fit, the one that asks for more wins,
// and a query parameter that none knows leaves none.
func TestRouteSaysMost(t *testing.T) {
	s := Service{Name: "x", Protocols: []Protocol{RESTJSON}}
	for _, r := range []string{"List GET /things[max]", "Get GET /things/{id}", "Policy GET /things/{id}/policy", "Version GET /things/{id}?version", "Self GET /things/self", "Copy PUT /things/{id} x-amz-from", "Put PUT /things/{id}", "Tags GET /tags/{arn+}"} {
		name, form, _ := strings.Cut(r, " ")
		one, err := ParseRoute(name, form)
		if err != nil {
			t.Fatal(err)
		}
		s.Routes = append(s.Routes, one)
	}
	for request, want := range map[string]string{
		"GET /things": "List", "GET /things?max=1": "List", "GET /things?min=1": "", "GET /things/7": "Get", "GET /things/self": "Self", "GET /things/7/policy": "Policy",
		"GET /things/7?version=2": "Version", "GET /things/": "List", "GET /things//policy": "", "GET /things?version=1&version=2": "", "GET /things/7?version=1&version=2": "", "GET /tags/arn%3Aa%3Ab%2Fc/d": "Tags", "GET /things/7/other": "", "POST /things/7": "", "PUT /things/7": "Put", "GET /tags/arn:a:b/c/d": "Tags", "GET /": "",
	} {
		method, path, _ := strings.Cut(request, " ")
		op, p, err := s.Identify(httptest.NewRequest(method, "https://x.us-east-1.amazonaws.com"+path, nil), nil)
		if op != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", request, op, err)
		}
		if want == "Tags" && !strings.HasPrefix(p.At(params.Named("arn")), "arn:a:b/c") {
			t.Errorf("%s: the rest of the path is %q", request, p.At(params.Named("arn")))
		}
	}
	r := httptest.NewRequest("PUT", "https://x.us-east-1.amazonaws.com/things/7", nil)
	r.Header.Set("X-Amz-From", "8")
	if op, _, err := s.Identify(r, nil); op != "Copy" || err != nil {
		t.Errorf("with the header: %q, %v", op, err)
	}
}

// TestSortedKeys: indexes are in the order of numbers, names of letters.
func TestSortedKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`[a-c](\.[0-9]{1,2}(\.[a-c])?)?`), rapid.ID).Draw(t, "keys")
		values := map[string][]string{}
		for _, k := range keys {
			values[k] = nil
		}
		got := sortedKeys(values)
		for i := 1; i < len(got); i++ {
			if compareKeys(got[i-1], got[i]) >= 0 {
				t.Fatalf("%q stands before %q", got[i-1], got[i])
			}
		}
	})
	got := sortedKeys(map[string][]string{"A.10": nil, "A.9": nil, "A.2.B": nil, "A": nil})
	if want := []string{"A", "A.2.B", "A.9", "A.10"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// A name given twice, an operation named twice, another service's path: what
// two readers could read differently is an error.
func TestCBOR(t *testing.T) {
	service := Service{Name: "x", Protocols: []Protocol{CBOR}, Target: "X"}
	const path = "/service/X/operation/Do"
	for _, c := range []struct{ path, header, body, want string }{
		{path, "", "\xa1\x64Tags\x81\xa1\x63Key\x61a", "Do a"},
		{path, "", "\xbf\x64Tags\x9f\xbf\x63Key\x61a\xff\xff\xff", "Do a"}, // of indefinite length
		{path, "", "", "Do "},
		{path, "", "\xa2\x61N\x01\x61N\x02", "malformed"},
		{path, "", "\xa1\x01\x02", "malformed"}, // a name that is none
		{path, "", "\xa0\xa0", "malformed"},
		{path, "X.Do", "\xa0", "malformed"},
		{path + "?Action=Do", "", "\xa0", "malformed"},
		{"/service/Y/operation/Do", "", "\xa0", "the gate does not know"},
		{"/", "", "\xa0", "the gate does not know"},
	} {
		r := httptest.NewRequest("POST", "https://x.us-east-1.amazonaws.com"+c.path, nil)
		r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		r.Header.Set("X-Amz-Target", c.header)
		op, p, err := service.Identify(r, []byte(c.body))
		got := op + " " + strings.Join(p.Values(params.ParsePath("Tags.#.Key")), ",")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %q: got %q, want %q", c.path, c.body, got, c.want)
		}
	}
}
