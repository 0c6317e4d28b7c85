// Package logging is what is particular to Cloud Logging in the embedded GCP
// sandbox: sinks, metrics and buckets of logs, and the entries themselves.
package logging

import (
	"fmt"
	"slices"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are Cloud Logging's particulars.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Update: update, Delete: remove, Missing: missing}
}

// Handlers serve the methods that are Cloud Logging's own, by id.
func Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"logging.entries.write":        write,
		"logging.entries.list":         list,
		"logging.projects.logs.list":   logs,
		"logging.projects.logs.delete": deleteLog,
	}
}

// Seed makes what every project has. Source: Cloud Logging, "Routing and storage
// overview".
func Seed(c *api.Call) {
	project := "projects/" + c.Project.ID
	for name, days := range map[string]float64{"_Default": 30, "_Required": 400} {
		bucket := project + "/locations/global/buckets/" + name
		c.Tx.Put("logging/"+bucket, store.Object{"name": bucket, "retentionDays": days, "lifecycleState": "ACTIVE", "locked": name == "_Required"})
		c.Tx.Put("logging/"+project+"/sinks/"+name, store.Object{"name": name, "resourceName": project + "/sinks/" + name,
			"destination": "logging.googleapis.com/" + bucket, "createTime": api.Time(c.Now), "updateTime": api.Time(c.Now)})
	}
}

func missing(_ *api.Call, path string) error {
	return wire.New(404, "Resource %s does not exist", path)
}

var short = []string{"sinks", "metrics", "exclusions"}

func create(c *api.Call, path string, o store.Object) error {
	id := path[strings.LastIndexByte(path, '/')+1:]
	if slices.Contains(short, c.Collection()) { // these show their name alone
		o["name"] = id
		if c.Collection() != "exclusions" {
			o["resourceName"] = path
		}
	}
	switch c.Collection() {
	case "sinks":
		if api.String(o, "destination") == "" {
			return wire.New(400, "The sink's destination is required.")
		}
		o["writerIdentity"] = "serviceAccount:service-" + c.Project.Number + "@gcp-sa-logging.iam.gserviceaccount.com"
		if c.Query.Get("uniqueWriterIdentity") != "true" {
			o["writerIdentity"] = "serviceAccount:cloud-logs@system.gserviceaccount.com"
		}
	case "metrics":
		if o["metricDescriptor"] == nil {
			o["metricDescriptor"] = store.Object{"metricKind": "DELTA", "valueType": "INT64"}
		}
		describe(path, id, o)
	case "buckets":
		o["lifecycleState"] = "ACTIVE"
		if o["retentionDays"] == nil {
			o["retentionDays"] = 30.0
		}
	case "views":
		parent, _, _ := strings.Cut(path, "/views/")
		if _, ok := c.Tx.Get(c.KeyOf(parent)); !ok {
			return missing(c, parent)
		}
	}
	return nil
}

// describe names the metric that a log-based metric makes.
func describe(path, id string, o store.Object) {
	d := api.Object(o, "metricDescriptor")
	project, _, _ := strings.Cut(path, "/metrics/")
	d["type"] = "logging.googleapis.com/user/" + id
	d["name"] = project + "/metricDescriptors/logging.googleapis.com/user/" + strings.ReplaceAll(id, "/", "%2F")
}

func update(c *api.Call, path string, old, o store.Object) error {
	switch c.Collection() {
	case "sinks":
		o["writerIdentity"] = old["writerIdentity"]
	case "metrics":
		if o["metricDescriptor"] == nil {
			o["metricDescriptor"] = old["metricDescriptor"]
		}
		describe(path, path[strings.LastIndexByte(path, '/')+1:], o)
	case "buckets":
		if api.Bool(old, "locked") {
			return wire.New(400, "The bucket %s is locked.", path).Stating("FAILED_PRECONDITION")
		}
	}
	if o["resourceName"] == nil && old["resourceName"] != nil {
		o["resourceName"] = old["resourceName"]
	}
	return nil
}

func remove(_ *api.Call, path string, _ store.Object) error {
	if id := path[strings.LastIndexByte(path, '/')+1:]; id == "_Default" && strings.Contains(path, "/buckets/") || id == "_Required" {
		return wire.New(400, "%s cannot be deleted.", path).Stating("FAILED_PRECONDITION")
	}
	return nil
}

func entries(c *api.Call) string { return "logging/projects/" + c.Project.ID + "/-entries/" }

// ours checks that a log, or what has logs, is of this project.
func ours(c *api.Call, name string) error {
	path := strings.TrimPrefix(c.KeyOf(name), "logging/")
	if path != "projects/"+c.Project.ID && !strings.HasPrefix(path, "projects/"+c.Project.ID+"/") {
		return wire.New(403, "Permission 'logging.logEntries.create' denied on resource (or it may not exist).")
	}
	return nil
}

func write(c *api.Call) (*api.Reply, error) {
	for i, given := range api.List(c.Body, "entries") {
		e := store.Clone(given)
		for _, f := range []string{"logName", "resource"} {
			if e[f] == nil {
				e[f] = c.Body[f]
			}
		}
		if labels := api.Object(c.Body, "labels"); labels != nil {
			all := store.Clone(labels)
			generic.Merge(all, api.Object(e, "labels"))
			e["labels"] = all
		}
		name, _ := e["logName"].(string)
		if !strings.Contains(name, "/logs/") || e["resource"] == nil {
			return nil, wire.New(400, "Entry %d has no log name or no resource.", i)
		}
		if err := ours(c, name); err != nil {
			return nil, err
		}
		if e["timestamp"] == nil {
			e["timestamp"] = api.Time(c.Now)
		}
		e["receiveTimestamp"] = api.Time(c.Now)
		n := c.Tx.Serial()
		if e["insertId"] == nil {
			e["insertId"] = fmt.Sprintf("%x", n)
		}
		if c.Body["dryRun"] != true {
			c.Tx.Put(fmt.Sprintf("%s%012d", entries(c), n), e)
		}
	}
	return api.OK(store.Object{})
}

func list(c *api.Call) (*api.Reply, error) {
	names, _ := c.Body["resourceNames"].([]any)
	for _, n := range names {
		if err := ours(c, fmt.Sprint(n)); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, wire.New(400, "The field resource_names is required.")
	}
	filter, err := generic.ParseFilter(api.String(c.Body, "filter"))
	if err != nil {
		return nil, wire.New(400, "Unparseable filter: %v", err)
	}
	var items []any
	for _, e := range c.Tx.Scan(entries(c)) {
		if filter(e) {
			items = append(items, e)
		}
	}
	audited, err := auditEntries(c)
	if err != nil {
		return nil, err
	}
	for _, e := range audited {
		if filter(e) {
			items = append(items, e)
		}
	}
	if strings.Contains(api.String(c.Body, "orderBy"), "desc") {
		slices.Reverse(items)
	}
	size := 1000
	if n, ok := c.Body["pageSize"].(float64); ok && n > 0 {
		size = int(n)
	}
	from := 0
	if t := api.String(c.Body, "pageToken"); t != "" {
		if _, err := fmt.Sscanf(t, "p%d", &from); err != nil || from > len(items) {
			return nil, wire.New(400, "The page token is not valid.")
		}
	}
	reply := store.Object{}
	if end := min(len(items), from+size); end > from {
		reply["entries"] = items[from:end]
		if end < len(items) {
			reply["nextPageToken"] = fmt.Sprintf("p%d", end)
		}
	}
	return api.OK(reply)
}

// auditEntries are those of the audit logs that who asks may read: the Data Access
// logs need a permission of their own. Source: Cloud Logging, "Access control".
func auditEntries(c *api.Call) ([]store.Object, error) {
	if c.Audit == nil {
		return nil, nil
	}
	private, err := c.Holds("logging.privateLogEntries.list", "cloudresourcemanager/projects/"+c.Project.ID)
	if err != nil {
		return nil, err
	}
	var all []store.Object
	for _, e := range c.Audit() {
		if private || !strings.HasSuffix(api.String(e, "logName"), "data_access") {
			all = append(all, e)
		}
	}
	return all, nil
}

func logs(c *api.Call) (*api.Reply, error) {
	var names []string
	for _, e := range c.Tx.Scan(entries(c)) {
		names = append(names, api.String(e, "logName"))
	}
	slices.Sort(names)
	reply := store.Object{}
	if names = slices.Compact(names); len(names) > 0 {
		list := []any{}
		for _, n := range names {
			list = append(list, n)
		}
		reply["logNames"] = list
	}
	return api.OK(reply)
}

func deleteLog(c *api.Call) (*api.Reply, error) {
	found := false
	for key, e := range c.Tx.Scan(entries(c)) {
		if e["logName"] == c.Path {
			c.Tx.Delete(key)
			found = true
		}
	}
	if !found {
		return nil, wire.New(404, "Log %s does not exist", c.Path)
	}
	return api.OK(store.Object{})
}
