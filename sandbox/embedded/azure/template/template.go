// Package template reads the templates that deployments hand to Resource Manager:
// which resources they make, in which order.
//
// Its expressions are few: [parameters('x')] and [variables('x')]. What else is
// written in brackets is an error of the sandbox, never a guess.
package template

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/resource"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/wire"
)

var expression = regexp.MustCompile(`^\[(parameters|variables)\('([^']+)'\)\]$`)

// errExpression is a template that the sandbox cannot evaluate.
var errExpression = errors.New("the sandbox evaluates [parameters('x')] and [variables('x')] in templates, and nothing else")

// Resource is one of a template, as it would be put.
type Resource struct {
	Path resource.Path
	Body store.Object
}

// Resources gives what a deployment's body would put, in the order of the
// template.
func Resources(p resource.Path, body store.Object) ([]Resource, error) {
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
	var all []Resource
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
		all = append(all, Resource{at, o})
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
