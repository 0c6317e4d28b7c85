package packer

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Packer has no variable that names a proxy for its SSH: only a template does.
// So a template gets these, which the environment fills.
const proxyVariables = `
variable "whittle_ssh_proxy_host" {
  type    = string
  default = ""
}

variable "whittle_ssh_proxy_port" {
  type    = number
  default = 0
}

variable "whittle_ssh_proxy_username" {
  type    = string
  default = ""
}

variable "whittle_ssh_proxy_password" {
  type      = string
  default   = ""
  sensitive = true
}
`

// ProxyEnv is the environment that leads the SSH of a template which
// [LeadThroughProxy] has changed through a SOCKS5 proxy.
func ProxyEnv(proxy *net.TCPAddr, user, password string) map[string]string {
	const v = "PKR_VAR_whittle_ssh_proxy_"
	return map[string]string{v + "host": proxy.IP.String(), v + "port": strconv.Itoa(proxy.Port), v + "username": user, v + "password": password}
}

// LeadThroughProxy changes a template (a file or folder, in HCL) so that its
// sources of the given type reach their instances through the proxy that
// [ProxyEnv] names: it sets ssh_proxy_host and what belongs to it, and nothing
// else. A source that names a proxy or a bastion itself stays as it is, and one
// with use_iap goes by its tunnel. Templates in JSON are left alone. It must be
// given a copy.
func LeadThroughProxy(template, kind string) error {
	info, err := os.Stat(template)
	if err != nil {
		return fmt.Errorf("packer: template: %w", err)
	}
	files := []string{template}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(template, "*.pkr.hcl")); err != nil {
			return fmt.Errorf("packer: template: %w", err)
		}
	} else if isJSON(template) || filepath.Ext(template) == ".json" {
		return nil
	}
	declared := false
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("packer: template: %w", err)
		}
		changed, ok := throughProxy(text, name, kind)
		if !ok {
			continue
		}
		if !declared {
			changed, declared = append(changed, proxyVariables...), true
		}
		if err := replace(name, changed); err != nil {
			return fmt.Errorf("packer: template: %w", err)
		}
	}
	return nil
}

// replace gives a file another content. It is made anew, so that a file that has
// another name as well is not changed there.
func replace(name string, text []byte) error {
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "change", Path: name, Err: errors.New("not a regular file: give the template itself")}
	}
	part := name + ".part"
	if err := os.WriteFile(part, text, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(part, name)
}

// throughProxy is the text with the proxy in; false where there is nothing to
// change. What cannot be read is Packer's to tell.
func throughProxy(text []byte, name, kind string) ([]byte, bool) {
	f, diags := hclwrite.ParseConfig(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, false
	}
	changed := false
	for _, b := range f.Body().Blocks() {
		labels := b.Labels()
		if b.Type() != "source" || len(labels) != 2 || labels[0] != kind {
			continue
		}
		body := b.Body()
		if body.GetAttribute("ssh_proxy_host") != nil || body.GetAttribute("ssh_bastion_host") != nil {
			continue
		}
		host := "var.whittle_ssh_proxy_host"
		if iap := body.GetAttribute("use_iap"); iap != nil {
			host = "(" + string(iap.Expr().BuildTokens(nil).Bytes()) + `) ? "" : ` + host
		}
		for _, a := range [][2]string{{"host", host}, {"port", "var.whittle_ssh_proxy_port"}, {"username", "var.whittle_ssh_proxy_username"}, {"password", "var.whittle_ssh_proxy_password"}} {
			body.SetAttributeRaw("ssh_proxy_"+a[0], expression(a[1]))
		}
		changed = true
	}
	return f.Bytes(), changed
}

// expression is the tokens of an expression.
func expression(text string) hclwrite.Tokens {
	tokens, _ := hclsyntax.LexExpression([]byte(text), "", hcl.InitialPos)
	var out hclwrite.Tokens
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenEOF {
			out = append(out, &hclwrite.Token{Type: t.Type, Bytes: t.Bytes})
		}
	}
	return out
}
