// Package monitoring is what is particular to Cloud Monitoring in the embedded
// GCP sandbox: names that the service makes up, descriptors of metrics, and
// time series.
package monitoring

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are Cloud Monitoring's particulars.
func Hooks() generic.Hooks {
	return generic.Hooks{Name: name, Create: create, Update: update, Missing: missing}
}

// Handlers serve the methods that are Cloud Monitoring's own, by id.
func Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"monitoring.projects.metricDescriptors.create": createDescriptor,
		"monitoring.projects.timeSeries.create":        write,
		"monitoring.projects.timeSeries.list":          read,
	}
}

func missing(_ *api.Call, path string) error {
	return wire.New(404, "Could not find descriptor or resource for '%s'.", path)
}

// name is the path of what is to be made: the service numbers what a client
// does not name.
func name(c *api.Call) (string, error) {
	switch c.Collection() {
	case "alertPolicies", "notificationChannels", "groups", "snoozes", "uptimeCheckConfigs":
		return c.Path + "/" + strconv.FormatUint(c.Tx.ID(), 10), nil
	case "services":
		if c.Query.Get("serviceId") == "" {
			return c.Path + "/" + strconv.FormatUint(c.Tx.ID(), 10), nil
		}
	case "serviceLevelObjectives":
		if c.Query.Get("serviceLevelObjectiveId") == "" {
			return c.Path + "/" + strconv.FormatUint(c.Tx.ID(), 10), nil
		}
	case "dashboards":
		if api.String(c.Body, "name") == "" {
			return c.Path + "/" + strconv.FormatUint(c.Tx.ID(), 10), nil
		}
	}
	return "", nil
}

func create(c *api.Call, path string, o store.Object) error {
	record := store.Object{"mutateTime": api.Time(c.Now), "mutatedBy": c.Principal}
	switch c.Collection() {
	case "alertPolicies":
		o["creationRecord"], o["mutationRecord"] = record, record
		if o["enabled"] == nil {
			o["enabled"] = true
		}
		return conditions(c, path, o)
	case "notificationChannels":
		o["creationRecord"], o["mutationRecords"] = record, []any{record}
		if o["enabled"] == nil {
			o["enabled"] = true
		}
	case "serviceLevelObjectives":
		parent, _, _ := strings.Cut(path, "/serviceLevelObjectives/")
		if _, ok := c.Tx.Get(c.KeyOf(parent)); !ok {
			return missing(c, parent)
		}
	}
	return nil
}

// conditions names the conditions of an alerting policy, and finds channels
// that are not there.
func conditions(c *api.Call, path string, o store.Object) error {
	list := api.List(o, "conditions")
	if len(list) == 0 {
		return wire.New(400, "Field alert_policy.conditions must have at least one condition.")
	}
	for _, condition := range list {
		if condition["name"] == nil {
			condition["name"] = path + "/conditions/" + strconv.FormatUint(c.Tx.ID(), 10)
		}
	}
	channels, _ := o["notificationChannels"].([]any)
	for _, channel := range channels {
		if _, ok := c.Tx.Get(c.KeyOf(fmt.Sprint(channel))); !ok {
			return wire.New(404, "Could not find notification channel '%s'.", channel)
		}
	}
	return nil
}

func update(c *api.Call, path string, _, o store.Object) error {
	if c.Collection() != "alertPolicies" {
		return nil
	}
	o["mutationRecord"] = store.Object{"mutateTime": api.Time(c.Now), "mutatedBy": c.Principal}
	return conditions(c, path, o)
}

// createDescriptor makes, or replaces, the descriptor of a metric of the
// project's own.
func createDescriptor(c *api.Call) (*api.Reply, error) {
	kind := api.String(c.Body, "type")
	if !own(kind) {
		return nil, wire.New(400, "Field metric_descriptor.type had an invalid value of %q: it must begin with custom.googleapis.com/ or external.googleapis.com/.", kind)
	}
	o, err := generic.Conform(c.Service, c.Service.Schema("MetricDescriptor"), c.Body)
	if err != nil {
		return nil, err
	}
	path := c.Path + "/" + kind
	o["name"] = path
	c.Tx.Put(c.KeyOf(path), o)
	return api.OK(o)
}

func own(kind string) bool {
	return strings.HasPrefix(kind, "custom.googleapis.com/") || strings.HasPrefix(kind, "external.googleapis.com/") || strings.HasPrefix(kind, "workload.googleapis.com/")
}

// maxPoints is how many points of a series are kept.
const maxPoints = 1000

// write adds points to time series, and makes the descriptors that are not
// there. Source: Cloud Monitoring, "Create custom metrics": auto-creation.
func write(c *api.Call) (*api.Reply, error) {
	root := c.KeyOf(strings.TrimSuffix(c.Path, "/timeSeries"))
	series := api.List(c.Body, "timeSeries")
	if len(series) == 0 || len(series) > 200 {
		return nil, wire.New(400, "Field timeSeries must have from 1 to 200 elements, not %d.", len(series))
	}
	for i, s := range series {
		kind := api.String(s, "metric.type")
		if !own(kind) {
			return nil, wire.New(400, "Field timeSeries[%d].metric.type had an invalid value of %q: the metric cannot be written to.", i, kind)
		}
		points := api.List(s, "points")
		if len(points) != 1 {
			return nil, wire.New(400, "Field timeSeries[%d].points had an invalid value: exactly one point must be written.", i)
		}
		if descriptor := root + "/metricDescriptors/" + kind; !there(c, descriptor) {
			c.Tx.Put(descriptor, store.Object{"name": strings.TrimPrefix(descriptor, "monitoring/"), "type": kind, "metricKind": orElse(s["metricKind"], "GAUGE"), "valueType": orElse(s["valueType"], "DOUBLE")})
		}
		key := root + "/-timeSeries/" + kind + "/" + api.Fingerprint([]any{s["metric"], s["resource"]})
		kept := store.Object{"metric": s["metric"], "resource": s["resource"], "metricKind": orElse(s["metricKind"], "GAUGE"), "valueType": orElse(s["valueType"], "DOUBLE")}
		all := []any{points[0]}
		if old, ok := c.Tx.Get(key); ok {
			before, _ := old["points"].([]any)
			all = append(all, before...)
		}
		kept["points"] = all[:min(len(all), maxPoints)]
		c.Tx.Put(key, kept)
	}
	return api.OK(store.Object{})
}

func there(c *api.Call, key string) bool {
	_, ok := c.Tx.Get(key)
	return ok
}

func orElse(v any, otherwise string) any {
	if v == nil {
		return otherwise
	}
	return v
}

func read(c *api.Call) (*api.Reply, error) {
	text := c.Query.Get("filter")
	filter, err := generic.ParseFilter(text)
	if err != nil || !strings.Contains(text, "metric.type") {
		return nil, wire.New(400, "Field filter had an invalid value of %q: it must say a metric.type.", text)
	}
	from, to := c.Query.Get("interval.startTime"), c.Query.Get("interval.endTime")
	if to == "" {
		return nil, wire.New(400, "Field interval.endTime had an invalid value: it is required.")
	}
	items := []any{}
	for _, s := range c.Tx.Scan(c.KeyOf(strings.TrimSuffix(c.Path, "/timeSeries")) + "/-timeSeries/") {
		if !filter(s) {
			continue
		}
		var points []any
		for _, p := range api.List(s, "points") {
			if at := api.String(p, "interval.endTime"); at >= from && at <= to {
				points = append(points, p)
			}
		}
		if len(points) > 0 {
			shown := store.Clone(s)
			shown["points"] = points
			items = append(items, shown)
		}
	}
	reply := store.Object{}
	if len(items) > 0 {
		reply["timeSeries"] = items
	}
	return api.OK(reply)
}
