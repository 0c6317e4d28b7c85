package storage

import (
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/route"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// host is where Cloud Storage is; the XML API has a bucket's name before it,
// or in the path.
const host = "storage.googleapis.com"

// IsXML tells whether a request is one of the XML API.
func IsXML(to, path string) bool {
	if strings.HasSuffix(to, "."+host) {
		return true
	}
	if to != host {
		return false
	}
	for _, other := range []string{"/storage/v1/", "/upload/", "/download/", "/resumable/", "/batch"} {
		if strings.HasPrefix(path, other) {
			return false
		}
	}
	return true
}

// XML is a request of the XML API as the JSON API has it: the same permissions
// are checked, and the same state answers.
type XML struct {
	Match   route.Match
	Query   url.Values
	Body    store.Object
	Content []byte
	kind    string
	version string // of a list
}

// harmless are query parameters that change nothing.
var harmless = map[string]bool{"x-id": true, "fetch-owner": true, "encoding-type": true, "userProject": true}

// conditions are the XML API's headers of preconditions.
var conditions = map[string]string{"X-Goog-If-Generation-Match": "ifGenerationMatch", "X-Goog-If-Metageneration-Match": "ifMetagenerationMatch"}

// ReadXML finds the method that a request of the XML API stands for, false when
// it is none that is served.
func ReadXML(r *http.Request, to string, project string, content []byte) (*XML, bool) {
	x := &XML{Query: url.Values{}, Body: store.Object{}, Content: content}
	bucket, object, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name, ok := strings.CutSuffix(to, "."+host); ok {
		bucket, object = name, strings.TrimPrefix(r.URL.Path, "/")
	}
	q := r.URL.Query()
	sub := ""
	take := func(from, as string) {
		if v := q.Get(from); v != "" {
			x.Query.Set(as, v)
		}
		q.Del(from)
	}
	for key := range q {
		if harmless[key] {
			q.Del(key)
		}
	}
	id := ""
	switch {
	case bucket == "" && r.Method == http.MethodGet:
		id, x.kind = "storage.buckets.list", "buckets"
		x.Query.Set("project", project)
	case bucket == "":
		return nil, false
	case object == "":
		id = map[string]string{"GET": "storage.objects.list", "HEAD": "storage.buckets.get", "PUT": "storage.buckets.insert", "DELETE": "storage.buckets.delete"}[r.Method]
		if _, location := q["location"]; location && r.Method == http.MethodGet {
			id, sub = "storage.buckets.get", "location"
			q.Del("location")
		}
		x.kind = id + sub
		switch id {
		case "storage.objects.list":
			x.version = q.Get("list-type")
			q.Del("list-type")
			take("prefix", "prefix")
			take("delimiter", "delimiter")
			take("max-keys", "maxResults")
			take("continuation-token", "pageToken")
			take("marker", "startOffset")
			take("start-after", "startOffset")
			if s := x.Query.Get("startOffset"); s != "" { // after it, not from it
				x.Query.Set("startOffset", s+"\x00")
			}
		case "storage.buckets.insert":
			x.Query.Set("project", project)
			x.Body["name"] = bucket
			var given struct{ LocationConstraint, StorageClass string }
			if len(content) > 0 && xml.Unmarshal(content, &given) != nil {
				return nil, false
			}
			for field, v := range map[string]string{"location": given.LocationConstraint, "storageClass": given.StorageClass} {
				if v != "" {
					x.Body[field] = v
				}
			}
		}
	default:
		id = map[string]string{"GET": "storage.objects.get", "HEAD": "storage.objects.get", "PUT": "storage.objects.insert", "DELETE": "storage.objects.delete"}[r.Method]
		x.kind = id
		take("generation", "generation")
		x.Query.Set("alt", "media")
		if id == "storage.objects.insert" && !x.put(r, object) {
			return nil, false
		}
	}
	if id == "" || len(q) > 0 {
		return nil, false
	}
	for header, parameter := range conditions {
		if v := r.Header.Get(header); v != "" {
			x.Query.Set(parameter, v)
		}
	}
	x.Match = route.Match{Method: route.ByID(id), Params: map[string]string{}, Path: "b"}
	if bucket != "" {
		x.Match.Path += "/" + bucket
		x.Match.Params["bucket"] = bucket
	}
	if object != "" {
		x.Match.Path += "/o/" + object
		x.Match.Params["object"] = object
	}
	if id == "storage.buckets.insert" {
		x.Match.Path, x.Match.Params = "b", map[string]string{}
	}
	return x, true
}

// put reads what a request to store an object says of it, false when it is a
// copy or comes in chunks.
func (x *XML) put(r *http.Request, object string) bool {
	if r.Header.Get("X-Goog-Copy-Source") != "" || r.Header.Get("X-Amz-Copy-Source") != "" || r.Header.Get("X-Amz-Decoded-Content-Length") != "" {
		return false
	}
	x.Query.Set("name", object)
	x.Body["name"] = object
	for header, field := range map[string]string{"Content-Type": "contentType", "Cache-Control": "cacheControl", "Content-Disposition": "contentDisposition",
		"Content-Language": "contentLanguage", "X-Goog-Storage-Class": "storageClass", "Content-Md5": "md5Hash"} {
		if v := r.Header.Get(header); v != "" {
			x.Body[field] = v
		}
	}
	metadata := store.Object{}
	for header, values := range r.Header {
		for _, prefix := range []string{"X-Goog-Meta-", "X-Amz-Meta-"} {
			if name, ok := strings.CutPrefix(header, prefix); ok {
				metadata[strings.ToLower(name)] = values[0]
			}
		}
	}
	if len(metadata) > 0 {
		x.Body["metadata"] = metadata
	}
	return true
}

// Present puts the JSON API's reply into the XML API's form.
func (x *XML) Present(reply *api.Reply) (*api.Reply, error) {
	switch x.kind {
	case "storage.objects.get", "storage.buckets.delete", "storage.objects.delete":
		return reply, nil
	case "storage.objects.insert":
		o := reply.Object
		put, err := media(&http.Request{Header: http.Header{}}, o, nil)
		if err != nil {
			return nil, err
		}
		put.ContentType = "text/html; charset=UTF-8"
		return put, nil
	case "storage.buckets.get", "storage.buckets.insert":
		return &api.Reply{ContentType: "application/xml; charset=UTF-8", Header: http.Header{"X-Goog-Metageneration": {api.String(reply.Object, "metageneration")}}}, nil
	case "storage.buckets.getlocation":
		return document(struct {
			XMLName xml.Name `xml:"LocationConstraint"`
			Text    string   `xml:",chardata"`
		}{Text: api.String(reply.Object, "location")})
	case "buckets":
		return document(x.buckets(reply.Object))
	}
	return document(x.objects(reply.Object))
}

func document(v any) (*api.Reply, error) {
	text, err := xml.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &api.Reply{Content: append([]byte("<?xml version='1.0' encoding='UTF-8'?>"), text...), ContentType: "application/xml; charset=UTF-8"}, nil
}

func (x *XML) buckets(o store.Object) any {
	type bucket struct{ Name, CreationDate string }
	var d struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Buckets []bucket `xml:"Buckets>Bucket"`
	}
	for _, b := range api.List(o, "items") {
		d.Buckets = append(d.Buckets, bucket{api.String(b, "name"), api.String(b, "timeCreated")})
	}
	return d
}

func (x *XML) objects(o store.Object) any {
	type object struct{ Key, Generation, MetaGeneration, LastModified, ETag, Size, StorageClass string }
	type prefix struct{ Prefix string }
	var d struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Name, Prefix          string
		Delimiter             string `xml:",omitempty"`
		NextMarker            string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		KeyCount              int
		IsTruncated           bool
		Contents              []object
		CommonPrefixes        []prefix
	}
	d.Name, d.Prefix, d.Delimiter = x.Match.Params["bucket"], x.Query.Get("prefix"), x.Query.Get("delimiter")
	for _, item := range api.List(o, "items") {
		sum := "\"" + hexOf(api.String(item, "md5Hash")) + "\""
		d.Contents = append(d.Contents, object{api.String(item, "name"), api.String(item, "generation"), api.String(item, "metageneration"), api.String(item, "updated"), sum,
			api.String(item, "size"), api.String(item, "storageClass")})
	}
	prefixes, _ := o["prefixes"].([]any)
	for _, p := range prefixes {
		d.CommonPrefixes = append(d.CommonPrefixes, prefix{p.(string)})
	}
	d.KeyCount = len(d.Contents) + len(d.CommonPrefixes)
	if next := api.String(o, "nextPageToken"); next != "" {
		d.IsTruncated = true
		if x.version == "2" {
			d.NextContinuationToken = next
		} else if n := len(d.Contents); n > 0 {
			d.NextMarker = d.Contents[n-1].Key
		}
	}
	return d
}

// XMLError gives an error the code that the XML API has for it.
func XMLError(err error) error {
	var e *wire.Error
	if errors.As(err, &e) && e.Code == http.StatusNotFound && strings.HasPrefix(e.Message, "The specified bucket") {
		return e.With("NoSuchBucket")
	}
	return err
}
