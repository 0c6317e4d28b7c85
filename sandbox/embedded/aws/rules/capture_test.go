package rules

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const account = "111122223333"

// line is the end of an SDK client: it keeps the request that would have gone
// out, so that the tests read what real clients write.
type line struct {
	request *http.Request
	body    []byte
}

var errCaptured = errors.New("captured")

func (w *line) Do(r *http.Request) (*http.Response, error) {
	w.request = r
	w.body = nil
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		w.body = b
	}
	return nil, errCaptured
}

// read gives what a server would read of the captured request.
func (w *line) read(t *testing.T, l Lookup) (Call, error) {
	t.Helper()
	if w.request == nil {
		t.Fatal("the client sent nothing")
	}
	r := w.request.Clone(t.Context())
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	return Read(t.Context(), r, w.body, w.scope(), l)
}

// scope takes region and service from the request's signature, like the gate.
func (w *line) scope() Scope {
	s := Scope{Partition: "aws", Account: account, Region: "us-east-1"}
	if _, cred, ok := strings.Cut(w.request.Header.Get("Authorization"), "Credential="); ok {
		parts := strings.Split(strings.SplitN(cred, ",", 2)[0], "/")
		s.Region, s.Service = parts[2], parts[3]
	} else {
		s.Service = strings.SplitN(w.request.URL.Host, ".", 2)[0]
	}
	return s
}

// clients are real SDK clients on one wire.
type clients struct {
	line *line
	s3   *s3.Client
	ec2  *ec2.Client
	iam  *iam.Client
	kms  *kms.Client
	sqs  *sqs.Client
	sts  *sts.Client
}

func newClients() clients {
	w := &line{}
	cfg := aws.Config{
		Region: "us-east-1", HTTPClient: w, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "example", ""),
	}
	return clients{w, s3.NewFromConfig(cfg), ec2.NewFromConfig(cfg), iam.NewFromConfig(cfg), kms.NewFromConfig(cfg), sqs.NewFromConfig(cfg), sts.NewFromConfig(cfg)}
}

// all gives each client by its service's name.
func (c clients) all() map[string]any {
	return map[string]any{"s3": c.s3, "ec2": c.ec2, "iam": c.iam, "kms": c.kms, "sqs": c.sqs, "sts": c.sts}
}

// operations lists the API operations of an SDK client.
func operations(client any) []string {
	var names []string
	typ := reflect.TypeOf(client)
	for m := range typ.Methods() {
		f := m.Type
		if f.NumIn() == 4 && f.NumOut() == 2 && f.In(2).Kind() == reflect.Pointer && strings.HasSuffix(f.In(2).Elem().Name(), "Input") {
			names = append(names, m.Name)
		}
	}
	return names
}

// send calls an operation with every parameter filled.
func send(ctx context.Context, client any, operation string) error {
	m := reflect.ValueOf(client).MethodByName(operation)
	in := reflect.New(m.Type().In(1).Elem())
	fillValue(in.Elem(), operation, 0)
	out := m.Call([]reflect.Value{reflect.ValueOf(ctx), in})
	err, _ := out[1].Interface().(error)
	return err
}

func fillValue(v reflect.Value, name string, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1700000000, 0)))
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fillValue(v.Field(i), f.Name, depth+1)
			}
		}
	case reflect.Pointer:
		if depth < 12 {
			v.Set(reflect.New(v.Type().Elem()))
			fillValue(v.Elem(), name, depth)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("x"))
		} else if depth < 12 {
			one := reflect.New(v.Type().Elem()).Elem()
			fillValue(one, name, depth+1)
			v.Set(reflect.Append(v, one))
		}
	case reflect.Map:
		if depth < 12 {
			one := reflect.New(v.Type().Elem()).Elem()
			fillValue(one, name, depth+1)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("mapkey").Convert(v.Type().Key()), one)
		}
	case reflect.Interface:
		if v.Type() == reflect.TypeFor[io.Reader]() {
			v.Set(reflect.ValueOf(strings.NewReader("body")))
		}
	case reflect.String:
		switch {
		case v.Type().Name() != "string": // an enumeration; checksums and the like would start work of their own
			if !strings.Contains(v.Type().Name(), "Checksum") {
				v.SetString("sample")
			}
		case strings.HasSuffix(name, "Arn") || strings.HasSuffix(name, "ARN"):
			v.SetString("arn:aws:iam::" + account + ":role/sample")
		case name == "CopySource":
			v.SetString("source/key")
		case name == "QueueUrl":
			v.SetString("https://sqs.us-east-1.amazonaws.com/" + account + "/sample")
		case strings.Contains(name, "MD5") || strings.Contains(name, "Checksum"):
		default:
			v.SetString("sample")
		}
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	}
}
