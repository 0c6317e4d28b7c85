package aws

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/account"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
)

// hidden tells whether a missing object is one that the client may not know to
// be missing: without s3:ListBucket, S3 answers 403 instead of 404. A missing
// bucket is no secret.
//
// Source: GetObject and HeadObject, Amazon S3 API reference, "Permissions".
func (g *Gate) hidden(ctx context.Context, r *request, reply []byte) (*refusal, error) {
	if bucket := r.call.Params["bucket"]; bucket != "" {
		if status, _, _, err := g.o.State.S3(ctx, http.MethodHead, "/"+url.PathEscape(bucket)); err != nil || status == http.StatusNotFound {
			return nil, err
		}
	}
	if r.Method != http.MethodHead && !bytes.Contains(reply, []byte("<Code>NoSuchKey</Code>")) {
		return nil, nil
	}
	need := *r.call.HideMissing
	reason, err := g.decide(ctx, r, need)
	if err != nil || reason == account.Granted {
		return nil, err
	}
	return &refusal{need, reason}, nil
}

// deletion is the body of DeleteObjects.
type deletion struct {
	XMLName xml.Name         `xml:"Delete"`
	Quiet   *bool            `xml:"Quiet,omitempty"`
	Objects []deletionObject `xml:"Object"`
}

type deletionObject struct {
	Key              string `xml:"Key"`
	VersionID        string `xml:"VersionId,omitempty"`
	ETag             string `xml:"ETag,omitempty"`
	LastModifiedTime string `xml:"LastModifiedTime,omitempty"`
	Size             string `xml:"Size,omitempty"`
}

// partial answers DeleteObjects: 200, what is allowed is deleted, what is not
// is listed with its error.
func (g *Gate) partial(ctx context.Context, w http.ResponseWriter, r *request) {
	denied := map[rules.Item]refusal{}
	for i, need := range r.call.Needs {
		reason, err := g.decide(ctx, r, need)
		if err != nil {
			g.broken(w, r, err)
			return
		}
		if reason != account.Granted {
			denied[r.call.Items[i]] = refusal{need, reason}
		}
	}
	if len(denied) == 0 {
		g.forward(ctx, w, r)
		return
	}
	g.ledger.Add(r.name(), true)
	var all deletion
	if err := xml.Unmarshal(r.body, &all); err != nil {
		g.fail(w, r, wire.Invalid, "The XML you provided was not well-formed or did not validate against our published schema")
		return
	}
	left := deletion{Quiet: all.Quiet}
	var errors strings.Builder
	for _, o := range all.Objects {
		no, ok := denied[rules.Item{Key: o.Key, Version: o.VersionID}]
		if !ok {
			left.Objects = append(left.Objects, o)
			continue
		}
		e := g.word(r, no).Error(wire.S3, g.o.Forms)
		errors.WriteString("<Error><Key>" + wire.Escape(o.Key) + "</Key>")
		if o.VersionID != "" {
			errors.WriteString("<VersionId>" + wire.Escape(o.VersionID) + "</VersionId>")
		}
		errors.WriteString("<Code>" + e.Code + "</Code><Message>" + wire.Escape(e.Message) + "</Message></Error>")
	}
	reply, body, err := g.deleteSome(ctx, r, left)
	if err != nil {
		g.broken(w, r, err)
		return
	}
	if reply.StatusCode == http.StatusOK {
		body = withErrors(body, errors.String())
		reply.Header.Set("Content-Type", "application/xml")
	}
	g.pass(w, r, reply, body)
}

// deleteSome deletes what is left of a request. With nothing left it asks
// whether the bucket is there, which S3 says in any case.
func (g *Gate) deleteSome(ctx context.Context, r *request, left deletion) (*http.Response, []byte, error) {
	some := *r
	some.Request = r.Request.Clone(ctx)
	if len(left.Objects) == 0 {
		u := *r.URL
		u.RawQuery = "versioning"
		some.URL, some.Method = &u, http.MethodGet
		reply, body, err := g.ask(ctx, &some, nil)
		if err == nil && reply.StatusCode == http.StatusOK {
			body = []byte("<DeleteResult></DeleteResult>")
		}
		return reply, body, err
	}
	text, err := xml.Marshal(left)
	if err != nil {
		return nil, nil, err
	}
	for name := range some.Header { // of the whole body
		if name == "Content-Md5" || strings.HasPrefix(name, "X-Amz-Checksum-") || name == "X-Amz-Sdk-Checksum-Algorithm" || name == "X-Amz-Content-Sha256" {
			some.Header.Del(name)
		}
	}
	return g.ask(ctx, &some, text)
}

// withErrors puts the errors into a DeleteResult.
func withErrors(body []byte, errors string) []byte {
	const end = "</DeleteResult>"
	if i := bytes.LastIndex(body, []byte(end)); i >= 0 {
		return []byte(string(body[:i]) + errors + end)
	}
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + errors + end)
}
