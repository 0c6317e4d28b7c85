package evaluate

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whittle-iam/whittle/harness/policy"
)

// operator is a condition operator taken apart: "ForAnyValue:StringNotLikeIfExists".
type operator struct {
	base     string // without Not: "StringLike"
	negated  bool
	set      string // "", "ForAllValues" or "ForAnyValue"
	ifExists bool
}

// comparison says how one value of the policy compares to one of the request.
type comparison struct {
	// variables: policy variables are replaced; wild: "*" and "?" are wildcards
	// (elements_condition_operators says which operators have them).
	variables, wild bool
	// holds compares. want is the policy's value.
	holds func(want pattern, have string) (bool, error)
}

// comparisons are the operators that have a Not form or none, by their plain
// name (elements_condition_operators).
var comparisons = map[string]comparison{
	"StringEquals":             {variables: true, holds: func(w pattern, h string) (bool, error) { return w.text() == h, nil }},
	"StringEqualsIgnoreCase":   {variables: true, holds: func(w pattern, h string) (bool, error) { return strings.EqualFold(w.text(), h), nil }},
	"StringLike":               {variables: true, wild: true, holds: func(w pattern, h string) (bool, error) { return w.match(h), nil }},
	"NumericEquals":            numeric(func(c int) bool { return c == 0 }),
	"NumericLessThan":          numeric(func(c int) bool { return c < 0 }),
	"NumericLessThanEquals":    numeric(func(c int) bool { return c <= 0 }),
	"NumericGreaterThan":       numeric(func(c int) bool { return c > 0 }),
	"NumericGreaterThanEquals": numeric(func(c int) bool { return c >= 0 }),
	"DateEquals":               date(func(c int) bool { return c == 0 }),
	"DateLessThan":             date(func(c int) bool { return c < 0 }),
	"DateLessThanEquals":       date(func(c int) bool { return c <= 0 }),
	"DateGreaterThan":          date(func(c int) bool { return c > 0 }),
	"DateGreaterThanEquals":    date(func(c int) bool { return c >= 0 }),
	"Bool":                     {holds: boolean},
	"BinaryEquals":             {holds: binary},
	"IpAddress":                {holds: address},
	// ArnEquals and ArnLike behave alike.
	"ArnEquals": {variables: true, wild: true, holds: arn},
	"ArnLike":   {variables: true, wild: true, holds: arn},
}

// negations maps the negated operators to what they negate.
var negations = map[string]string{
	"StringNotEquals":           "StringEquals",
	"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike":             "StringLike",
	"NumericNotEquals":          "NumericEquals",
	"DateNotEquals":             "DateEquals",
	"NotIpAddress":              "IpAddress",
	"ArnNotEquals":              "ArnEquals",
	"ArnNotLike":                "ArnLike",
}

func parseOperator(name string) (operator, error) {
	var o operator
	rest := name
	if set, after, ok := strings.Cut(name, ":"); ok {
		if set != "ForAllValues" && set != "ForAnyValue" {
			return o, fmt.Errorf("condition operator %q is unknown", name)
		}
		o.set, rest = set, after
	}
	if name == "Null" { // takes no IfExists
		return operator{base: "Null"}, nil
	}
	rest, o.ifExists = strings.CutSuffix(rest, "IfExists")
	o.base = rest
	if plain, ok := negations[rest]; ok {
		o.base, o.negated = plain, true
	}
	if _, ok := comparisons[o.base]; !ok {
		return o, fmt.Errorf("condition operator %q is unknown", name)
	}
	return o, nil
}

// conditions gives a part for each key under each operator: all must hold
// (elements_condition, "Condition block").
func (q request) conditions(s policy.Statement, version string) []part {
	var parts []part
	for _, name := range slices.Sorted(maps.Keys(s.Condition)) {
		for _, key := range slices.Sorted(maps.Keys(s.Condition[name])) {
			parts = append(parts, func() (bool, error) {
				ok, err := q.condition(name, key, s.Condition[name][key], version)
				if err != nil {
					return false, fmt.Errorf("condition %s on %s: %w", name, key, err)
				}
				return ok, nil
			})
		}
	}
	return parts
}

// condition decides one key: its values in the policy are alternatives, or,
// under a negated operator, none of them may hold (elements_condition,
// "Evaluation logic for multiple context keys or values").
func (q request) condition(name, key string, want []string, version string) (bool, error) {
	op, err := parseOperator(name)
	if err != nil {
		return false, err
	}
	have := q.context[strings.ToLower(key)]
	if op.base == "Null" {
		return null(want, len(have) == 0)
	}
	switch {
	case op.set == "ForAllValues":
		// True without the key, or when its values come to nothing
		// (condition-single-vs-multi-valued-context-keys).
		for _, h := range have {
			if h == "" && len(have) == 1 {
				break
			}
			if ok, err := q.compare(op, want, h, version); err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	case len(have) == 0 && op.ifExists:
		return true, nil
	case op.set == "ForAnyValue":
		found := false
		for _, h := range have { // to the end: a malformed value later on is an error in any order
			ok, err := q.compare(op, want, h, version)
			if err != nil {
				return false, err
			}
			found = found || ok
		}
		return found, nil
	case len(have) == 0:
		// A key that is not there equals nothing: Not operators hold.
		return op.negated, nil
	case len(have) > 1:
		return false, fmt.Errorf("the key has %d values in this request, and the operator compares one; it needs ForAnyValue or ForAllValues", len(have))
	}
	return q.compare(op, want, have[0], version)
}

// compare decides one value of the request against all of the policy.
func (q request) compare(op operator, want []string, have, version string) (bool, error) {
	c := comparisons[op.base]
	if !c.variables {
		version = ""
	}
	found := false
	for _, w := range want {
		p, resolved, err := q.read(w, version, c.wild)
		if err != nil {
			return false, err
		}
		if !resolved {
			continue // equals nothing
		}
		ok, err := c.holds(p, have)
		if err != nil {
			return false, err
		}
		found = found || ok
	}
	return found != op.negated, nil
}

// null: "true" asks for the key not to be there, "false" for it to be.
func null(want []string, absent bool) (bool, error) {
	found := false
	for _, w := range want {
		b, err := parseBool(w)
		if err != nil {
			return false, err
		}
		found = found || b == absent
	}
	return found, nil
}

func numeric(is func(int) bool) comparison {
	return comparison{holds: func(want pattern, have string) (bool, error) {
		w, err := parseNumber(want.text())
		if err != nil {
			return false, err
		}
		h, err := parseNumber(have)
		if err != nil {
			return false, err
		}
		return is(h.Cmp(w)), nil
	}}
}

// number has no exponent: one of a few characters could ask for a number that
// fills the memory.
var number = regexp.MustCompile(`^[+-]?[0-9]{1,64}(\.[0-9]{1,64})?$`)

func parseNumber(s string) (*big.Rat, error) {
	if number.MatchString(s) {
		if r, ok := new(big.Rat).SetString(s); ok {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%q is not a number", s)
}

func date(is func(int) bool) comparison {
	return comparison{holds: func(want pattern, have string) (bool, error) {
		w, err := parseDate(want.text())
		if err != nil {
			return false, err
		}
		h, err := parseDate(have)
		if err != nil {
			return false, err
		}
		return is(h.Compare(w)), nil
	}}
}

// layouts are the W3C forms of ISO 8601 that dates are written in.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02", "2006-01", "2006",
}

// parseDate reads a date in one of the W3C forms, or in seconds since 1970;
// four digits are a year.
func parseDate(s string) (time.Time, error) {
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t, nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a W3C date nor seconds since 1970", s)
}

func boolean(want pattern, have string) (bool, error) {
	w, err := parseBool(want.text())
	if err != nil {
		return false, err
	}
	h, err := parseBool(have)
	return w == h, err
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", s)
}

// binary compares bytes; both sides are in base64.
func binary(want pattern, have string) (bool, error) {
	w, err := base64.StdEncoding.DecodeString(want.text())
	if err != nil {
		return false, errors.New("the policy's value is not base64")
	}
	h, err := base64.StdEncoding.DecodeString(have)
	if err != nil {
		return false, errors.New("the request's value is not base64")
	}
	return bytes.Equal(w, h), nil
}

// address: the request's address lies in the policy's range; an address alone
// is a range of one.
func address(want pattern, have string) (bool, error) {
	text := want.text()
	r, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return false, fmt.Errorf("%q is neither an IP address nor a range", text)
		}
		r = netip.PrefixFrom(a, a.BitLen())
	}
	h, err := netip.ParseAddr(have)
	if err != nil {
		return false, fmt.Errorf("%q, of the request, is not an IP address", have)
	}
	return r.Contains(h.Unmap()), nil
}

// arn compares the six parts of an ARN one by one, each with wildcards.
func arn(want pattern, have string) (bool, error) {
	w, h := want.parts(), strings.SplitN(have, ":", 6)
	if len(w) != 6 {
		return false, fmt.Errorf("the policy's value has %d of an ARN's six parts", len(w))
	}
	if len(h) != 6 || h[0] != "arn" {
		return false, fmt.Errorf("%q, of the request, is not an ARN", have)
	}
	for i := range w {
		if !w[i].match(h[i]) {
			return false, nil
		}
	}
	return true, nil
}
