package moto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSnapshots(t *testing.T) {
	h := start(t)
	ctx := t.Context()
	create(t, h, "10.1.0.0/16")
	first, err := h.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	create(t, h, "10.2.0.0/16")
	second, err := h.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	create(t, h, "10.3.0.0/16")
	want(t, h, "10.1 10.2 10.3")
	// In any order, more than once, and with changes in between.
	for range 2 {
		for id, cidrs := range map[string]string{first: "10.1", second: "10.1 10.2"} {
			if err := h.Restore(ctx, id); err != nil {
				t.Fatal(err)
			}
			want(t, h, cidrs)
			create(t, h, "10.9.0.0/16")
			want(t, h, cidrs+" 10.9")
		}
	}
	if err := h.Restore(ctx, "snapshot-99"); err == nil {
		t.Error("restored a snapshot that was never made")
	}
}

// The user data of a launch template's later versions is read like the first's:
// else no instance can be launched by them.
func TestLaunchTemplateVersions(t *testing.T) {
	h := start(t)
	const data = "&LaunchTemplateName=t&LaunchTemplateData.ImageId=ami-12c6146b&LaunchTemplateData.InstanceType=t3.micro&LaunchTemplateData.UserData="
	send(t, h, "CreateLaunchTemplate", data+"Zmlyc3Q=")
	if body := send(t, h, "CreateLaunchTemplateVersion", data+"c2Vjb25k"); !strings.Contains(body, "<userData>c2Vjb25k</userData>") {
		t.Errorf("the second version is %s", body)
	}
	send(t, h, "CreateLaunchTemplate", "&LaunchTemplateName=tagged&LaunchTemplateData.ImageId=ami-12c6146b&TagSpecification.1.ResourceType=launch-template&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"+
		"&LaunchTemplateData.TagSpecification.1.ResourceType=instance&LaunchTemplateData.TagSpecification.1.Tag.1.Key=i&LaunchTemplateData.TagSpecification.1.Tag.1.Value=v")
	if body := send(t, h, "DescribeLaunchTemplateVersions", "&LaunchTemplateName=tagged"); strings.Contains(body, ">launch-template<") || !strings.Contains(body, ">instance<") {
		t.Errorf("a template's own tags are in its version, or those of its instances are not: %s", body)
	}
	if body := send(t, h, "DescribeLaunchTemplates", "&LaunchTemplateName.1=tagged"); !strings.Contains(body, "<key>k</key>") {
		t.Errorf("the template has lost its tags: %s", body)
	}
	r := request(t, "CreateAutoScalingGroup", "&AutoScalingGroupName=g&MinSize=1&MaxSize=1&AvailabilityZones.member.1=us-east-1a"+
		"&LaunchTemplate.LaunchTemplateName=t&LaunchTemplate.Version=2")
	r.URL.Host, r.Host = "autoscaling.us-east-1.amazonaws.com", ""
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/ec2/", "/autoscaling/", 1))
	reply, err := h.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(reply.Body); reply.StatusCode != http.StatusOK {
		t.Errorf("a group by the second version: status %d: %s", reply.StatusCode, body)
	}
	if body := send(t, h, "DescribeInstances", ""); strings.Count(body, "<instanceId>") != 1 {
		t.Errorf("the group has launched %s", body)
	}
}

// A list is read while others add to it: moto's own state is not made for
// threads, and would answer with an error.
func TestReadWhileWriting(t *testing.T) {
	h := start(t)
	iam := func(action, rest string) int {
		r := request(t, action, rest)
		r.URL.Host, r.Host = "iam.amazonaws.com", ""
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/ec2/", "/iam/", 1))
		reply, err := h.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer reply.Body.Close()
		_, _ = io.Copy(io.Discard, reply.Body)
		return reply.StatusCode
	}
	var all sync.WaitGroup
	for part := range 3 {
		all.Go(func() {
			for n := range 40 {
				name := fmt.Sprintf("role-%d-%d", part, n)
				if status := iam("CreateRole", "&AssumeRolePolicyDocument=%7B%7D&RoleName="+name); status != http.StatusOK {
					t.Errorf("CreateRole: status %d", status)
				}
			}
		})
	}
	for range 3 {
		all.Go(func() {
			for range 40 {
				if status := iam("GetAccountAuthorizationDetails", "&Filter.member.1=Role"); status != http.StatusOK {
					t.Errorf("GetAccountAuthorizationDetails: status %d", status)
				}
			}
		})
	}
	all.Wait()
}

// What moto lacks is added, and keeps its state in moto: so it is in snapshots.
func TestLacking(t *testing.T) {
	h := start(t)
	ask := func(service, target, body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://"+service+".us-east-1.amazonaws.com/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		if target != "" {
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", target)
		}
		r.Header.Set("Authorization", Scope("AKIAEXAMPLE", "us-east-1", service))
		reply, err := h.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(reply.Body)
		return fmt.Sprintf("%d %s", reply.StatusCode, text)
	}
	says := func(got string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%q is not in %s", part, got)
			}
		}
	}
	const scaling, table = "AnyScaleFrontendService.", `"ServiceNamespace":"dynamodb","ResourceId":"table/t","ScalableDimension":"dynamodb:table:ReadCapacityUnits"`
	_, arn, _ := strings.Cut(ask("application-autoscaling", scaling+"RegisterScalableTarget", `{`+table+`,"MinCapacity":1,"MaxCapacity":2,"Tags":{"a":"b"}}`), `"arn:`)
	arn, _, _ = strings.Cut(`"arn:`+arn, "}")
	says(ask("application-autoscaling", scaling+"TagResource", `{"ResourceARN":`+arn+`,"Tags":{"c":"d"}}`), "200")
	id, err := h.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	says(ask("application-autoscaling", scaling+"UntagResource", `{"ResourceARN":`+arn+`,"TagKeys":["a","c"]}`), "200")
	says(ask("application-autoscaling", scaling+"ListTagsForResource", `{"ResourceARN":`+arn+`}`), `200 {"Tags": {}}`)
	if err := h.Restore(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	says(ask("application-autoscaling", scaling+"ListTagsForResource", `{"ResourceARN":`+arn+`}`), "200", `"a": "b"`, `"c": "d"`)
	says(ask("application-autoscaling", scaling+"ListTagsForResource", `{"ResourceARN":"arn:x"}`), "400", "ResourceNotFoundException")

	send(t, h, "CreateLaunchTemplate", "&LaunchTemplateName=ttt&LaunchTemplateData.ImageId=ami-12c6146b&LaunchTemplateData.InstanceType=t3.micro")
	const group = "Version=2011-01-01&AutoScalingGroupName=g&Action="
	says(ask("autoscaling", "", group+"CreateAutoScalingGroup&MinSize=1&MaxSize=1&AvailabilityZones.member.1=us-east-1a&LaunchTemplate.LaunchTemplateName=ttt"), "200")
	instance := func() string {
		_, rest, _ := strings.Cut(ask("autoscaling", "", "Version=2011-01-01&Action=DescribeAutoScalingInstances"), "<InstanceId>")
		id, _, _ := strings.Cut(rest, "<")
		return id
	}
	const policy = "&PolicyName=p&PolicyType=TargetTrackingScaling&TargetTrackingConfiguration.TargetValue=60&TargetTrackingConfiguration.PredefinedMetricSpecification.PredefinedMetricType=ASGAverageCPUUtilization"
	says(ask("autoscaling", "", group+"PutScalingPolicy"+policy), "200", "<PolicyARN>")
	if got := ask("autoscaling", "", group+"DescribePolicies"); !strings.Contains(got, "<Enabled>true</Enabled>") || strings.Contains(got, "<PredictiveScalingConfiguration") {
		t.Errorf("the policy is %s", got)
	}
	says(ask("autoscaling", "", group+"PutScalingPolicy&Enabled=false"+policy), "200")
	says(ask("autoscaling", "", group+"DescribePolicies"), "<Enabled>false</Enabled>")
	first := instance()
	says(ask("autoscaling", "", group+"StartInstanceRefresh"), "200", "<InstanceRefreshId>")
	if now := instance(); first == "" || now == "" || now == first {
		t.Errorf("the refresh left instance %q, before it was %q", now, first)
	}
	send(t, h, "MonitorInstances", "&InstanceId.1="+instance())
	says(send(t, h, "DescribeInstances", "&InstanceId.1="+instance()), "<monitoring><state>enabled</state></monitoring>")
	says(ask("autoscaling", "", group+"DescribeInstanceRefreshes"), "200", "<Status>Successful</Status>")
	says(ask("autoscaling", "", group+"CancelInstanceRefresh"), "400", "ActiveInstanceRefreshNotFound")
	says(ask("autoscaling", "", group+"PutNotificationConfiguration&TopicARN=arn:t&NotificationTypes.member.1=autoscaling:EC2_INSTANCE_LAUNCH"), "200")
	says(ask("autoscaling", "", "Version=2011-01-01&Action=DescribeNotificationConfigurations&AutoScalingGroupNames.member.1=g"), "<TopicARN>arn:t</TopicARN>")

	const pools = "AWSCognitoIdentityProviderService."
	_, rest, _ := strings.Cut(ask("cognito-idp", pools+"CreateUserPool", `{"PoolName":"p","UserPoolTags":{"a":"b"}}`), `"Arn": "`)
	pool, _, _ := strings.Cut(rest, `"`)
	says(ask("cognito-idp", pools+"TagResource", `{"ResourceArn":"`+pool+`","Tags":{"c":"d"}}`), "200")
	says(ask("cognito-idp", pools+"ListTagsForResource", `{"ResourceArn":"`+pool+`"}`), "200", `"a": "b"`, `"c": "d"`)

	const iam = "Version=2010-05-08&UserName=u&Action="
	says(ask("iam", "", iam+"CreateUser"), "200")
	made := ask("iam", "", iam+"CreateServiceSpecificCredential&ServiceName=codecommit.amazonaws.com")
	says(made, "200", "<ServicePassword>", "<ServiceUserName>u-at-123456789012</ServiceUserName>")
	_, rest, _ = strings.Cut(made, "<ServiceSpecificCredentialId>")
	credential, _, _ := strings.Cut(rest, "<")
	credential = "&ServiceSpecificCredentialId=" + credential
	says(ask("iam", "", iam+"UpdateServiceSpecificCredential&Status=Inactive"+credential), "200")
	listed := ask("iam", "", iam+"ListServiceSpecificCredentials&ServiceName=codecommit.amazonaws.com")
	says(listed, "200", "<Status>Inactive</Status>")
	if strings.Contains(listed, "ServicePassword") {
		t.Errorf("a list shows the password: %s", listed)
	}
	if other := ask("iam", "", iam+"ListServiceSpecificCredentials&ServiceName=cassandra.amazonaws.com"); strings.Contains(other, "codecommit") {
		t.Errorf("another service's credentials: %s", other)
	}
	says(ask("iam", "", iam+"DeleteServiceSpecificCredential"+credential), "200")
	says(ask("iam", "", iam+"DeleteServiceSpecificCredential"+credential), "404", "NoSuchEntity")

	provider := "&OpenIDConnectProviderArn=arn:aws:iam::123456789012:oidc-provider/i.example.com"
	says(ask("iam", "", iam+"CreateOpenIDConnectProvider&Url=https://i.example.com&ClientIDList.member.1=a"), "200")
	says(ask("iam", "", iam+"AddClientIDToOpenIDConnectProvider&ClientID=b"+provider), "200")
	says(ask("iam", "", iam+"RemoveClientIDFromOpenIDConnectProvider&ClientID=a"+provider), "200")
	says(ask("iam", "", iam+"GetOpenIDConnectProvider"+provider), "<ClientIDList><member>b</member></ClientIDList>")

	const alarms = "Version=2010-08-01&Action="
	says(ask("monitoring", "", alarms+"PutCompositeAlarm&AlarmName=c&AlarmRule=ALARM(a)"), "200")
	says(ask("monitoring", "", alarms+"DescribeAlarms&AlarmNames.member.1=c&AlarmTypes.member.1=CompositeAlarm"), "<CompositeAlarms>", "<AlarmRule>ALARM(a)</AlarmRule>")

	const logs = "Logs_20140328."
	_, rest, _ = strings.Cut(ask("logs", logs+"PutQueryDefinition", `{"name":"q","queryString":"fields @message"}`), `"queryDefinitionId": "`)
	query, _, _ := strings.Cut(rest, `"`)
	says(ask("logs", logs+"DescribeQueryDefinitions", `{"queryDefinitionNamePrefix":"q"}`), query, "fields @message")
	says(ask("logs", logs+"DeleteQueryDefinition", `{"queryDefinitionId":"`+query+`"}`), "200", "true")
	says(ask("logs", logs+"DeleteQueryDefinition", `{"queryDefinitionId":"`+query+`"}`), "400", "ResourceNotFoundException")

	for definition, result := range map[string]string{`{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Succeed\"}}}`: "OK", `{`: "FAIL"} {
		says(ask("states", "AWSStepFunctions.ValidateStateMachineDefinition", `{"definition":"`+definition+`"}`), "200", `"`+result+`"`)
	}
}

// A fork must find no request at work and lose none.
func TestSnapshotWhileBusy(t *testing.T) {
	h := start(t)
	var busy sync.WaitGroup
	for i := range 4 {
		busy.Add(1)
		go func() {
			defer busy.Done()
			for j := range 5 {
				create(t, h, fmt.Sprintf("10.%d.0.0/16", 100+10*i+j))
			}
		}()
	}
	for range 3 {
		id, err := h.Snapshot(t.Context())
		if err != nil {
			t.Error(err)
			break
		}
		_ = id
	}
	busy.Wait()
	if got := strings.Count(describe(t, h), "<vpcId>"); got != 21 { // with the default one
		t.Errorf("%d networks, want 21", got)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	h := start(t)
	id, err := h.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Restore(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	dir := h.dir
	family := []process{h.root, h.active, h.snapshots[id]}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range family {
		// Killed: its port is free as soon as the kernel comes round to it.
		for try := 0; ; try++ {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port))
			if err != nil {
				break
			}
			c.Close()
			if try == 1000 {
				t.Fatalf("process %d still serves", p.PID)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", dir)
	}
	if _, err := h.RoundTrip(request(t, "DescribeVpcs", "")); err == nil {
		t.Error("a closed host answers")
	}
	if err := h.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}

// moto checks no credentials, so nobody may reach it past the gate.
func TestTokenIsNeeded(t *testing.T) {
	h := start(t)
	for _, token := range []string{"", "guess"} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://127.0.0.1:%d/", h.active.Port), nil)
		if token != "" {
			r.Header.Set("X-Whittle-Token", token)
		}
		reply, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != http.StatusForbidden {
			t.Errorf("token %q: status %d", token, reply.StatusCode)
		}
	}
	stranger := *process0(h)
	h2 := &Host{token: "guess"}
	if _, err := h2.order(t.Context(), stranger, "exit"); err == nil {
		t.Error("a stranger's order was obeyed")
	}
	want(t, h, "")
}

func process0(h *Host) *process { return &h.active }

func TestFind(t *testing.T) {
	none := func(string) string { return "" }
	t.Run("nothing on PATH", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := Find(t.Context(), none); !errors.Is(err, ErrMissing) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the named one has none", func(t *testing.T) {
		fake := script(t, "#!/bin/sh\nexit 1\n")
		_, err := Find(t.Context(), func(string) string { return fake })
		if err == nil || !strings.Contains(err.Error(), "pip install") || !strings.Contains(err.Error(), fake) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one that cannot import it", func(t *testing.T) {
		fake := script(t, "#!/bin/sh\necho '{\"error\": \"No module named moto\"}'\nexit 3\n")
		_, err := Start(t.Context(), Options{Python: fake, Account: "123456789012"})
		if err == nil || !strings.Contains(err.Error(), "No module named moto") || !strings.Contains(err.Error(), "pip install") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one that dies", func(t *testing.T) {
		fake := script(t, "#!/bin/sh\necho 'it broke' >&2\nexit 1\n")
		if _, err := Start(t.Context(), Options{Python: fake, Account: "123456789012"}); err == nil {
			t.Error("started")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		fake := script(t, "#!/bin/sh\nexec sleep 60\n")
		if _, err := Start(ctx, Options{Python: fake, Account: "123456789012"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestInterpreter(t *testing.T) {
	for line, want := range map[string]string{
		"#!/usr/lib/venv/bin/python3.11": "/usr/lib/venv/bin/python3.11",
		"#!/usr/bin/env bash":            "",
		"#!/bin/sh":                      "",
		"import moto":                    "",
		"":                               "",
	} {
		if got := interpreter(script(t, line+"\n")); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestEnvironmentHoldsNoCredential(t *testing.T) {
	all := func(key string) (string, bool) { return "of " + key, true }
	for _, pair := range environment("123456789012", all) {
		if strings.HasPrefix(pair, "AWS_") || strings.Contains(pair, "TOKEN") {
			t.Errorf("moto gets %s", pair)
		}
	}
}

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func start(t *testing.T) *Host {
	t.Helper()
	h, err := Start(t.Context(), Options{Account: "123456789012"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func request(t *testing.T, action, rest string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "https://ec2.us-east-1.amazonaws.com/",
		strings.NewReader("Version=2016-11-15&Action="+action+rest))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0")
	return r
}

func send(t *testing.T, h *Host, action, rest string) string {
	t.Helper()
	reply, err := h.RoundTrip(request(t, action, rest))
	if err != nil {
		t.Error(err)
		return ""
	}
	body, _ := io.ReadAll(reply.Body)
	if reply.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d: %s", action, reply.StatusCode, body)
	}
	return string(body)
}

func create(t *testing.T, h *Host, cidr string) {
	t.Helper()
	send(t, h, "CreateVpc", "&CidrBlock="+cidr)
}

func describe(t *testing.T, h *Host) string {
	t.Helper()
	return send(t, h, "DescribeVpcs", "")
}

// want compares the networks there are, by the first two numbers of each.
func want(t *testing.T, h *Host, cidrs string) {
	t.Helper()
	body := describe(t, h)
	var got []string
	for _, n := range []string{"10.1", "10.2", "10.3", "10.9"} {
		if strings.Contains(body, "<cidrBlock>"+n+".0.0/16") {
			got = append(got, n)
		}
	}
	if strings.Join(got, " ") != cidrs {
		t.Errorf("there are %v, want %s", got, cidrs)
	}
}
