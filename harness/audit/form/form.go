// Package form reads the audit logs of each cloud: Google Cloud's LogEntry with an
// AuditLog, AWS's CloudTrail records, Azure's Activity Log events.
//
// What it cannot read it returns as an error that says which entry; it never leaves
// one out in silence. It does no I/O to a cloud.
package form

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/whittle-iam/whittle/harness/audit"
)

// maxFile is the most that is read of a file once it is unpacked, in bytes.
const maxFile = 512 << 20

// File reads a file of log entries of a cloud ("aws", "gcp", "azure"), packed with
// gzip or not: a JSON array, objects one after the other, or an object that holds
// them as the cloud's API and its own files do ("Records", "Events", "entries",
// "value"). Entries that are no decision about a permission are counted in skipped.
func File(cloud string, data []byte) (entries []audit.Entry, skipped int, err error) {
	read, err := reader(cloud)
	if err != nil {
		return nil, 0, err
	}
	all, err := Unpack(data, maxFile)
	if err != nil {
		return nil, 0, err
	}
	for i, o := range all {
		got, err := read(o)
		if err != nil {
			return nil, 0, fmt.Errorf("entry %d: %w", i+1, err)
		}
		if len(got) == 0 {
			skipped++
		}
		entries = append(entries, got...)
	}
	return entries, skipped, nil
}

// Unpack gives the entries that a file holds, as they are written there. More than
// limit bytes, once it is unpacked, are an error.
func Unpack(data []byte, limit int64) ([]json.RawMessage, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		if data, err = io.ReadAll(io.LimitReader(z, limit+1)); err != nil {
			return nil, err
		}
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return objects(data)
}

func reader(cloud string) (func([]byte) ([]audit.Entry, error), error) {
	switch cloud {
	case "aws":
		return AWS, nil
	case "gcp":
		return GCP, nil
	case "azure":
		return Azure, nil
	}
	return nil, fmt.Errorf("cloud %q has no audit log that is known", cloud)
}

// objects takes a file apart into its entries.
func objects(data []byte) (all []json.RawMessage, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	for {
		var one json.RawMessage
		switch err := d.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		some, err := unwrap(one)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
}

// unwrap gives the entries that one JSON value holds.
func unwrap(one json.RawMessage) ([]json.RawMessage, error) {
	if bytes.HasPrefix(one, []byte("[")) {
		var list []json.RawMessage
		return list, json.Unmarshal(one, &list)
	}
	var held struct {
		Records []json.RawMessage `json:"Records"`
		Events  []struct {
			CloudTrailEvent string `json:"CloudTrailEvent"`
		} `json:"Events"`
		Entries []json.RawMessage `json:"entries"`
		Value   []json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(one, &held); err != nil {
		return nil, err
	}
	for _, e := range held.Events {
		held.Records = append(held.Records, json.RawMessage(e.CloudTrailEvent))
	}
	for _, list := range [][]json.RawMessage{held.Records, held.Entries, held.Value} {
		if list != nil {
			return list, nil
		}
	}
	return []json.RawMessage{one}, nil
}
