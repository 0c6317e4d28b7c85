package roletest

import (
	"os"
	"strconv"
	"testing"
)

// Cost is the most that the suite is to cost on a real cloud, in US dollars. By the
// clouds' price lists roles, identities and lists cost nothing.
const Cost = 0.10

// Place is the account, project or subscription that the suite is to run on for real,
// as the environment says: WHITTLE_CLOUD_TEST must be the cloud, WHITTLE_CLOUD_PLACE
// its place in full, and WHITTLE_CLOUD_BUDGET what may be spent, in US dollars, Cost
// at least. Without them the test is skipped.
func Place(t *testing.T, cloud string) string {
	t.Helper()
	if v := os.Getenv("WHITTLE_CLOUD_TEST"); v != cloud {
		t.Skipf("WHITTLE_CLOUD_TEST is %q, not %s", v, cloud)
	}
	place := os.Getenv("WHITTLE_CLOUD_PLACE")
	budget, err := strconv.ParseFloat(os.Getenv("WHITTLE_CLOUD_BUDGET"), 64)
	switch {
	case place == "":
		t.Fatal("WHITTLE_CLOUD_PLACE names no account, project or subscription")
	case err != nil || budget < Cost:
		t.Fatalf("WHITTLE_CLOUD_BUDGET is %q: say how many US dollars may be spent, %.2f at least", os.Getenv("WHITTLE_CLOUD_BUDGET"), Cost)
	}
	return place
}
