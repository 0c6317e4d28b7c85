package kinds

import (
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/arm"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/store"
	"github.com/whittle-iam/whittle/sandbox/embedded/azure/template"
)

// prepareDeployment makes a template's resources one after the other, as their own
// requests would.
func prepareDeployment(c *arm.Call, o, old store.Object) error {
	all, err := template.Resources(c.Path, c.Body)
	if err != nil {
		return err
	}
	outputs := []any{}
	for _, t := range all {
		if err := c.Make(t.Path, t.Body); err != nil {
			return err
		}
		outputs = append(outputs, store.Object{"id": t.Path.ID})
	}
	p := store.Child(o, "properties")
	delete(p, "template")
	p["outputResources"], p["timestamp"], p["correlationId"] = outputs, c.Now.UTC().Format("2006-01-02T15:04:05Z"), arm.GUID(c.Path.ID)
	return nil
}
