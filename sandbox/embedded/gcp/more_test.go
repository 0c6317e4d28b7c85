package gcp_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/compute/v1"
	"google.golang.org/api/dns/v1"
	"google.golang.org/api/logging/v2"
	"google.golang.org/api/monitoring/v3"
	"google.golang.org/api/pubsub/v1"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp"
)

func TestMonitoring(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	_, token := principal(t, g)
	c := must[*monitoring.Service](t)(monitoring.NewService(t.Context(), as(g, token))).Projects
	point := &monitoring.CreateTimeSeriesRequest{TimeSeries: []*monitoring.TimeSeries{{
		Metric: &monitoring.Metric{Type: "custom.googleapis.com/nomad/load"}, Resource: &monitoring.MonitoredResource{Type: "global"},
		Points: []*monitoring.Point{{Interval: &monitoring.TimeInterval{EndTime: time.Now().UTC().Format(time.RFC3339)}, Value: &monitoring.TypedValue{DoubleValue: ptr(1.5)}}}}}}
	_, err := c.TimeSeries.Create(parent, point).Do()
	refused(t, err, 403, "Permission monitoring.timeSeries.create denied (or the resource may not exist).")
	_, err = c.AlertPolicies.Create(parent, &monitoring.AlertPolicy{}).Do()
	refused(t, err, 403, "monitoring.alertPolicies.create")
	grant(t, operator, "monitoring.timeSeries.create", "monitoring.timeSeries.list", "monitoring.metricDescriptors.get", "monitoring.metricDescriptors.list",
		"monitoring.alertPolicies.create", "monitoring.alertPolicies.update", "monitoring.notificationChannels.create")
	must[*monitoring.Empty](t)(c.TimeSeries.Create(parent, point).Do())
	d := must[*monitoring.MetricDescriptor](t)(c.MetricDescriptors.Get(parent + "/metricDescriptors/custom.googleapis.com/nomad/load").Do())
	if d.Type != "custom.googleapis.com/nomad/load" || d.MetricKind != "GAUGE" {
		t.Errorf("the descriptor is %+v", d)
	}
	list := must[*monitoring.ListMetricDescriptorsResponse](t)(c.MetricDescriptors.List(parent).Do())
	if len(list.MetricDescriptors) != 1 {
		t.Errorf("%d descriptors", len(list.MetricDescriptors))
	}
	series := must[*monitoring.ListTimeSeriesResponse](t)(c.TimeSeries.List(parent).Filter(`metric.type = "custom.googleapis.com/nomad/load"`).
		IntervalStartTime("2020-01-01T00:00:00Z").IntervalEndTime("2099-01-01T00:00:00Z").Do())
	if len(series.TimeSeries) != 1 || *series.TimeSeries[0].Points[0].Value.DoubleValue != 1.5 {
		t.Errorf("the series are %+v", series.TimeSeries)
	}
	channel := must[*monitoring.NotificationChannel](t)(c.NotificationChannels.Create(parent, &monitoring.NotificationChannel{Type: "email", Labels: map[string]string{"email_address": "a@example.com"}}).Do())
	policy := &monitoring.AlertPolicy{DisplayName: "p", Combiner: "OR", Conditions: []*monitoring.Condition{{DisplayName: "c"}}, NotificationChannels: []string{channel.Name}}
	made := must[*monitoring.AlertPolicy](t)(c.AlertPolicies.Create(parent, policy).Do())
	if !strings.HasPrefix(made.Conditions[0].Name, made.Name+"/conditions/") || !made.Enabled {
		t.Errorf("the policy is %+v", made)
	}
	policy.DisplayName = "q"
	if again := must[*monitoring.AlertPolicy](t)(c.AlertPolicies.Patch(made.Name, policy).UpdateMask("display_name").Do()); again.DisplayName != "q" || again.Conditions[0].Name != made.Conditions[0].Name {
		t.Errorf("the patched policy is %+v", again)
	}
	_, err = c.AlertPolicies.Delete(made.Name).Do()
	refused(t, err, 403, "monitoring.alertPolicies.delete")
}

func ptr[T any](v T) *T { return &v }

func TestLogging(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	_, token := principal(t, g)
	s := must[*logging.Service](t)(logging.NewService(t.Context(), as(g, token)))
	c := s.Projects
	sink := &logging.LogSink{Name: "audit", Destination: "storage.googleapis.com/logs"}
	_, err := c.Sinks.Create(parent, sink).Do()
	refused(t, err, 403, "Permission 'logging.sinks.create' denied on resource (or it may not exist).")
	grant(t, operator, "logging.sinks.create", "logging.sinks.list", "logging.sinks.update", "logging.logMetrics.create", "logging.logEntries.create", "logging.logEntries.list", "logging.buckets.get")
	made := must[*logging.LogSink](t)(c.Sinks.Create(parent, sink).UniqueWriterIdentity(true).Do())
	if made.Name != "audit" || !strings.HasPrefix(made.WriterIdentity, "serviceAccount:service-123456789012@") {
		t.Errorf("the sink is %+v", made)
	}
	if list := must[*logging.ListSinksResponse](t)(c.Sinks.List(parent).Do()); len(list.Sinks) != 3 {
		t.Errorf("%d sinks", len(list.Sinks))
	}
	changed := must[*logging.LogSink](t)(c.Sinks.Patch(parent+"/sinks/audit", &logging.LogSink{Filter: "severity=ERROR"}).UpdateMask("filter").Do())
	if changed.Filter != "severity=ERROR" || changed.Destination != made.Destination || changed.WriterIdentity != made.WriterIdentity {
		t.Errorf("the changed sink is %+v", changed)
	}
	if m := must[*logging.LogMetric](t)(c.Metrics.Create(parent, &logging.LogMetric{Name: "errors", Filter: "severity=ERROR"}).Do()); m.MetricDescriptor.Type != "logging.googleapis.com/user/errors" {
		t.Errorf("the metric is %+v", m)
	}
	_, err = c.Metrics.Get(parent + "/metrics/errors").Do()
	refused(t, err, 403, "logging.logMetrics.get")
	if b := must[*logging.LogBucket](t)(c.Locations.Buckets.Get(parent + "/locations/global/buckets/_Default").Do()); b.RetentionDays != 30 {
		t.Errorf("the bucket is %+v", b)
	}
	must[*logging.WriteLogEntriesResponse](t)(s.Entries.Write(&logging.WriteLogEntriesRequest{LogName: parent + "/logs/build", Resource: &logging.MonitoredResource{Type: "global"},
		Entries: []*logging.LogEntry{{TextPayload: "a", Severity: "INFO"}, {TextPayload: "b", Severity: "ERROR"}}}).Do())
	found := must[*logging.ListLogEntriesResponse](t)(s.Entries.List(&logging.ListLogEntriesRequest{ResourceNames: []string{parent}, Filter: "severity=ERROR AND logName=\"" + parent + "/logs/build\""}).Do())
	if len(found.Entries) != 1 || found.Entries[0].TextPayload != "b" {
		t.Errorf("found %+v", found.Entries)
	}
}

func TestDNS(t *testing.T) {
	g := start(t, gcp.Config{})
	operator := connect(t, g, g.Operator())
	_, token := principal(t, g)
	c := must[*dns.Service](t)(dns.NewService(t.Context(), as(g, token)))
	zone := &dns.ManagedZone{Name: "z", DnsName: "e2b.example.com.", Description: "x"}
	_, err := c.ManagedZones.Create(project, zone).Do()
	refused(t, err, 403, "Forbidden")
	grant(t, operator, "dns.managedZones.create", "dns.changes.create", "dns.changes.get", "dns.resourceRecordSets.create", "dns.resourceRecordSets.list", "dns.managedZones.delete", "dns.managedZones.get", "dns.managedZones.update", "dns.managedZoneOperations.get")
	made := must[*dns.ManagedZone](t)(c.ManagedZones.Create(project, zone).Do())
	if len(made.NameServers) != 4 || made.Id == 0 || made.Visibility != "public" {
		t.Errorf("the zone is %+v", made)
	}
	rr := &dns.ResourceRecordSet{Name: "*.e2b.example.com.", Type: "A", Ttl: 60, Rrdatas: []string{"10.0.0.1"}}
	change := must[*dns.Change](t)(c.Changes.Create(project, "z", &dns.Change{Additions: []*dns.ResourceRecordSet{rr}}).Do())
	if change.Status != "pending" {
		t.Errorf("the change is %+v", change)
	}
	if change = must[*dns.Change](t)(c.Changes.Get(project, "z", change.Id).Do()); change.Status != "done" {
		t.Errorf("the change is %+v", change)
	}
	_, err = c.Changes.Create(project, "z", &dns.Change{Additions: []*dns.ResourceRecordSet{rr}}).Do()
	refused(t, err, 409, "alreadyExists")
	if list := must[*dns.ResourceRecordSetsListResponse](t)(c.ResourceRecordSets.List(project, "z").Do()); len(list.Rrsets) != 3 {
		t.Errorf("%d record sets", len(list.Rrsets))
	}
	refused(t, c.ManagedZones.Delete(project, "z").Do(), 400, "containerNotEmpty")
	_, err = c.Changes.Create(project, "z", &dns.Change{Deletions: []*dns.ResourceRecordSet{rr}}).Do()
	refused(t, err, 403, "Forbidden")
	grant(t, operator, "dns.changes.create", "dns.resourceRecordSets.delete", "dns.managedZones.delete", "dns.managedZones.get", "dns.managedZones.update", "dns.managedZoneOperations.get")
	must[*dns.Change](t)(c.Changes.Create(project, "z", &dns.Change{Deletions: []*dns.ResourceRecordSet{rr}}).Do())
	op := must[*dns.Operation](t)(c.ManagedZones.Patch(project, "z", &dns.ManagedZone{Description: "y"}).Do())
	if op = must[*dns.Operation](t)(c.ManagedZoneOperations.Get(project, "z", op.Id).Do()); op.Status != "done" {
		t.Errorf("the operation is %+v", op)
	}
	if z := must[*dns.ManagedZone](t)(c.ManagedZones.Get(project, "z").Do()); z.Description != "y" || len(z.NameServers) != 4 {
		t.Errorf("the changed zone is %+v", z)
	}
	if err := c.ManagedZones.Delete(project, "z").Do(); err != nil {
		t.Error(err)
	}
}

func TestPubSub(t *testing.T) {
	now := time.Now()
	g := start(t, gcp.Config{Now: func() time.Time { return now }})
	operator := connect(t, g, g.Operator())
	_, token := principal(t, g, "pubsub.topics.create", "pubsub.subscriptions.create")
	c := must[*pubsub.Service](t)(pubsub.NewService(t.Context(), as(g, token))).Projects
	topic, name := parent+"/topics/t", parent+"/subscriptions/s"
	must[*pubsub.Topic](t)(c.Topics.Create(topic, &pubsub.Topic{}).Do())
	_, err := c.Topics.Create(topic, &pubsub.Topic{}).Do()
	refused(t, err, 409, "Resource already exists in the project (resource=t).")
	_, err = c.Subscriptions.Create(name, &pubsub.Subscription{Topic: topic}).Do()
	refused(t, err, 403, "User not authorized to perform this action.")
	grant(t, operator, "pubsub.topics.attachSubscription", "pubsub.subscriptions.create", "pubsub.topics.publish", "pubsub.subscriptions.consume", "pubsub.subscriptions.update")
	if s := must[*pubsub.Subscription](t)(c.Subscriptions.Create(name, &pubsub.Subscription{Topic: topic}).Do()); s.AckDeadlineSeconds != 10 || s.Name != name {
		t.Errorf("the subscription is %+v", s)
	}
	must[*pubsub.PublishResponse](t)(c.Topics.Publish(topic, &pubsub.PublishRequest{Messages: []*pubsub.PubsubMessage{{Data: base64.StdEncoding.EncodeToString([]byte("hi"))}}}).Do())
	pull := func() []*pubsub.ReceivedMessage {
		return must[*pubsub.PullResponse](t)(c.Subscriptions.Pull(name, &pubsub.PullRequest{MaxMessages: 5}).Do()).ReceivedMessages
	}
	first := pull()
	if len(first) != 1 || first[0].Message.Data != "aGk=" || len(pull()) != 0 {
		t.Fatalf("pulled %+v", first)
	}
	now = now.Add(11 * time.Second)
	if len(pull()) != 1 {
		t.Error("a message that was not acknowledged does not come again")
	}
	must[*pubsub.Empty](t)(c.Subscriptions.Acknowledge(name, &pubsub.AcknowledgeRequest{AckIds: []string{first[0].AckId}}).Do())
	now = now.Add(11 * time.Second)
	if len(pull()) != 0 {
		t.Error("a message that was acknowledged comes again")
	}
	s := must[*pubsub.Subscription](t)(c.Subscriptions.Patch(name, &pubsub.UpdateSubscriptionRequest{Subscription: &pubsub.Subscription{AckDeadlineSeconds: 20}, UpdateMask: "ackDeadlineSeconds"}).Do())
	if s.AckDeadlineSeconds != 20 {
		t.Errorf("the changed subscription is %+v", s)
	}
	_, err = c.Topics.Delete(topic).Do()
	refused(t, err, 403, "User not authorized")
}

// The parts of an instance have fingerprints of their own, beside the instance's.
func TestFingerprintsOfParts(t *testing.T) {
	g := start(t, gcp.Config{DefaultNetwork: true})
	c := connect(t, g, g.Operator())
	c.done(t)(c.compute.Instances.Insert(project, "us-central1-a", &compute.Instance{
		Name: "vm", MachineType: "zones/us-central1-a/machineTypes/e2-small",
		Disks:             []*compute.AttachedDisk{{Boot: true, InitializeParams: &compute.AttachedDiskInitializeParams{SourceImage: "projects/debian-cloud/global/images/family/debian-11"}}},
		NetworkInterfaces: []*compute.NetworkInterface{{Network: "global/networks/default"}},
	}).Do())
	vm := must[*compute.Instance](t)(c.compute.Instances.Get(project, "us-central1-a", "vm").Do())
	value := "v"
	metadata := &compute.Metadata{Fingerprint: vm.Metadata.Fingerprint, Items: []*compute.MetadataItems{{Key: "k", Value: &value}}}
	c.done(t)(c.compute.Instances.SetMetadata(project, "us-central1-a", "vm", metadata).Do())
	c.done(t)(c.compute.Instances.SetTags(project, "us-central1-a", "vm", &compute.Tags{Fingerprint: vm.Tags.Fingerprint, Items: []string{"t"}}).Do())
	_, err := c.compute.Instances.SetMetadata(project, "us-central1-a", "vm", metadata).Do()
	refused(t, err, 412, "fingerprint")
	vm = must[*compute.Instance](t)(c.compute.Instances.Get(project, "us-central1-a", "vm").Do())
	if len(vm.Metadata.Items) != 1 || len(vm.Tags.Items) != 1 {
		t.Errorf("metadata %+v, tags %+v", vm.Metadata, vm.Tags)
	}
}
