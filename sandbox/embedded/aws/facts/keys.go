package facts

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws/rules/rows"
)

// encrypted is the KMS key, in any form of a key id, that a topic, secret,
// table, parameter or stream is encrypted with; empty where it is the service's
// own. Of a secret it is also the ARN.
func (l Lookup) encrypted(ctx context.Context, fact rows.Fact, id string) string {
	ask := func(service, target string, question, answer any) {
		l.Book.State.JSON(ctx, service, l.Region, target, question, answer) //nolint:errcheck // no answer: not there
	}
	name := id // of an ARN its last part
	if part := strings.SplitN(id, ":", 6); len(part) == 6 {
		name = part[5][strings.IndexByte(part[5], '/')+1:]
	}
	switch fact {
	case rows.SNSKey:
		status, body, err := l.Book.State.Query(ctx, "sns", l.Region, url.Values{"Version": {"2010-03-31"}, "Action": {"GetTopicAttributes"}, "TopicArn": {id}})
		var answer struct {
			Entries []struct {
				Key   string `xml:"key"`
				Value string `xml:"value"`
			} `xml:"GetTopicAttributesResult>Attributes>entry"`
		}
		if err != nil || status != http.StatusOK || xml.Unmarshal(body, &answer) != nil {
			return ""
		}
		for _, e := range answer.Entries {
			if e.Key == "KmsMasterKeyId" {
				return e.Value
			}
		}
	case rows.SecretKey, rows.SecretARN:
		var answer struct{ ARN, KmsKeyId string }
		ask("secretsmanager", "secretsmanager.DescribeSecret", map[string]string{"SecretId": id}, &answer)
		if fact == rows.SecretARN {
			return answer.ARN
		}
		return answer.KmsKeyId
	case rows.TableKey:
		var answer struct {
			Table struct {
				SSEDescription struct{ KMSMasterKeyArn string }
			}
		}
		ask("dynamodb", "DynamoDB_20120810.DescribeTable", map[string]string{"TableName": name}, &answer)
		return answer.Table.SSEDescription.KMSMasterKeyArn
	case rows.ParamKey:
		if name == id {
			name, _, _ = strings.Cut(id, ":") // without version or label
		} else if strings.Contains(name, "/") {
			name = "/" + name // an ARN leaves the slash out
		}
		var answer struct {
			Parameters []struct{ Type, KeyId string }
		}
		ask("ssm", "AmazonSSM.DescribeParameters", map[string]any{"ParameterFilters": []any{map[string]any{"Key": "Name", "Option": "Equals", "Values": []string{name}}}}, &answer)
		for _, p := range answer.Parameters {
			if p.Type == "SecureString" {
				return p.KeyId
			}
		}
	case rows.KinesisKey:
		var answer struct {
			StreamDescriptionSummary struct{ KeyId string }
		}
		ask("kinesis", "Kinesis_20131202.DescribeStreamSummary", map[string]string{"StreamName": name}, &answer)
		return answer.StreamDescriptionSummary.KeyId
	}
	return ""
}
