package form

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/whittle-iam/whittle/harness/audit"
)

// The entries are our own, in the forms that the clouds document.
const (
	gcpCreate = `{"insertId":"a1","timestamp":"2026-03-01T10:00:00.5Z","logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog",
"authenticationInfo":{"principalEmail":"w-a@p.iam.gserviceaccount.com","serviceAccountDelegationInfo":[{"firstPartyPrincipal":{"principalEmail":"ann@example.com"}}]},
"methodName":"v1.compute.subnetworks.insert","resourceName":"projects/p/regions/r/subnetworks/s","authorizationInfo":[
{"permission":"compute.subnetworks.create","granted":true,"resource":"projects/p/regions/r/subnetworks/s"},{"permission":"compute.networks.updatePolicy","granted":true,"resource":"projects/p/global/networks/n"}]}}`
	gcpDenied = `{"insertId":"a2","timestamp":"2026-03-01T10:00:01Z","logName":"projects/p/logs/cloudaudit.googleapis.com%2Fdata_access","severity":"ERROR","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog",
"status":{"code":7,"message":"PERMISSION_DENIED"},"authenticationInfo":{"principalEmail":"w-a@p.iam.gserviceaccount.com"},"methodName":"storage.objects.get","resourceName":"projects/_/buckets/b/objects/o",
"authorizationInfo":[{"permission":"storage.objects.get"}]}}`
	gcpAgent = `{"insertId":"a3","timestamp":"2026-03-01T10:00:02Z","logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog",
"authenticationInfo":{"principalEmail":"service-12@compute-system.iam.gserviceaccount.com","serviceAccountDelegationInfo":[{"principalSubject":"serviceAccount:w-a@p.iam.gserviceaccount.com"}]},
"methodName":"Decrypt","authorizationInfo":[{"permission":"cloudkms.cryptoKeyVersions.useToDecrypt","granted":false,"resource":"k"}]}}`
	gcpEnd = `{"insertId":"a4","timestamp":"2026-03-01T10:00:03Z","logName":"projects/p/logs/cloudaudit.googleapis.com%2Factivity","operation":{"last":true},"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","methodName":"v1.compute.subnetworks.insert"}}`

	awsRun = `{"eventVersion":"1.08","eventID":"e1","eventTime":"2026-03-01T10:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","eventType":"AwsApiCall","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.4",
"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/w-a/s","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::123456789012:role/whittle/w-a"}}}}`
	awsDenied = `{"eventID":"e2","eventTime":"2026-03-01T10:00:01Z","eventSource":"ec2.amazonaws.com","eventName":"CreateVpc","eventType":"AwsApiCall","errorCode":"Client.UnauthorizedOperation",
"errorMessage":"You are not authorized to perform this operation. User: arn:aws:sts::123456789012:assumed-role/w-a/s is not authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:us-east-1:123456789012:vpc/* because no identity-based policy allows the ec2:CreateVpc action",
"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/w-a/s","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123456789012:role/whittle/w-a"}}}}`
	awsBare = `{"eventID":"e3","eventTime":"2026-03-01T10:00:02Z","eventSource":"s3.amazonaws.com","eventName":"PutBucketPolicy","eventType":"AwsApiCall","errorCode":"AccessDenied","errorMessage":"Access Denied",
"userIdentity":{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123456789012:role/whittle/w-a"}}},"resources":[{"ARN":"arn:aws:s3:::b","type":"AWS::S3::Bucket"}]}`
	awsService = `{"eventID":"e4","eventTime":"2026-03-01T10:00:03Z","eventSource":"kms.amazonaws.com","eventName":"CreateGrant","eventType":"AwsApiCall","sourceIPAddress":"ec2-frontend-api.amazonaws.com","errorCode":"AccessDenied",
"errorMessage":"User: arn:aws:sts::123456789012:assumed-role/w-a/s is not authorized to perform: kms:CreateGrant on resource: arn:aws:kms:us-east-1:123456789012:key/k because no identity-based policy allows the kms:CreateGrant action",
"userIdentity":{"type":"AssumedRole","invokedBy":"ec2-frontend-api.amazonaws.com","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::123456789012:role/whittle/w-a"}}}}`
	awsMissing = `{"eventID":"e5","eventTime":"2026-03-01T10:00:04Z","eventSource":"lambda.amazonaws.com","eventName":"GetFunction20150331v2","errorCode":"ResourceNotFoundException","errorMessage":"Function not found","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/u"}}`

	azureWrite = `{"eventDataId":"z1","eventTimestamp":"2026-03-01T10:00:00Z","category":{"value":"Administrative"},"caller":"11111111-1111-4111-8111-111111111111",
"claims":{"appid":"aaaaaaaa-1111-4111-8111-111111111111","http://schemas.microsoft.com/identity/claims/objectidentifier":"11111111-1111-4111-8111-111111111111"},
"authorization":{"action":"Microsoft.Network/virtualNetworks/write","scope":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v","evidence":{"role":"Contributor","roleAssignmentId":"ra","roleAssignmentScope":"/subscriptions/s"}},
"operationName":{"value":"Microsoft.Network/virtualNetworks/write","localizedValue":"Create"},"status":{"value":"Succeeded"},"subStatus":{"value":"Created"}}`
	azureDenied = `{"eventDataId":"z2","eventTimestamp":"2026-03-01T10:00:01Z","category":{"value":"Administrative"},"caller":"11111111-1111-4111-8111-111111111111",
"authorization":{"action":"Microsoft.Storage/storageAccounts/listKeys/action","scope":"/subscriptions/s/x"},"operationName":{"value":"Microsoft.Storage/storageAccounts/listKeys/action"},"status":{"value":"Failed"},"subStatus":{"value":"Forbidden"}}`
	azureFile    = `{"time":"2026-03-01T10:00:02Z","category":"Administrative","operationName":"MICROSOFT.NETWORK/VIRTUALNETWORKS/DELETE","resultSignature":"Failed.Forbidden","correlationId":"c","identity":{"authorization":{"action":"Microsoft.Network/virtualNetworks/delete","scope":"/s"},"claims":{"http://schemas.microsoft.com/identity/claims/objectidentifier":"o"}}}`
	azureStarted = `{"eventDataId":"z3","eventTimestamp":"2026-03-01T10:00:00Z","caller":"x","authorization":{"action":"a/b/write"},"status":{"value":"Started"}}`
	azureHealth  = `{"eventDataId":"z4","eventTimestamp":"2026-03-01T10:00:00Z","category":{"value":"ResourceHealth"}}`
)

func at(second float64) time.Time {
	return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(second * float64(time.Second)))
}

func TestRead(t *testing.T) {
	probe, role := "serviceAccount:w-a@p.iam.gserviceaccount.com", "arn:aws:iam::123456789012:role/whittle/w-a"
	app := audit.Application + "aaaaaaaa-1111-4111-8111-111111111111"
	const oid = "11111111-1111-4111-8111-111111111111"
	for name, c := range map[string]struct {
		read func([]byte) ([]audit.Entry, error)
		text string
		want []audit.Entry
	}{
		"gcp: each permission": {GCP, gcpCreate, []audit.Entry{
			{ID: "cloudaudit.googleapis.com%2Factivity/a1", Time: at(0.5), Principal: probe, Operation: "v1.compute.subnetworks.insert", Permission: "compute.subnetworks.create", Resource: "projects/p/regions/r/subnetworks/s"},
			{ID: "cloudaudit.googleapis.com%2Factivity/a1", Time: at(0.5), Principal: probe, Operation: "v1.compute.subnetworks.insert", Permission: "compute.networks.updatePolicy", Resource: "projects/p/global/networks/n"},
		}},
		"gcp: refused, granted left out": {GCP, gcpDenied, []audit.Entry{
			{ID: "cloudaudit.googleapis.com%2Fdata_access/a2", Time: at(1), Principal: probe, Operation: "storage.objects.get", Permission: "storage.objects.get", Resource: "projects/_/buckets/b/objects/o", Refused: true}}},
		"gcp: a service agent": {GCP, gcpAgent, []audit.Entry{
			{ID: "cloudaudit.googleapis.com%2Factivity/a3", Time: at(2), Principal: probe, Via: "serviceAccount:service-12@compute-system.iam.gserviceaccount.com", Operation: "Decrypt",
				Permission: "cloudkms.cryptoKeyVersions.useToDecrypt", Resource: "k", Refused: true}}},
		// Of the project itself no account is an agent, whatever it is called.
		"gcp: an account that is called like an agent": {GCP, strings.NewReplacer(`"principalSubject":"serviceAccount:w-a@p.iam.gserviceaccount.com"`, `"principalSubject":"serviceAccount:service-12@p.iam.gserviceaccount.com"`,
			"service-12@compute-system.iam", "w-a@p.iam").Replace(gcpAgent), []audit.Entry{
			{ID: "cloudaudit.googleapis.com%2Factivity/a3", Time: at(2), Principal: probe, Operation: "Decrypt", Permission: "cloudkms.cryptoKeyVersions.useToDecrypt", Resource: "k", Refused: true}}},
		"gcp: the end of an operation": {GCP, gcpEnd, nil},
		"gcp: another log":             {GCP, `{"insertId":"x","timestamp":"2026-03-01T10:00:00Z","textPayload":"hello"}`, nil},
		"aws: derived": {AWS, awsRun, []audit.Entry{
			{ID: "e1", Time: at(0), Principal: role, Operation: "RunInstances", Permission: "ec2:RunInstances", Derived: true}}},
		"aws: a refusal that names it": {AWS, awsDenied, []audit.Entry{
			{ID: "e2", Time: at(1), Principal: role, Operation: "CreateVpc", Permission: "ec2:CreateVpc", Resource: "arn:aws:ec2:us-east-1:123456789012:vpc/*", Refused: true}}},
		"aws: a bare refusal": {AWS, awsBare, []audit.Entry{
			{ID: "e3", Time: at(2), Principal: role, Operation: "PutBucketPolicy", Permission: "s3:PutBucketPolicy", Resource: "arn:aws:s3:::b", Refused: true, Derived: true}}},
		"aws: a service in the caller's name": {AWS, awsService, []audit.Entry{
			{ID: "e4", Time: at(3), Principal: role, Via: "ec2-frontend-api.amazonaws.com", Operation: "CreateGrant", Permission: "kms:CreateGrant", Resource: "arn:aws:kms:us-east-1:123456789012:key/k", Refused: true}}},
		"aws: another error": {AWS, awsMissing, []audit.Entry{
			{ID: "e5", Time: at(4), Principal: "arn:aws:iam::123456789012:user/u", Operation: "GetFunction", Permission: "lambda:GetFunction", Derived: true, Failed: true}}},
		"aws: a sign-in": {AWS, `{"eventType":"AwsConsoleSignIn","eventName":"ConsoleLogin"}`, nil},
		"azure: with the assignment": {Azure, azureWrite, []audit.Entry{
			{ID: "z1", Time: at(0), Principal: oid, Via: app, Operation: "Microsoft.Network/virtualNetworks/write", Permission: "Microsoft.Network/virtualNetworks/write",
				Resource: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v", Binding: "Contributor by role assignment ra on /subscriptions/s"}}},
		"azure: refused": {Azure, azureDenied, []audit.Entry{
			{ID: "z2", Time: at(1), Principal: oid, Operation: "Microsoft.Storage/storageAccounts/listKeys/action", Permission: "Microsoft.Storage/storageAccounts/listKeys/action", Resource: "/subscriptions/s/x", Refused: true}}},
		"azure: in a file": {Azure, azureFile, []audit.Entry{
			{ID: "c/MICROSOFT.NETWORK/VIRTUALNETWORKS/DELETE", Time: at(2), Principal: "o", Operation: "MICROSOFT.NETWORK/VIRTUALNETWORKS/DELETE", Permission: "Microsoft.Network/virtualNetworks/delete", Resource: "/s", Refused: true}}},
		"azure: a beginning":       {Azure, azureStarted, nil},
		"azure: of another matter": {Azure, azureHealth, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.read([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestFile(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(`{"Records":[` + awsRun + `,` + awsDenied + `]}`))
	z.Close()
	quoted := strings.NewReplacer(`"`, `\"`, "\n", "").Replace(awsRun)
	for name, c := range map[string]struct {
		cloud, text   string
		want, skipped int
	}{
		"a trail's file, packed":   {"aws", packed.String(), 2, 0},
		"what LookupEvents gives":  {"aws", `{"Events":[{"EventId":"e1","CloudTrailEvent":"` + quoted + `"}]}`, 1, 0},
		"what entries.list gives":  {"gcp", `{"entries":[` + gcpCreate + `,` + gcpEnd + `]}`, 2, 1},
		"what gcloud prints":       {"gcp", `[` + gcpCreate + `,` + gcpDenied + `]`, 3, 0},
		"lines":                    {"gcp", gcpEnd + "\n" + gcpDenied + "\n", 1, 1},
		"what az prints":           {"azure", `{"value":[` + azureWrite + `,` + azureStarted + `]}`, 1, 1},
		"a file of Azure's":        {"azure", `{"records":[` + azureFile + `]}`, 1, 0},
		"nothing":                  {"aws", ``, 0, 0},
		"a trail's file, no event": {"aws", `{"Records":[]}`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, skipped, err := File(c.cloud, []byte(c.text))
			if err != nil || len(got) != c.want || skipped != c.skipped {
				t.Errorf("%d entries, %d skipped, %v; want %d and %d", len(got), skipped, err, c.want, c.skipped)
			}
		})
	}
	for name, text := range map[string]string{"no JSON": `{"Records":`, "not an event": `{"hello":"you"}`, "no time": `{"eventName":"RunInstances","eventSource":"ec2.amazonaws.com"}`, "a wrong type": `[3]`} {
		if _, _, err := File("aws", []byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, _, err := File("oracle", nil); err == nil {
		t.Error("another cloud is taken")
	}
}

// Whatever a log holds, reading it never panics, gives the same twice, and gives no
// entry without time, principal and permission.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{gcpDenied, gcpAgent, awsDenied, awsBare, azureDenied, azureFile, `{"Records":[]}`, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, cloud := range []string{"aws", "gcp", "azure"} {
			got, _, err := File(cloud, data)
			again, _, _ := File(cloud, data)
			if !cmp.Equal(got, again) {
				t.Errorf("%s reads otherwise the second time", cloud)
			}
			if err != nil && got != nil {
				t.Errorf("%s gives entries with an error", cloud)
			}
			for _, e := range got {
				if e.Time.IsZero() || e.Principal == "" || e.Permission == "" {
					t.Errorf("%s gives %+v", cloud, e)
				}
			}
		}
	})
}
