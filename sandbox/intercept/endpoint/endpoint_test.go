package endpoint

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/whittle-iam/whittle/parsers/refusal"
)

// opened are hosts that SDKs and tools call, of each form the table knows.
var opened = strings.Fields(`
	sqs.us-east-1.amazonaws.com ec2.eu-central-2.amazonaws.com ec2.amazonaws.com iam.amazonaws.com sts.amazonaws.com
	sts.us-west-2.amazonaws.com route53.amazonaws.com cloudfront.amazonaws.com kms.ap-southeast-7.amazonaws.com
	kms-fips.us-east-1.amazonaws.com lambda.mx-central-1.amazonaws.com eks.il-central-1.amazonaws.com
	fips.eks.us-east-1.amazonaws.com api.ecr.us-east-1.amazonaws.com api.ecr-public.us-east-1.amazonaws.com
	ecr-fips.us-east-1.amazonaws.com api.sagemaker.us-east-1.amazonaws.com api-fips.sagemaker.us-east-1.amazonaws.com
	runtime.sagemaker-fips.us-east-1.amazonaws.com streams.dynamodb.us-east-1.amazonaws.com
	123456789012.control-kinesis.us-east-1.amazonaws.com 123456789012.data-kinesis-fips.us-east-1.api.aws
	123456789012.ddb.us-east-1.amazonaws.com 123456789012.ddb.us-east-1.api.aws api.pricing.us-east-1.amazonaws.com
	elasticloadbalancing.us-east-1.amazonaws.com rds.us-east-1.amazonaws.com apigateway.us-east-1.amazonaws.com
	ec2.us-east-1.api.aws lambda.us-east-1.api.aws ec2-fips.us-gov-west-1.api.aws iam.global.api.aws
	iam.us-gov.amazonaws.com sts.us-gov-west-1.amazonaws.com sts.cn-north-1.amazonaws.com.cn iam.cn-north-1.amazonaws.com.cn
	ec2.cn-northwest-1.amazonaws.com.cn ec2.cn-north-1.api.amazonwebservices.com.cn route53.amazonaws.com.cn
	ssmmessages.us-east-1.amazonaws.com sync-states.us-east-1.amazonaws.com data-servicediscovery.us-east-1.amazonaws.com
	s3.amazonaws.com s3.us-east-1.amazonaws.com bucket.s3.amazonaws.com bucket.s3.us-east-1.amazonaws.com
	my.dotted_bucket.s3.eu-west-1.amazonaws.com s3.dualstack.us-east-1.amazonaws.com bucket.s3.dualstack.us-east-1.amazonaws.com
	s3-fips.us-east-1.amazonaws.com bucket.s3-fips.dualstack.us-gov-west-1.amazonaws.com bucket.s3-us-west-2.amazonaws.com
	s3-us-west-2.amazonaws.com s3-external-1.amazonaws.com bucket.s3-accelerate.amazonaws.com
	bucket.s3-accelerate.dualstack.amazonaws.com bucket.s3.cn-north-1.amazonaws.com.cn
	s3-control.us-east-1.amazonaws.com 123456789012.s3-control.us-east-1.amazonaws.com
	123456789012.s3-control-fips.dualstack.us-east-1.amazonaws.com ap-123456789012.s3-accesspoint.us-east-1.amazonaws.com
	ap-123456789012.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com name.accesspoint.s3-global.amazonaws.com
	s3express-control.us-east-1.amazonaws.com b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com
	b--use1-az4--x-s3.s3express-fips-use1-az4.us-east-1.amazonaws.com
	queue.amazonaws.com us-west-2.queue.amazonaws.com
	execute-api.s3.us-east-1.amazonaws.com foo.elb.s3.amazonaws.com
	SQS.US-EAST-1.AMAZONAWS.COM sqs.us-east-1.amazonaws.com.
`)

// openedGoogle are those of Google Cloud.
var openedGoogle = strings.Fields(`
	compute.googleapis.com www.googleapis.com storage.googleapis.com bucket.storage.googleapis.com my.dotted.bucket.storage.googleapis.com
	oauth2.googleapis.com accounts.google.com sts.googleapis.com iamcredentials.googleapis.com openidconnect.googleapis.com iam.googleapis.com
	tunnel.cloudproxy.app mtls.tunnel.cloudproxy.app us-central1-docker.pkg.dev europe-docker.pkg.dev us-docker.pkg.dev asia-docker.pkg.dev northamerica-northeast1-docker.pkg.dev
	gcr.io us.gcr.io eu.gcr.io asia.gcr.io us-central1-aiplatform.googleapis.com europe-west12-run.googleapis.com
	secretmanager.us-central1.rep.googleapis.com aiplatform.eu.rep.googleapis.com compute.mtls.googleapis.com www.mtls.googleapis.com
	cloudresourcemanager.googleapis.com serviceusage.googleapis.com certificatemanager.googleapis.com DNS.GoogleAPIs.com. c.d.storage.googleapis.com
`)

// openedAzure are those of Azure.
var openedAzure = strings.Fields(`
	management.azure.com Login.MicrosoftOnline.com. graph.microsoft.com my-vault.vault.azure.net account1.blob.core.windows.net
	account1-secondary.blob.core.windows.net account1.dfs.core.windows.net account1.queue.core.windows.net account1.table.core.windows.net account1.file.core.windows.net
`)

// closed serve customers' content, or are no host of the cloud at all.
var closed = strings.Fields(`
	abc123.execute-api.us-east-1.amazonaws.com execute-api.us-east-1.amazonaws.com abc.execute-api.us-east-1.api.aws
	vpce-0a.execute-api.us-east-1.vpce.amazonaws.com vpce-0a-b.sqs.us-east-1.vpce.amazonaws.com vpce-svc-0a.us-east-1.vpce.amazonaws.com
	abc.lambda-url.us-east-1.on.aws abc.lambda-url.us-east-1.amazonaws.com
	bucket.s3-website-us-east-1.amazonaws.com bucket.s3-website.eu-central-1.amazonaws.com s3-website-us-east-1.amazonaws.com
	bucket.s3-website.cn-north-1.amazonaws.com.cn bucket.s3-website.dualstack.us-east-1.amazonaws.com
	lb-1.us-east-1.elb.amazonaws.com lb-1.elb.us-east-1.amazonaws.com internal-lb-1.us-east-1.elb.amazonaws.com.cn
	db.abc.us-east-1.rds.amazonaws.com db.abc.rds.cn-north-1.amazonaws.com.cn proxy.proxy-abc.us-east-1.rds.amazonaws.com
	ec2-1-2-3-4.compute-1.amazonaws.com ec2-1-2-3-4.us-west-2.compute.amazonaws.com ip-10-0-0-1.us-west-2.compute.internal
	d111111abcdef8.cloudfront.net oidc.eks.us-east-1.amazonaws.com oidc-eks.us-east-1.api.aws
	ABC.gr7.us-east-1.eks.amazonaws.com ABC.sk1.eu-west-1.eks.amazonaws.com
	search-x-abc.us-east-1.es.amazonaws.com abc.us-east-1.aoss.amazonaws.com vpc-x.us-east-1.es.amazonaws.com
	abc.appsync-api.us-east-1.amazonaws.com abc.iot.us-east-1.amazonaws.com abc-ats.iot.us-east-1.amazonaws.com
	123456789012.dkr.ecr.us-east-1.amazonaws.com dom-123456789012.d.codeartifact.us-east-1.amazonaws.com
	git-codecommit.us-east-1.amazonaws.com s-0a.server.transfer.us-east-1.amazonaws.com fs-0a.efs.us-east-1.amazonaws.com
	b-0a.mq.us-east-1.amazonaws.com b-1.c.kafka.us-east-1.amazonaws.com g-0a.grafana-workspace.us-east-1.amazonaws.com
	abc.data.mediastore.us-east-1.amazonaws.com data.mediastore.us-east-1.amazonaws.com
	my-alias-a1b2--ol-s3.s3.us-east-1.amazonaws.com my-alias-a1b2--ol-s3.s3.amazonaws.com A--OL-S3.s3.us-east-1.amazonaws.com
	a--ol-s3.s3-us-west-2.amazonaws.com a--ol-s3.s3.dualstack.us-east-1.amazonaws.com a--ol-s3.s3-fips.us-east-1.amazonaws.com
	a--ol-s3.s3-accelerate.amazonaws.com a--ol-s3.s3-external-1.amazonaws.com x.a--ol-s3.s3.cn-north-1.amazonaws.com.cn
	ap-123456789012.s3-object-lambda.us-east-1.amazonaws.com search-x.us-east-1.cloudsearch.amazonaws.com
	c.abc.us-east-1.redshift.amazonaws.com c.abc.0001.use1.cache.amazonaws.com w.123456789012.us-east-1.redshift-serverless.amazonaws.com
	abc.auth.us-east-1.amazoncognito.com e.us-east-1.elasticbeanstalk.com abc.us-east-1.awsapprunner.com
	amazonaws.com .amazonaws.com us-east-1.amazonaws.com nosuch.us-east-1.amazonaws.com nosuch.amazonaws.com sqs.amazonaws.com
	sqs.us-east-1.amazonaws.com.evil.com evilamazonaws.com sqs.us-east-1.evilamazonaws.com sqs.us-east-1.amazonaws.com..
	sqs..us-east-1.amazonaws.com sqs.cn-north-1.amazonaws.com sqs.us-east-1.amazonaws.com.cn sqs.us-east.amazonaws.com
	sqs.us-east-1a.amazonaws.com sqs.us-gov-1.amazonaws.com sqs.xx-east-1.amazonaws.com x.sqs.us-east-1.amazonaws.com
	12345678901.s3-control.us-east-1.amazonaws.com s3-accelerate.amazonaws.com dualstack.us-east-1.amazonaws.com
	s3.us-east-1.api.aws s3.amazonaws.com.cn x.dualstack.us-east-1.amazonaws.com -123456789012.s3-accesspoint.us-east-1.amazonaws.com
	sqs-fips-fips.us-east-1.amazonaws.com a-fips.b-fips.us-east-1.amazonaws.com
	169.254.169.254 localhost 127.0.0.1 [::1] registry.terraform.io sqs.us-east-1.amazonaws.com:443 sqs.us-east-1.amazonaws.com/x
	azure.com vault.azure.net x.y.vault.azure.net ab.vault.azure.net my_vault.vault.azure.net core.windows.net blob.core.windows.net account1.web.core.windows.net
	account1.z13.web.core.windows.net a.account1.blob.core.windows.net account_1.blob.core.windows.net x.management.azure.com management.azure.com.evil.com
	app.azurewebsites.net x.azureedge.net evilmanagement.azure.com login.microsoftonline.com.evil.com api.graph.microsoft.com
	googleapis.com .googleapis.com nosuch.googleapis.com firebasestorage.googleapis.com c.storage.googleapis.com commondatastorage.googleapis.com
	fonts.googleapis.com ajax.googleapis.com maps.googleapis.com youtube.googleapis.com compute.googleapis.com.evil.com evilgoogleapis.com
	us-central1-nosuch.googleapis.com xx-central1-run.googleapis.com us-central1a-run.googleapis.com us-central-run.googleapis.com
	x.compute.googleapis.com compute.us-central1.googleapis.com compute.nowhere.rep.googleapis.com compute.us-central1.rep.mtls.googleapis.com
	google.com www.google.com mail.google.com x.accounts.google.com accounts.google.com.evil.com console.cloud.google.com
	cloudproxy.app a.tunnel.cloudproxy.app x.mtls.tunnel.cloudproxy.app tunnel.cloudproxy.app.example.com pkg.dev docker.pkg.dev x-docker.pkg.dev us-central1-maven.pkg.dev us-central1-python.pkg.dev a.us-central1-docker.pkg.dev go.pkg.dev
	mirror.gcr.io k8s.gcr.io x.us.gcr.io marketplace.gcr.io evilgcr.io
	service-abc-uc.a.run.app project.appspot.com us-central1-project.cloudfunctions.net project.web.app metadata.google.internal
	abc.tunnel.cloudproxy.app bucket.storage.cloud.google.com storage.cloud.google.com lh3.googleusercontent.com
`)

func TestEndpoint(t *testing.T) {
	for _, host := range opened {
		if c, ok := Of(host); !ok || c != refusal.AWS {
			t.Errorf("%s is not opened", host)
		}
	}
	for _, host := range openedGoogle {
		if c, ok := Of(host); !ok || c != refusal.GCP {
			t.Errorf("%s is not opened", host)
		}
	}
	for _, host := range openedAzure {
		if c, ok := Of(host); !ok || c != refusal.Azure {
			t.Errorf("%s is not opened", host)
		}
	}
	for _, host := range append(closed, "", ".", "sqs us-east-1.amazonaws.com", "s\u212as.us-east-1.amazonaws.com", strings.Repeat("a", 64)+".s3.amazonaws.com",
		strings.Repeat("a.", 130)+"s3.amazonaws.com") {
		if c, ok := Of(host); ok || c != "" {
			t.Errorf("%q is opened as %s's", host, c)
		}
	}
}

// customers matches, written apart from the table, the hosts on which a cloud
// serves its customers' content, down to what follows the customer's part.
var customers = regexp.MustCompile(`(?i)(^|\.)(` +
	`(execute-api|lambda-url|s3-website|s3-object-lambda|elb|appsync-api|grafana-workspace|oidc\.eks|data\.mediastore|git-codecommit|iot)\.[a-z-]+-[0-9]+\.(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)` +
	`|(elb|rds|eks|es|aoss|compute|compute-1|vpce|redshift|cache|cloudsearch|redshift-serverless|airflow)\.amazonaws\.com(\.cn)?` +
	`|s3-website-[a-z0-9-]+\.amazonaws\.com(\.cn)?` +
	`|dkr\.ecr\.[a-z-]+-[0-9]+\.amazonaws\.com(\.cn)?` +
	`|on\.aws|cloudfront\.net|run\.app|appspot\.com|cloudfunctions\.net|web\.app|firebaseapp\.com|googleusercontent\.com|azurewebsites\.net|web\.core\.windows\.net|azureedge\.net|azurefd\.net|cloudapp\.azure\.com)\.?$` +
	`|^(c\.storage|firebasestorage)\.googleapis\.com\.?$` +
	`|--ol-s3\.(s3|.*\.s3)[.-]`)

// ownHosts are AWS's own hosts that the pattern above matches.
var ownHosts = regexp.MustCompile(`(?i)^iot(-fips)?\.[a-z0-9-]+\.|^(api\.tunneling|data\.jobs)\.iot(-fips)?\.`)

func FuzzEndpoint(f *testing.F) {
	for _, host := range slices.Concat(opened, openedGoogle, openedAzure, closed) {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		c, ok := Of(host)
		if ok != (c != "") {
			t.Errorf("%q: cloud %q, %v", host, c, ok)
		}
		if ok && customers.MatchString(host) && !ownHosts.MatchString(host) {
			t.Errorf("%q serves customers' content and is opened", host)
		}
		// Neither case nor the root's dot tells hosts apart.
		if up, upOK := Of(strings.ToUpper(host)); isASCII(host) && (up != c || upOK != ok) {
			t.Errorf("%q depends on case", host)
		}
		if !strings.HasSuffix(host, ".") {
			if dot, dotOK := Of(host + "."); host != "" && (dot != c || dotOK != ok) {
				t.Errorf("%q depends on the trailing dot", host)
			}
		}
		if !ok {
			return
		}
		name, ok := Canonical(host)
		if again, same := Canonical(name); !ok || !same || again != name {
			t.Errorf("%q: canonical form %q becomes %q", host, name, again)
		}
		// An opened host is in a domain of the table, which the CA may sign for.
		in := false
		for _, d := range Domains() {
			in = in || strings.HasSuffix("."+name, "."+d)
		}
		if !in {
			t.Errorf("%q is opened outside the table's domains", host)
		}
	})
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
