package aws

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whittle-iam/whittle/sandbox/embedded/auditlog"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
)

// Sources of this file: CloudTrail User Guide, "Finding your CloudTrail log files" and
// "CloudTrail log file examples"; Amazon S3 API Reference, ListObjectsV2 and GetObject.

// Trail is a trail's bucket, and what its keys begin with before AWSLogs. It has data
// events too. The bucket is the trail's alone and no part of the state: a restored
// snapshot takes no log file away.
type Trail struct{ Bucket, Prefix string }

// trailFiles is what a trail has delivered.
type trailFiles struct {
	mu        sync.Mutex
	delivered map[string]int // events by id; a doubled one comes twice
	keys      []string       // sorted
	files     map[string]trailFile
}

type trailFile struct {
	content []byte
	at      time.Time
}

// trailed answers a request for the trail's bucket; nil where r is for something else.
func (g *Gate) trailed(r *request) func(context.Context, http.ResponseWriter, *request) error {
	if g.o.Trail.Bucket == "" || r.call.Service != "s3" || r.call.Params["bucket"] != g.o.Trail.Bucket {
		return nil
	}
	switch r.call.Operation {
	case "ListObjectsV2":
		return g.listTrail
	case "GetObject":
		return g.getTrail
	}
	return func(context.Context, http.ResponseWriter, *request) error {
		return fmt.Errorf("%s in the bucket of the sandbox's trail is not simulated: log files are listed and read", r.name())
	}
}

// deliver writes what the log shows by now, and no file has, into one file for each
// region. A trail does so about every 5 minutes, this one when it is looked at.
func (g *Gate) deliver(now time.Time) error {
	t := &g.trail
	if t.files == nil {
		t.files, t.delivered = map[string]trailFile{}, map[string]int{}
	}
	seen := map[string]int{}
	fresh := map[string][]auditlog.Event{} // by region
	for _, e := range g.audit.Visible(now) {
		if seen[e.ID]++; seen[e.ID] > t.delivered[e.ID] {
			t.delivered[e.ID]++
			fresh[e.Client] = append(fresh[e.Client], e)
		}
	}
	for region, events := range fresh {
		records := make([]any, 0, len(events))
		for _, e := range events {
			records = append(records, g.event(e))
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if err := json.NewEncoder(z).Encode(map[string]any{"Records": records}); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		at := now.UTC()
		key := fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/%s/%[1]s_CloudTrail_%[2]s_%[4]s_%012d.json.gz", g.o.Account, region, at.Format("2006/01/02"), at.Format("20060102T1504Z"), len(t.files))
		if g.o.Trail.Prefix != "" {
			key = g.o.Trail.Prefix + "/" + key
		}
		t.files[key] = trailFile{packed.Bytes(), at}
		t.keys = append(t.keys, key)
	}
	slices.Sort(t.keys)
	return nil
}

type listedObject struct {
	Key          string
	LastModified string
	Size         int
}

// listTrail answers ListObjectsV2.
func (g *Gate) listTrail(_ context.Context, w http.ResponseWriter, r *request) error {
	q := r.URL.Query()
	most := 1000
	if text := q.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return fmt.Errorf("ListObjectsV2 with max-keys %q is not simulated", text)
		}
		most = n
	}
	if q.Get("delimiter") != "" {
		return fmt.Errorf("ListObjectsV2 with a delimiter is not simulated for the bucket of the sandbox's trail")
	}
	g.trail.mu.Lock()
	defer g.trail.mu.Unlock()
	if err := g.deliver(time.Now()); err != nil {
		return err
	}
	reply := struct {
		XMLName xml.Name       `xml:"ListBucketResult"`
		Space   string         `xml:"xmlns,attr"`
		Name    string         `xml:"Name"`
		Prefix  string         `xml:"Prefix"`
		Count   int            `xml:"KeyCount"`
		Most    int            `xml:"MaxKeys"`
		More    bool           `xml:"IsTruncated"`
		Next    string         `xml:"NextContinuationToken,omitempty"`
		Objects []listedObject `xml:"Contents"`
	}{Space: "http://s3.amazonaws.com/doc/2006-03-01/", Name: g.o.Trail.Bucket, Prefix: q.Get("prefix"), Most: most}
	after := cmp.Or(q.Get("continuation-token"), q.Get("start-after"))
	for _, key := range g.trail.keys {
		if key <= after || !strings.HasPrefix(key, reply.Prefix) {
			continue
		}
		if reply.Count == most {
			reply.More, reply.Next = true, reply.Objects[most-1].Key
			break
		}
		f := g.trail.files[key]
		reply.Objects = append(reply.Objects, listedObject{key, f.at.Format(time.RFC3339), len(f.content)})
		reply.Count++
	}
	text, err := xml.Marshal(reply)
	if err != nil {
		return err
	}
	g.answer(w, r, "application/xml", text)
	return nil
}

// getTrail answers GetObject.
func (g *Gate) getTrail(_ context.Context, w http.ResponseWriter, r *request) error {
	g.trail.mu.Lock()
	f, ok := g.trail.files[r.call.Params["key"]]
	g.trail.mu.Unlock()
	if !ok {
		return fmt.Errorf("there is no log file %q in the bucket of the sandbox's trail", r.call.Params["key"])
	}
	g.answer(w, r, "application/x-gzip", f.content)
	return nil
}

// answer writes a reply of the gate's own, of success.
func (g *Gate) answer(w http.ResponseWriter, r *request, kind string, body []byte) {
	style := wire.StyleOf(r.claim.Service, r.Request)
	wire.NewIDs(style).Stamp(w.Header(), style)
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) //nolint:errcheck // the client hung up
}
