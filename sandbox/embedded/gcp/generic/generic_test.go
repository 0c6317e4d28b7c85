package generic

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
)

func TestFilter(t *testing.T) {
	o := store.Object{"name": "web-1", "labels": store.Object{"env": "prod"}, "size": 3.0, "tags": []any{"a", "b"}}
	for filter, want := range map[string]any{
		"": true, `name = "web-1"`: true, `name=web-*`: true, `name != web-1`: false, `name eq web-.*`: true, `name eq web`: false, `name ne web-.*`: false,
		`(name = "web-1") AND (labels.env = "prod")`: true, `labels.env=dev OR size>2`: true, `labels.env=prod size<2`: false,
		`NOT labels:env`: false, `labels:none`: false, `tags=b`: true, `tags:B`: true,
		`name =`: nil, `(name = x`: nil, `name ~ x y`: nil, `name eq (`: nil,
	} {
		f, err := ParseFilter(filter)
		if (err != nil) != (want == nil) || err == nil && f(o) != want {
			t.Errorf("filter %q: %v, want %v", filter, err, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`(a = "b") OR NOT c:d`)
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter(text)
		if (filter == nil) == (err == nil) {
			t.Errorf("filter %q is %v and %v", text, filter != nil, err)
		}
		if filter != nil {
			filter(store.Object{"a": "b"})
		}
	})
}

func TestConform(t *testing.T) {
	m := route.ByID("compute.disks.insert")
	schema := m.Service.Schema(m.Request)
	got, err := Conform(m.Service, schema, store.Object{"name": "d", "sizeGb": 10.0, "id": "3", "labels": store.Object{"a": "b"}, "guestOsFeatures": []any{store.Object{"type": "X"}}})
	want := store.Object{"name": "d", "sizeGb": "10", "labels": store.Object{"a": "b"}, "guestOsFeatures": []any{store.Object{"type": "X"}}}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
	for _, bad := range []store.Object{{"nonsense": 1.0}, {"sizeGb": "x"}, {"labels": "x"}, {"guestOsFeatures": store.Object{}}, {"guestOsFeatures": []any{store.Object{"nonsense": 1.0}}}, {"name": store.Object{}}} {
		if _, err := Conform(m.Service, schema, bad); err == nil || !strings.HasPrefix(err.Error(), "400") {
			t.Errorf("%v gave %v", bad, err)
		}
	}
}

func TestMask(t *testing.T) {
	to := store.Object{"a": 1.0, "b": store.Object{"c": 1.0, "d": 2.0}}
	place(to, store.Object{"b": store.Object{"c": 5.0}}, strings.Split(snake("b.c"), "."))
	place(to, store.Object{}, []string{"a"})
	if d := cmp.Diff(store.Object{"b": store.Object{"c": 5.0, "d": 2.0}}, to); d != "" {
		t.Error(d)
	}
	if got := snake("version_aliases.some_thing"); got != "versionAliases.someThing" {
		t.Error(got)
	}
}
