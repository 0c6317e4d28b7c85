package storage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// sessionKey is where an upload that was begun is kept.
func sessionKey(id string) string { return "uploads/" + id }

// Prepare takes an upload's body apart: the metadata goes to the call's Body,
// what remains in Content is the object's content. It is done before the gate
// asks what the request needs, since the metadata has the object's name.
func Prepare(c *api.Call) error {
	c.Body = store.Object{}
	kind := c.Query.Get("uploadType")
	if kind == "" {
		kind = c.Query.Get("upload_protocol")
	}
	contentType := c.Request.Header.Get("Content-Type")
	switch kind {
	case "media":
		if contentType != "" {
			c.Body["contentType"] = contentType
		}
		return nil
	case "multipart":
		return split(c, contentType)
	case "resumable":
		if id := c.Query.Get("upload_id"); id != "" {
			session, ok := c.Tx.Get(sessionKey(id))
			if !ok {
				return wire.New(404, "No such upload: %s", id)
			}
			c.Body = store.Clone(api.Object(session, "metadata"))
			return nil
		}
		if len(bytes.TrimSpace(c.Content)) > 0 {
			if err := json.Unmarshal(c.Content, &c.Body); err != nil {
				return wire.New(400, "Parse Error: %v", err).With("parseError")
			}
		}
		c.Content = nil
		return nil
	}
	return wire.New(400, "Invalid upload request: uploadType %q is not media, multipart or resumable.", kind).With("badRequest")
}

func split(c *api.Call, contentType string) error {
	bad := func(err any) error { return wire.New(400, "Malformed multipart body: %v", err).With("badRequest") }
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return bad(err)
	}
	parts := multipart.NewReader(bytes.NewReader(c.Content), params["boundary"])
	var texts [2][]byte
	var kinds [2]string
	for i := range texts {
		part, err := parts.NextRawPart()
		if err != nil {
			return bad(err)
		}
		kinds[i] = part.Header.Get("Content-Type")
		if texts[i], err = io.ReadAll(part); err != nil {
			return bad(err)
		}
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		return bad("it has more than two parts")
	}
	if err := json.Unmarshal(texts[0], &c.Body); err != nil {
		return bad(err)
	}
	if c.Body["contentType"] == nil && kinds[1] != "" {
		c.Body["contentType"] = kinds[1]
	}
	c.Content = texts[1]
	return nil
}

// resumable serves an upload in parts: the first request begins it, each of the
// others adds a part, or asks how far it has come. Source: Cloud Storage,
// "Perform resumable uploads".
func resumable(c *api.Call) (*api.Reply, error) {
	id := c.Query.Get("upload_id")
	if id == "" {
		return begin(c)
	}
	key := sessionKey(id)
	session, _ := c.Tx.Get(key)
	have, _ := c.Tx.Blob(key)
	switch c.Request.Method {
	case http.MethodDelete:
		c.Tx.Delete(key)
		return &api.Reply{Status: 499}, nil
	case http.MethodPut, http.MethodPost:
	default:
		return nil, wire.New(400, "Invalid upload request.").With("badRequest")
	}
	part, from, total, err := partOf(c)
	if err != nil {
		return nil, err
	}
	switch {
	case from > len(have):
		return incomplete(c, len(have)), nil // the client sends again from there
	case from >= 0:
		have = append(have[:from:from], part...)
	}
	if total < 0 || len(have) < total {
		c.Tx.PutBlob(key, session, have)
		return incomplete(c, len(have)), nil
	}
	c.Tx.Delete(key)
	name := api.String(session, "name")
	for k, v := range api.Object(session, "conditions") {
		c.Query.Set(k, fmt.Sprint(v))
	}
	o, err := add(c, c.Params["bucket"], name, c.Body, have)
	if err != nil {
		return nil, err
	}
	return api.OK(o)
}

// partOf reads a part, the offset where it belongs (-1 for none) and the total
// size (-1 where it is not known yet).
func partOf(c *api.Call) (part []byte, from, total int, err error) {
	header := c.Request.Header.Get("Content-Range")
	if header == "" {
		return c.Content, 0, len(c.Content), nil
	}
	bad := wire.New(400, "Failed to parse Content-Range header.").With("badRequest")
	text, ok := strings.CutPrefix(header, "bytes ")
	of, size, ok2 := strings.Cut(text, "/")
	if !ok || !ok2 {
		return nil, 0, 0, bad
	}
	total = -1
	if size != "*" {
		if total, err = strconv.Atoi(size); err != nil {
			return nil, 0, 0, bad
		}
	}
	if of == "*" {
		return nil, -1, total, nil
	}
	first, last, ok := strings.Cut(of, "-")
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if !ok || err1 != nil || err2 != nil || to-from+1 != len(c.Content) {
		return nil, 0, 0, bad
	}
	return c.Content, from, total, nil
}

// incomplete says how far an upload has come. Google's own clients ask not to be
// answered with 308, which others take for a redirect.
func incomplete(c *api.Call, size int) *api.Reply {
	h := http.Header{}
	if size > 0 {
		h.Set("Range", "bytes=0-"+strconv.Itoa(size-1))
	}
	if c.Request.Header.Get("X-Guploader-No-308") == "yes" {
		h.Set("X-Http-Status-Code-Override", "308")
		return &api.Reply{Header: h}
	}
	return &api.Reply{Status: http.StatusPermanentRedirect, Header: h}
}

func begin(c *api.Call) (*api.Reply, error) {
	name := c.Query.Get("name")
	if name == "" {
		name = api.String(c.Body, "name")
	}
	if name == "" {
		return nil, wire.New(400, "Required").With("required")
	}
	old, _ := c.Tx.Get(objectKey(c.Params["bucket"], name))
	if err := matches(c, old, "Generation", "Metageneration"); err != nil {
		return nil, err
	}
	if kind := c.Request.Header.Get("X-Upload-Content-Type"); kind != "" && c.Body["contentType"] == nil {
		c.Body["contentType"] = kind
	}
	conditions := store.Object{}
	for key := range c.Query {
		if strings.HasPrefix(key, "if") {
			conditions[key] = c.Query.Get(key)
		}
	}
	id := fmt.Sprintf("AB%x%x", c.Tx.ID(), c.Tx.ID())
	c.Tx.PutBlob(sessionKey(id), store.Object{"name": name, "metadata": c.Body, "conditions": conditions}, nil)
	q := c.Request.URL.Query()
	q.Set("uploadType", "resumable")
	q.Set("name", name)
	q.Set("upload_id", id)
	where := "https://" + c.Request.Host + c.Request.URL.EscapedPath() + "?" + q.Encode()
	return &api.Reply{Header: http.Header{"Location": {where}, "X-Guploader-Uploadid": {id}}}, nil
}
