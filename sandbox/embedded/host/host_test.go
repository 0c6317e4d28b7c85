package host

import "testing"

func TestName(t *testing.T) {
	for host, want := range map[string]string{
		"storage.googleapis.com":        "storage.googleapis.com",
		"Storage.googleapis.com.:443":   "storage.googleapis.com",
		"MANAGEMENT.azure.com.":         "management.azure.com",
		"bucket.s3.amazonaws.com:8443":  "bucket.s3.amazonaws.com",
		"[::1]:80":                      "::1",
		"a.example.com..":               "a.example.com.",
		"iam.googleapis.com:1:2":        "iam.googleapis.com:1:2",
		"":                              "",
		"iam.googleapis.com.evil.test.": "iam.googleapis.com.evil.test",
	} {
		if got := Name(host); got != want {
			t.Errorf("Name(%q) = %q, want %q", host, got, want)
		}
	}
}
