package arm

import (
	"net/http"

	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/template"
)

// prepareDeployment makes a template's resources one after the other, as their own
// requests would.
func prepareDeployment(c *Call, o, old store.Object) error {
	all, err := template.Resources(c.Path, c.Body)
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
