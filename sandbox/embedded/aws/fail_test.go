package aws

import (
	"strings"
	"testing"
)

// What the state cannot answer is told by the API's name, never by a page.
func TestUnanswered(t *testing.T) {
	const page = "\n<!DOCTYPE html><title>404 Not Found</title>"
	for _, c := range []struct {
		status int
		text   string
		want   string
	}{
		{501, "NotImplementedError: nothing", "moto 5, which keeps the state, does not have iam:X: NotImplementedError: nothing"},
		{404, page, "moto 5, which keeps the state, does not have iam:X"},
		{405, page, "moto 5, which keeps the state, does not have iam:X"},
		{500, page, "moto 5, which keeps the state, fails at iam:X with status 500"},
		{500, "KeyError: 'a'", "moto 5, which keeps the state, fails at iam:X with status 500: KeyError: 'a'"},
		{404, "<ErrorResponse/>", ""},
		{403, "", ""},
		{200, page, ""},
	} {
		err := unanswered("iam:X", "5", c.status, []byte(c.text))
		if got := errorText(err); got != c.want {
			t.Errorf("%d %q: %q; want %q", c.status, c.text, got, c.want)
		}
		if strings.Contains(errorText(err), "<") {
			t.Errorf("%d: a page in %q", c.status, err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
