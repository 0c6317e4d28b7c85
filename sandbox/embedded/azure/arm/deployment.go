package arm

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/resource"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

// A template's resources are made one after the other, as their own requests
// would. Its expressions are few: [parameters('x')], [variables('x')], and
// [concat(…)] and [resourceId(…)] of those and of plain texts are not there; what
// else is written in brackets is an error of the sandbox, never a guess.

var expression = regexp.MustCompile(`^\[(parameters|variables)\('([^']+)'\)\]$`)

// errExpression is a template that the sandbox cannot evaluate.
var errExpression = errors.New("the sandbox evaluates [parameters('x')] and [variables('x')] in templates, and nothing else")

// Templated is a resource of a template, as it would be put.
type Templated struct {
	Path resource.Path
	Body store.Object
}

// Template gives what a deployment's body would put, in the order of the
// template.
func Template(p resource.Path, body store.Object) ([]Templated, error) {
	template, _ := store.At(body, "properties", "template").(store.Object)
	values := map[string]any{}
	given, _ := store.At(body, "properties", "parameters").(store.Object)
	declared, _ := template["parameters"].(store.Object)
	for name, d := range declared {
		if v, ok := d.(store.Object)["defaultValue"]; ok {
			values["parameters "+name] = v
		}
	}
	for name, g := range given {
		if v, ok := g.(store.Object); ok {
			values["parameters "+name] = v["value"]
		}
	}
	variables, _ := template["variables"].(store.Object)
	for name, v := range variables {
		values["variables "+name] = v
	}
	list, _ := template["resources"].([]any)
	var all []Templated
	for _, e := range list {
		raw, ok := e.(store.Object)
		if !ok {
			continue
		}
		v, err := evaluate(raw, values)
		if err != nil {
			return nil, err
		}
		o := v.(store.Object)
		id, err := templatedID(p, o)
		if err != nil {
			return nil, err
		}
		at, ok := resource.Parse(http.MethodPut, id)
		if !ok {
			return nil, wire.New(400, "InvalidTemplate", "The resource '%s' of the template has no valid type and name.", id)
		}
		for _, name := range []string{"type", "name", "apiVersion", "dependsOn", "condition", "comments"} {
			delete(o, name)
		}
		all = append(all, Templated{at, o})
	}
	return all, nil
}

// templatedID is the id of a template's resource.
func templatedID(p resource.Path, o store.Object) (string, error) {
	kind, name := store.Text(o, "type"), store.Text(o, "name")
	if strings.EqualFold(kind, "Microsoft.Resources/resourceGroups") {
		return "/subscriptions/" + p.Subscription + "/resourceGroups/" + name, nil
	}
	types, names := strings.Split(kind, "/"), strings.Split(name, "/")
	if len(types) != len(names)+1 {
		return "", wire.New(400, "InvalidTemplate", "The template resource '%s' of type '%s' has an incorrect number of segments.", name, kind)
	}
	id := p.Scope
	if g := store.Text(o, "resourceGroup"); g != "" {
		id = "/subscriptions/" + p.Subscription + "/resourceGroups/" + g
	}
	id += "/providers/" + types[0]
	for i, n := range names {
		id += "/" + types[i+1] + "/" + n
	}
	return id, nil
}

func evaluate(v any, values map[string]any) (any, error) {
	switch v := v.(type) {
	case string:
		if m := expression.FindStringSubmatch(v); m != nil {
			value, ok := values[m[1]+" "+m[2]]
			if !ok {
				return nil, wire.New(400, "InvalidTemplate", "The template %s '%s' is not found.", strings.TrimSuffix(m[1], "s"), m[2])
			}
			return evaluate(value, values)
		}
		if strings.HasPrefix(v, "[") && !strings.HasPrefix(v, "[[") {
			return nil, errExpression
		}
		return v, nil
	case store.Object:
		o := store.Object{}
		for k, e := range v {
			if k == "dependsOn" { // the order is the template's
				continue
			}
			done, err := evaluate(e, values)
			if err != nil {
				return nil, err
			}
			o[k] = done
		}
		return o, nil
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			done, err := evaluate(e, values)
			if err != nil {
				return nil, err
			}
			l[i] = done
		}
		return l, nil
	}
	return v, nil
}

func prepareDeployment(c *Call, o, old store.Object) error {
	all, err := Template(c.Path, c.Body)
	if err != nil {
		return err
	}
	outputs := []any{}
	for _, t := range all {
		one := *c
		one.Path, one.Body, one.Method = t.Path, t.Body, http.MethodPut
		one.kind, _ = c.Tables.Canonical(t.Path.Type)
		if _, err := one.put(); err != nil {
			return err
		}
		outputs = append(outputs, store.Object{"id": t.Path.ID})
	}
	p := store.Child(o, "properties")
	delete(p, "template")
	p["outputResources"], p["timestamp"], p["correlationId"] = outputs, c.Now.UTC().Format("2006-01-02T15:04:05Z"), guid(c.Path.ID)
	return nil
}
