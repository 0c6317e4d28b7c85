package aws

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/whittle-iam/whittle/harness/audit"
)

const probe = "arn:aws:iam::123456789012:role/whittle/w-make"

// bucket is a bucket of S3's, in a region of its own, that gives few keys at once.
type bucket struct {
	files map[string][]byte
	got   []string // what was read
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/") {
		w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
		w.WriteHeader(http.StatusMovedPermanently)
		fmt.Fprint(w, "<Error><Code>PermanentRedirect</Code></Error>")
		return
	}
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/trail"), "/")
	if key != "" {
		b.got = append(b.got, key)
		w.Write(b.files[key]) //nolint:errcheck // the client hung up
		return
	}
	q := r.URL.Query()
	type object struct{ Key string }
	var reply struct {
		XMLName xml.Name `xml:"ListBucketResult"`
		More    bool     `xml:"IsTruncated"`
		Next    string   `xml:"NextContinuationToken,omitempty"`
		Objects []object `xml:"Contents"`
	}
	after := q.Get("continuation-token")
	if after == "" {
		after = q.Get("start-after")
	}
	for _, k := range slices.Sorted(maps.Keys(b.files)) {
		if k <= after || !strings.HasPrefix(k, q.Get("prefix")) {
			continue
		}
		if len(reply.Objects) == 2 {
			reply.More, reply.Next = true, reply.Objects[1].Key
			break
		}
		reply.Objects = append(reply.Objects, object{k})
	}
	xml.NewEncoder(w).Encode(reply) //nolint:errcheck // the client hung up
}

// trail is the files of a trail in b.
func trail(t *testing.T, b *bucket, prefix string) *files {
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return &files{trail: Trail{"trail", prefix}, packed: 4 << 10, unpacked: 64 << 10, region: "us-east-1", read: map[string][]audit.Entry{}, api: func(region string) *s3.Client {
		return s3.New(s3.Options{Region: region, BaseEndpoint: &server.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
			Retryer: awssdk.NopRetryer{}, DisableLogOutputChecksumValidationSkipped: true})
	}}
}

func packed(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text) //nolint:errcheck // into memory
	z.Close()
	return b.Bytes()
}

func record(id, role, at, name string) string {
	return fmt.Sprintf(`{"eventID":%q,"eventTime":%q,"eventSource":"sqs.amazonaws.com","eventName":%q,"eventType":"AwsApiCall","userIdentity":{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"arn":%q}}}}`, id, at, name, role)
}

// Of the files only those are read that can have events of the time, are called as
// CloudTrail calls them, and are of the account; of those only the roles' events.
func TestTrail(t *testing.T) {
	const day = "logs/AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/01/123456789012_CloudTrail_us-east-1_"
	const next = "logs/AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/02/123456789012_CloudTrail_us-east-1_"
	file := func(records ...string) []byte { return packed(`{"Records":[` + strings.Join(records, ",") + `]}`) }
	b := &bucket{files: map[string][]byte{
		day + "20260301T2330Z_early.json.gz": []byte("of before: it is not read"),
		day + "20260301T2350Z_a1.json.gz":    file(record("1", probe, "2026-03-01T23:49:59Z", "ListQueues"), record("2", probe, "2026-03-01T23:50:00Z", "CreateQueue")),
		day + "20260301T2355Z_a2.json.gz": file(record("3", "arn:aws:iam::123456789012:role/theirs", "2026-03-01T23:51:00Z", "CreateQueue"),
			`{"userAgent":"aws-sdk app/whittle-canary","requestParameters":{"queueName":"app/whittle-canary"},`+strings.TrimPrefix(record("4", probe, "2026-03-01T23:52:00Z", "CreateQueue"), "{")),
		next + "20260302T0010Z_a3.json.gz":  file(record("5", probe, "2026-03-02T00:05:00Z", "DeleteQueue")),
		next + "20260302T0055Z_a4.json.gz":  file(record("6", probe, "2026-03-02T00:06:00Z", "TagQueue")), // very late
		next + "20260302T0200Z_far.json.gz": []byte("of long after: it is not read"),
		"logs/AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/02/999999999999_CloudTrail_us-east-1_20260302T0010Z_b.json.gz": []byte("called of another account"),
		"logs/AWSLogs/123456789012/CloudTrail/us-east-1/2026/03/02/notes.txt":                                                  []byte("not CloudTrail's"),
		"logs/AWSLogs/123456789012/CloudTrail/eu-west-1/2026/03/02/123456789012_CloudTrail_eu-west-1_20260302T0010Z_c.json.gz": []byte("of another region"),
		"logs/AWSLogs/999999999999/CloudTrail/us-east-1/2026/03/02/999999999999_CloudTrail_us-east-1_20260302T0010Z_d.json.gz": []byte("of another account"),
	}}
	f := trail(t, b, "logs")
	from, to := time.Date(2026, 3, 1, 23, 50, 0, 0, time.UTC), time.Date(2026, 3, 2, 0, 10, 0, 0, time.UTC)
	for range 2 { // a file is read once
		got, err := f.entries(t.Context(), []string{probe}, []string{"us-east-1"}, from, to)
		var names []string
		for _, e := range got {
			names = append(names, e.ID+" "+e.Permission)
		}
		if want := []string{"2 sqs:CreateQueue", "4 sqs:CreateQueue", "5 sqs:DeleteQueue", "6 sqs:TagQueue"}; err != nil || !slices.Equal(names, want) {
			t.Errorf("%v, %v; want %v", names, err, want)
		}
	}
	if len(b.got) != 4 {
		t.Errorf("read %v", b.got)
	}
}

// A file that is none of CloudTrail's ends the reading with its name, in little memory.
func TestTrailHostile(t *testing.T) {
	const key = "AWSLogs/o-org/123456789012/CloudTrail/us-east-1/2026/03/01/123456789012_CloudTrail_us-east-1_20260301T1000Z_x.json.gz"
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		content []byte
		err     string
	}{
		"no gzip, no JSON":   {[]byte("hello"), "no log file of CloudTrail's"},
		"a cut gzip":         {packed(`{"Records":[]}`)[:15], "no log file of CloudTrail's"},
		"no records":         {packed(`{"Records":[{"a":1}]}`), "record 1: no CloudTrail record"},
		"a bomb":             {packed(strings.Repeat(" ", 64<<10+1)), "more than 65536 bytes"},
		"too large a file":   {make([]byte, 4<<10+1), "more than 4096 bytes"},
		"nothing of anybody": {packed(`{"Records":[]}`), ""},
	} {
		f := trail(t, &bucket{files: map[string][]byte{key: c.content}}, "AWSLogs/o-org")
		got, err := f.entries(t.Context(), []string{probe}, []string{"us-east-1"}, at, at.Add(time.Minute))
		if c.err == "" && err == nil && len(got) == 0 {
			continue
		}
		if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "s3://trail/"+key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTrailNeeds(t *testing.T) {
	if n := (Trail{}).Needs(); n.Len() != 0 {
		t.Error(n)
	}
	for prefix, want := range map[string]string{"": "arn:aws:s3:::b/AWSLogs/*", "x/y": "arn:aws:s3:::b/x/y/AWSLogs/*", "x/AWSLogs/o-1": "arn:aws:s3:::b/x/AWSLogs/o-1/*"} {
		found := false
		for g := range (Trail{"b", prefix}).Needs().All() {
			found = found || g.Permission == "s3:GetObject" && g.Resource == want
		}
		if !found {
			t.Errorf("%s: %v", prefix, (Trail{"b", prefix}).Needs())
		}
	}
}
