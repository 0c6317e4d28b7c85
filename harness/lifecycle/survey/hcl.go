package survey

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/whittle-iam/whittle/harness/lifecycle"
)

// What is read of a file. Everything else of it is left alone: what Terraform knows
// besides is Terraform's.
var (
	fileSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "terraform"}, {Type: "provider", LabelNames: []string{"name"}}, {Type: "module", LabelNames: []string{"name"}},
		{Type: "variable", LabelNames: []string{"name"}},
		{Type: "resource", LabelNames: []string{"type", "name"}}, {Type: "data", LabelNames: []string{"type", "name"}},
	}}
	terraformSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "backend", LabelNames: []string{"type"}}, {Type: "cloud"}, {Type: "required_providers"},
	}}
	packerSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "source", LabelNames: []string{"type", "name"}}, {Type: "build"}, {Type: "variable", LabelNames: []string{"name"}},
	}}
	moduleSchema   = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "source"}}}
	variableSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "default"}, {Name: "type"}, {Name: "sensitive"}}}
)

// registry is the address of a module in a registry: its last part is the provider
// that it is for.
var registry = regexp.MustCompile(`^([\w.-]+/)?[\w-]+/[\w-]+/[\w-]+$`)

// parse reads a file of HCL, or of its form in JSON.
func parse(dir, file string) (hcl.Body, error) {
	data, err := content(dir, file)
	if errors.Is(err, errBig) {
		return nil, &lifecycle.Error{File: file, Line: 1, Col: 1, Msg: err.Error() + ", which no code is that somebody wrote: name a folder without it"}
	}
	if err != nil {
		return nil, err
	}
	p := hclparse.NewParser()
	read := p.ParseHCL
	if strings.HasSuffix(file, ".json") {
		read = p.ParseJSON
	}
	f, diags := read(data, file)
	if diags.HasErrors() {
		return nil, mistake(file, diags)
	}
	return f.Body, nil
}

// mistake is the first error that HCL found, where it is.
func mistake(file string, diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		e := &lifecycle.Error{File: file, Line: 1, Col: 1, Msg: d.Summary}
		if d.Detail != "" {
			e.Msg += ": " + d.Detail
		}
		if d.Subject != nil {
			e.File, e.Line, e.Col = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		return e
	}
	return diags
}

// text is the value of an attribute that is a text, "" if it is none or not known
// without running anything.
func text(a *hcl.Attribute) string {
	if a == nil {
		return ""
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type().FriendlyName() != "string" {
		return ""
	}
	return v.AsString()
}

// cloudOf tells which cloud a provider's name or source is of.
func cloudOf(provider string) string {
	name := strings.ToLower(provider[strings.LastIndexByte(provider, '/')+1:])
	switch {
	case name == "aws", name == "awscc":
		return "aws"
	case name == "google", name == "google-beta":
		return "gcp"
	case name == "azurerm", name == "azuread", name == "azapi", name == "azurestack":
		return "azure"
	}
	return ""
}

// typeCloud tells which cloud a resource's type is of.
func typeCloud(typ string) string {
	prefix, _, _ := strings.Cut(typ, "_")
	return cloudOf(prefix)
}

// readModule reads a folder of Terraform code; nil if there is nothing in it that
// could be run.
func readModule(dir, folder string, code, vars []string) (*Module, error) {
	m := &Module{Dir: folder}
	for _, file := range code {
		body, err := parse(dir, file)
		if err != nil {
			return nil, err
		}
		if err := m.read(folder, file, body); err != nil {
			return nil, err
		}
	}
	for _, file := range vars {
		name := path.Base(file)
		if strings.HasPrefix(name, "terraform.tfvars") || strings.Contains(name, ".auto.tfvars") {
			body, err := parse(dir, file)
			if err != nil {
				return nil, err
			}
			attrs, _ := body.JustAttributes()
			m.given = append(m.given, order(attrs)...)
			continue
		}
		m.VarFiles = append(m.VarFiles, name)
	}
	m.Variables = slices.DeleteFunc(m.Variables, func(v Variable) bool { return slices.Contains(m.given, v.Name) })
	m.Clouds, m.Providers = unique(m.Clouds), unique(m.Providers)
	if len(m.Clouds)+len(m.Providers)+len(m.calls) == 0 && !m.bound {
		return nil, nil // variables or outputs alone
	}
	return m, nil
}

// read takes in what a file says.
func (m *Module) read(folder, file string, body hcl.Body) error {
	found, _, diags := body.PartialContent(fileSchema)
	if diags.HasErrors() {
		return mistake(file, diags)
	}
	provider := func(name, source string) {
		m.Providers = append(m.Providers, name)
		if c := cloudOf(name); c != "" {
			m.Clouds = append(m.Clouds, c)
		} else if c := cloudOf(source); c != "" {
			m.Clouds = append(m.Clouds, c)
		}
	}
	for _, b := range found.Blocks {
		switch b.Type {
		case "terraform":
			if err := m.settings(file, b.Body, provider); err != nil {
				return err
			}
		case "provider":
			m.bound = true
			provider(b.Labels[0], "")
		case "module":
			in, _, _ := b.Body.PartialContent(moduleSchema)
			if source := text(in.Attributes["source"]); strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../") {
				m.calls = append(m.calls, path.Join(folder, source))
			} else {
				m.calls = append(m.calls, "") // from elsewhere
				if registry.MatchString(source) {
					if c := cloudOf(source); c != "" {
						m.Clouds = append(m.Clouds, c)
					}
				}
			}
		case "variable":
			if v, required := variable(file, b); required {
				m.Variables = append(m.Variables, v)
			}
		case "resource", "data":
			if c := typeCloud(b.Labels[0]); c != "" {
				m.Clouds = append(m.Clouds, c)
			} else if prefix, _, ok := strings.Cut(b.Labels[0], "_"); ok {
				m.Providers = append(m.Providers, prefix)
			}
		}
	}
	return nil
}

// settings reads a terraform block.
func (m *Module) settings(file string, body hcl.Body, provider func(name, source string)) error {
	found, _, diags := body.PartialContent(terraformSchema)
	if diags.HasErrors() {
		return mistake(file, diags)
	}
	for _, b := range found.Blocks {
		switch b.Type {
		case "backend":
			m.Backend, m.bound = b.Labels[0], true
		case "cloud":
			m.Backend, m.bound = "cloud", true
		case "required_providers":
			attrs, _ := b.Body.JustAttributes()
			for name, a := range attrs {
				source := ""
				pairs, diags := hcl.ExprMap(a.Expr)
				if !diags.HasErrors() {
					for _, p := range pairs {
						if hcl.ExprAsKeyword(p.Key) == "source" || text(&hcl.Attribute{Expr: p.Key}) == "source" {
							source = text(&hcl.Attribute{Expr: p.Value})
						}
					}
				}
				provider(name, source)
			}
		}
	}
	return nil
}

// variable reads a variable's block, and tells whether it has to be given.
func variable(file string, b *hcl.Block) (v Variable, required bool) {
	in, _, _ := b.Body.PartialContent(variableSchema)
	v = Variable{Name: b.Labels[0], File: file, Line: b.DefRange.Start.Line}
	if a := in.Attributes["type"]; a != nil {
		if v.Type = hcl.ExprAsKeyword(a.Expr); v.Type == "" {
			if call, diags := hcl.ExprCall(a.Expr); !diags.HasErrors() {
				v.Type = call.Name
			} else {
				v.Type = text(a) // "string", as it was written before 0.12 and in JSON
			}
		}
	}
	if a := in.Attributes["sensitive"]; a != nil {
		s, diags := a.Expr.Value(nil)
		v.Secret = !diags.HasErrors() && s.IsKnown() && !s.IsNull() && s.Type().FriendlyName() == "bool" && s.True()
	}
	_, has := in.Attributes["default"]
	return v, !has
}

// sourceCloud tells which cloud a Packer source's type is of.
func sourceCloud(typ string) string {
	switch {
	case strings.HasPrefix(typ, "amazon-"):
		return "aws"
	case strings.HasPrefix(typ, "googlecompute"):
		return "gcp"
	case strings.HasPrefix(typ, "azure-"):
		return "azure"
	}
	return ""
}

// readTemplates reads the Packer templates of a folder: the folder is one where its
// builds are in more than one file, or its sources in another than its build.
func readTemplates(dir, folder string, files []string) ([]Template, error) {
	var all Template
	var with []string // files that have a build
	for _, file := range files {
		body, err := parse(dir, file)
		if err != nil {
			return nil, err
		}
		found, _, diags := body.PartialContent(packerSchema)
		if diags.HasErrors() {
			return nil, mistake(file, diags)
		}
		for _, b := range found.Blocks {
			switch b.Type {
			case "build":
				if !slices.Contains(with, file) {
					with = append(with, file)
				}
			case "source":
				all.Sources = append(all.Sources, b.Labels[0])
				if c := sourceCloud(b.Labels[0]); c != "" {
					all.Clouds = append(all.Clouds, c)
				}
			case "variable":
				if v, required := variable(file, b); required {
					all.Variables = append(all.Variables, v)
				}
			}
		}
	}
	if len(with) == 0 {
		return nil, nil
	}
	all.Path = folder
	if len(files) == 1 {
		all.Path = files[0]
	}
	all.Clouds, all.Sources = unique(all.Clouds), unique(all.Sources)
	return []Template{all}, nil
}
