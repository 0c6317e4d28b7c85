package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/params"
)

// identifyJSON reads the protocols awsJson1_0 and awsJson1_1.
func (t *Service) identifyJSON(r *http.Request, kind string, body []byte) (string, params.Params, error) {
	var p params.Params
	spoken := JSON11
	if strings.HasSuffix(kind, "-1.0") {
		spoken = JSON10
	}
	if !slices.Contains(t.Protocols, spoken) {
		return "", p, &UnknownError{Service: t.Name, Detail: "the service is not known to speak " + string(spoken)}
	}
	targets := r.Header.Values("X-Amz-Target")
	if len(targets) != 1 {
		return "", p, &MalformedError{t.Name, "not exactly one X-Amz-Target header"}
	}
	// CloudTrail's clients write its name with a namespace before it, or without.
	dot := strings.LastIndexByte(targets[0], '.')
	prefix, op := targets[0][:max(0, dot)], targets[0][dot+1:]
	if prefix = prefix[strings.LastIndexByte(prefix, '.')+1:]; prefix != t.Target {
		return "", p, &UnknownError{Service: t.Name, Detail: fmt.Sprintf("X-Amz-Target %q is of another service or version", targets[0])}
	}
	fields, err := readJSON(t.Name, body)
	p.Fields = fields
	return op, p, err
}

// ReadBody reads the body of a REST request, JSON or XML; the fields' places
// start with "body".
func ReadBody(service string, protocol Protocol, body []byte) ([]params.Field, error) {
	if protocol != RESTJSON {
		return readXML(service, body)
	}
	fields, err := readJSON(service, body)
	for i := range fields {
		fields[i].At = append(params.Named("body"), fields[i].At...)
	}
	return fields, err
}

// readJSON reads a JSON object. A name given twice is an error: readers differ
// in which one they take.
func readJSON(service string, body []byte) ([]params.Field, error) {
	if len(body) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	var r jsonReader
	tok, err := d.Token()
	if err == nil && tok != json.Delim('{') {
		err = errors.New("the body is not an object")
	}
	if err == nil {
		err = r.object(d, nil)
	}
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows the body's object")
		}
	}
	if err != nil {
		return nil, &MalformedError{service, "body: " + err.Error()}
	}
	return r.Fields, nil
}

type jsonReader struct{ Fields []params.Field }

func (r *jsonReader) object(d *json.Decoder, at []params.Step) error {
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := tok.(string)
		if !ok || seen[name] {
			return errors.New("a name is given twice")
		}
		seen[name] = true
		if err := r.value(d, append(at[:len(at):len(at)], params.Step{Name: name})); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func (r *jsonReader) value(d *json.Decoder, at []params.Step) error {
	if len(at) > maxDepth || len(r.Fields) > maxFields {
		return errors.New("too deep or too long")
	}
	tok, err := d.Token()
	if err != nil {
		return err
	}
	switch v := tok.(type) {
	case json.Delim:
		if v == '{' {
			return r.object(d, at)
		}
		for i := 1; d.More(); i++ {
			if err := r.value(d, append(at[:len(at):len(at)], params.Step{Name: strconv.Itoa(i), Index: true})); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	case nil:
	default:
		r.Fields = append(r.Fields, params.Field{At: at, Value: fmt.Sprint(v)})
	}
	return nil
}
