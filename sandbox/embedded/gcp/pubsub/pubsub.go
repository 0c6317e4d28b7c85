// Package pubsub is what is particular to Pub/Sub in the embedded GCP sandbox:
// messages go from a topic to its subscriptions, which hold them until they are
// acknowledged. Nothing is pushed.
package pubsub

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/api"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/generic"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/gcp/wire"
)

// Hooks are Pub/Sub's particulars.
func Hooks() generic.Hooks {
	return generic.Hooks{Create: create, Delete: remove, Missing: missing, Existing: func(_ *api.Call, path string) error {
		return wire.New(409, "Resource already exists in the project (resource=%s).", last(path))
	}}
}

// Handlers serve the methods that are Pub/Sub's own, by id.
func Handlers() map[string]api.Handler {
	return map[string]api.Handler{
		"pubsub.projects.topics.patch":                    patch("topic"),
		"pubsub.projects.subscriptions.patch":             patch("subscription"),
		"pubsub.projects.topics.publish":                  publish,
		"pubsub.projects.topics.subscriptions.list":       subscribers,
		"pubsub.projects.subscriptions.pull":              pull,
		"pubsub.projects.subscriptions.acknowledge":       acknowledge,
		"pubsub.projects.subscriptions.modifyAckDeadline": modify,
		"pubsub.projects.subscriptions.modifyPushConfig":  push,
	}
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func missing(_ *api.Call, path string) error {
	return wire.New(404, "Resource not found (resource=%s).", last(path))
}

func create(c *api.Call, path string, o store.Object) error {
	o["name"] = path
	o["state"] = "ACTIVE"
	if c.Collection() != "subscriptions" {
		return nil
	}
	topic := api.String(o, "topic")
	if _, ok := c.Tx.Get(c.KeyOf(topic)); !ok {
		return missing(c, topic)
	}
	for field, v := range map[string]any{"ackDeadlineSeconds": 10.0, "messageRetentionDuration": "604800s",
		"expirationPolicy": store.Object{"ttl": "2678400s"}, "pushConfig": store.Object{}} {
		if o[field] == nil {
			o[field] = v
		}
	}
	return nil
}

// remove takes a subscription's messages along; a topic's subscriptions stay
// and have none. Source: Pub/Sub, "Delete a topic".
func remove(c *api.Call, path string, _ store.Object) error {
	if c.Collection() == "topics" {
		for key, s := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/subscriptions/")) {
			if s["topic"] == path {
				s = store.Clone(s)
				s["topic"] = "_deleted-topic_"
				c.Tx.Put(key, s)
			}
		}
	}
	return nil
}

// patch changes what the update mask names.
func patch(what string) api.Handler {
	return func(c *api.Call) (*api.Reply, error) {
		old, ok := c.Tx.Get(c.Key())
		if !ok {
			return nil, missing(c, c.Path)
		}
		mask := api.String(c.Body, "updateMask")
		if mask == "" {
			return nil, wire.New(400, "The update_mask in the request must be set.")
		}
		schema := map[string]string{"topic": "Topic", "subscription": "Subscription"}[what]
		given, err := generic.Conform(c.Service, c.Service.Schema(schema), api.Object(c.Body, what))
		if err != nil {
			return nil, err
		}
		o := store.Clone(old)
		for _, field := range strings.Split(mask, ",") {
			field = generic.Camel(field)
			if field == "name" || field == "topic" || !c.Service.Schema(schema).Has(field) {
				return nil, wire.New(400, "Invalid update_mask provided in the request: '%s' is not a known %s field.", field, schema)
			}
			delete(o, field)
			if v := given[field]; v != nil {
				o[field] = v
			}
		}
		c.Tx.Put(c.Key(), o)
		return api.OK(o)
	}
}

func publish(c *api.Call) (*api.Reply, error) {
	if _, ok := c.Tx.Get(c.Key()); !ok {
		return nil, missing(c, c.Path)
	}
	messages := api.List(c.Body, "messages")
	if len(messages) == 0 {
		return nil, wire.New(400, "The value for message_count is too small. You passed 0 in the request, but the minimum value is 1.")
	}
	var ids []any
	for _, m := range messages {
		id := strconv.FormatUint(c.Tx.ID(), 10)
		m = store.Clone(m)
		m["messageId"], m["publishTime"] = id, api.Time(c.Now)
		ids = append(ids, id)
		for key, s := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/subscriptions/")) {
			if s["topic"] == c.Path {
				c.Tx.Put(fmt.Sprintf("%s/-messages/%012d", key, c.Tx.Serial()), store.Object{"message": m, "until": ""})
			}
		}
	}
	return api.OK(store.Object{"messageIds": ids})
}

func subscribers(c *api.Call) (*api.Reply, error) {
	topic := strings.TrimSuffix(c.Path, "/subscriptions")
	if _, ok := c.Tx.Get(c.KeyOf(topic)); !ok {
		return nil, missing(c, topic)
	}
	var names []any
	for _, s := range c.Tx.Scan(c.KeyOf("projects/" + c.Project.ID + "/subscriptions/")) {
		if s["topic"] == topic {
			names = append(names, s["name"])
		}
	}
	reply := store.Object{}
	if len(names) > 0 {
		reply["subscriptions"] = names
	}
	return api.OK(reply)
}

// pull gives messages that nobody else has at the moment.
func pull(c *api.Call) (*api.Reply, error) {
	s, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	limit, _ := c.Body["maxMessages"].(float64)
	if limit < 1 {
		return nil, wire.New(400, "You have passed an invalid argument to the service (argument=max_messages).")
	}
	deadline, _ := s["ackDeadlineSeconds"].(float64)
	now, until := stamp(c, 0), stamp(c, deadline)
	var list []any
	for key, m := range c.Tx.Scan(c.Key() + "/-messages/") {
		if len(list) == int(limit) {
			break
		}
		if api.String(m, "until") > now {
			continue
		}
		m = store.Clone(m)
		m["until"] = until
		c.Tx.Put(key, m)
		list = append(list, store.Object{"ackId": last(key), "message": m["message"]})
	}
	reply := store.Object{}
	if len(list) > 0 {
		reply["receivedMessages"] = list
	}
	return api.OK(reply)
}

func stamp(c *api.Call, seconds float64) string {
	return fmt.Sprintf("%020d", c.Now.UnixMilli()+int64(seconds*1000))
}

func acks(c *api.Call, f func(key string, m store.Object)) (*api.Reply, error) {
	if _, ok := c.Tx.Get(c.Key()); !ok {
		return nil, missing(c, c.Path)
	}
	ids, _ := c.Body["ackIds"].([]any)
	if len(ids) == 0 {
		return nil, wire.New(400, "No ack ids specified.")
	}
	for _, id := range ids {
		key := c.Key() + "/-messages/" + fmt.Sprint(id)
		if m, ok := c.Tx.Get(key); ok {
			f(key, store.Clone(m))
		}
	}
	return api.OK(store.Object{})
}

func acknowledge(c *api.Call) (*api.Reply, error) {
	return acks(c, func(key string, _ store.Object) { c.Tx.Delete(key) })
}

func modify(c *api.Call) (*api.Reply, error) {
	seconds, _ := c.Body["ackDeadlineSeconds"].(float64)
	return acks(c, func(key string, m store.Object) {
		m["until"] = stamp(c, seconds)
		c.Tx.Put(key, m)
	})
}

func push(c *api.Call) (*api.Reply, error) {
	s, ok := c.Tx.Get(c.Key())
	if !ok {
		return nil, missing(c, c.Path)
	}
	s = store.Clone(s)
	s["pushConfig"] = store.Object{}
	if p := api.Object(c.Body, "pushConfig"); p != nil {
		s["pushConfig"] = store.Clone(p)
	}
	c.Tx.Put(c.Key(), s)
	return api.OK(store.Object{})
}
