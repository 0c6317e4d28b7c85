// Package danger is what Whittle knows of the harm that the holder of a
// permission can do: reading secrets, destroying data. That a permission could
// raise its holder's own rights is in package catalog (Risk), since growth asks
// for it before each grant.
//
// It holds facts with their source and pure functions over them. What it does not
// know it says nothing of: a permission that is in neither table is not therefore
// harmless. A secret is what opens something else: a password, a key, a token, or
// what is known to be full of them, such as Terraform's state. Data is what no
// second run of the lifecycle would make again.
package danger

import "strings"

// Fact is one thing that is known of a permission.
type Fact struct {
	// Why says what its holder can do, in words that go on after "it".
	Why string `json:"why"`
	// Source is the document that says so.
	Source string `json:"source"`
}

// row is what is known of several permissions alike.
type row struct {
	names  string // separated by spaces
	why    string
	source string
}

// Secrets says what secrets a permission gives to read; ok is false where none are
// known. Case does not count. A pattern is no permission.
func Secrets(permission string) (Fact, bool) {
	if f, ok := secretFacts[strings.ToLower(permission)]; ok {
		return f, true
	}
	return azureSecrets(permission)
}

// Destroys says what data a permission can destroy; ok is false where none is
// known. Case does not count. A pattern is no permission.
func Destroys(permission string) (Fact, bool) {
	f, ok := destroyFacts[strings.ToLower(permission)]
	return f, ok
}

// SecretNames lists the permissions of the table behind [Secrets], in no order:
// patterns are as dangerous as what they take in.
func SecretNames() []string { return names(secretRows) }

// DestroyNames lists the permissions of the table behind [Destroys], in no order.
func DestroyNames() []string { return names(destroyRows) }

var (
	secretFacts  = table(secretRows)
	destroyFacts = table(destroyRows)
)

func table(rows []row) map[string]Fact {
	facts := make(map[string]Fact)
	for _, r := range rows {
		for name := range strings.FieldsSeq(r.names) {
			facts[strings.ToLower(name)] = Fact{Why: r.why, Source: r.source}
		}
	}
	return facts
}

func names(rows []row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, strings.Fields(r.names)...)
	}
	return all
}

// azureSecrets reads the names of Azure's actions: an action called list… that is
// about keys or credentials returns them.
func azureSecrets(permission string) (Fact, bool) {
	low := strings.ToLower(permission)
	verb, ok := strings.CutSuffix(low, "/action")
	if !ok || !strings.Contains(verb, "/") {
		return Fact{}, false
	}
	verb = verb[strings.LastIndexByte(verb, '/')+1:]
	if !strings.HasPrefix(verb, "list") {
		return Fact{}, false
	}
	for _, kind := range []string{"key", "secret", "credential", "connectionstring", "sas", "token", "callbackurl"} {
		if strings.Contains(verb, kind) {
			return Fact{
				Why:    "returns keys or credentials, which work for whoever has them",
				Source: "Azure RBAC, \"Azure resource provider operations\": actions called list… of keys and credentials",
			}, true
		}
	}
	return Fact{}, false
}
