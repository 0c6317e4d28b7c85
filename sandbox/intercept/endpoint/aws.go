package endpoint

import "strings"

// awsServices are the endpoint names of AWS's services, as they stand left of
// the region: sqs in sqs.us-east-1.amazonaws.com. The names are those of the
// endpoint rules that AWS publishes with its SDKs (botocore 1.43, August
// 2026), with the fixed host prefixes of single operations.
//
// Left out, though AWS lists them, is what serves customers' content or takes
// a customer's own host name: execute-api, s3-object-lambda (its function
// chooses the reply's status and error code), data.mediastore,
// cloudsearchdomain, neptune-db and the iot data planes. So are hosts that know
// no IAM identity: oidc, portal.sso and signin. Amazon S3 and DynamoDB's account
// endpoints have rules of their own below.
var awsServices = names(`
	a2i-runtime.sagemaker access-analyzer account acm acm-pca aco-automation admin.wickr
	agreement-marketplace aidevops aiops airflow airflow-serverless amplify amplifybackend
	amplifyuibuilder analytics-omics aos aoss api-fulfill.dataexchange api.airflow api.detective api.ecr
	api.ecr-public api.iot-tunneling api.iotdeviceadvisor api.iotmanagedintegrations api.iotsitewise
	api.iottwinmaker api.iotwireless api.mediatailor api.pricing api.sagemaker api.sustainability
	api.thinclient api.tunneling.iot apigateway app-integrations appconfig appconfigdata appfabric
	appflow application-autoscaling application-cost-profiler application-signals applicationinsights
	appmesh apprunner appstream2 appsync aps arc-recovery-control-config arc-region-switch
	arc-region-switch-control-plane arc-zonal-shift artifact athena auditmanager autoscaling
	autoscaling-plans b2bi backup backup-gateway backup-search batch bcm-dashboards bcm-data-exports
	bcm-pricing-calculator bcm-recommended-actions bedrock bedrock-agent bedrock-agent-runtime
	bedrock-agentcore bedrock-agentcore-control bedrock-data-automation bedrock-data-automation-runtime
	bedrock-runtime billing billingconductor braket budgets cases cassandra cassandra-streams
	catalog-marketplace catalog.marketplace ce chatbot chime cleanrooms cleanrooms-ml cloud9
	cloudcontrolapi clouddirectory cloudformation cloudfront cloudhsm cloudhsmv2 cloudsearch cloudtrail
	cloudtrail-data cn.transcribe codeartifact codebuild codecommit codeconnections codedeploy
	codeguru-profiler codeguru-reviewer codeguru-security codepipeline codestar-connections
	codestar-notifications cognito-identity cognito-idp cognito-sync comprehend comprehendmedical
	compute-optimizer config connect connect-campaigns contact-lens control-storage-omics controlcatalog
	controlplane.payment-cryptography controltower cost-optimization-hub cp.geofencing.geo cp.maps.geo
	cp.metadata.geo cp.places.geo cp.routes.geo cp.tracking.geo cur data-lakeformation
	data-servicediscovery data-signer data.iotevents data.iotsitewise data.iottwinmaker data.jobs.iot
	data.qapps databrew dataexchange datapipeline dataplane.payment-cryptography dataplane.rum datasync
	datazone dax deadline deployment-marketplace detective devicefarm devops-guru directconnect
	discovery discovery-marketplace dlm dms docdb docdb-elastic drs ds ds-data dsql dynamodb ebs ec2
	ec2-instance-connect ec2messages ecr ecr-public ecs edge.sagemaker eks eks-auth elasticache
	elasticbeanstalk elasticfilesystem elasticloadbalancing elasticmapreduce elemental-inference email
	emr-containers emr-serverless entitlement-marketplace entitlement.marketplace entityresolution
	env.airflow es events evs featurestore-runtime.sagemaker finspace finspace-api fips.batch fips.eks
	fips.transcribe firehose fis fms forecast forecastquery frauddetector freetier fsx gamelift
	gameliftstreams geo geo-maps geo-places geo-routes geofencing.geo glacier globalaccelerator glue
	grafana greengrass groundstation guardduty health health-agent healthlake iam identity-chime
	identitystore imagebuilder importexport ingest.timestream inspector inspector-scan inspector2
	interconnect internetmonitor invoicing iot iotevents ioteventsdata iotfleetwise iotsecuredtunneling
	iotsitewise iotthingsgraph iottwinmaker iotwireless ivs ivschat ivsrealtime kafka kafka-api
	kafkaconnect kendra kendra-ranking kinesis kinesisanalytics kinesisvideo kms lakeformation lambda
	launchwizard license-manager license-manager-linux-subscriptions license-manager-user-subscriptions
	lightsail logs lookoutequipment m2 machinelearning macie2 mail-manager managedblockchain
	managedblockchain-query management.deadline maps.geo marketplacecommerceanalytics
	media-pipelines-chime mediaconnect mediaconvert medialive mediapackage mediapackage-vod
	mediapackagev2 mediastore mediatailor medical-imaging meetings-chime memory-db messaging-chime
	metadata.geo metering-marketplace metering.marketplace metrics.sagemaker mgh mgn migrationhub-config
	migrationhub-orchestrator migrationhub-strategy models-v2-lex models.lex monitor.iotsitewise
	monitoring mpa mq neptune neptune-graph network-firewall networkflowmonitor networkmanager
	networkmonitor notifications notifications-contacts nova-act oam observabilityadmin odb omics
	ops.airflow organizations osis outposts panorama participant.connect partnercentral-account
	partnercentral-benefits partnercentral-channel partnercentral-selling pca-connector-ad
	pca-connector-scep pcs personalize personalize-events personalize-runtime pi pinpoint pipes
	places.geo polly profile proton qbusiness query-lakeformation query.timestream quicksight ram rbin
	rds rds-data redshift redshift-data redshift-serverless refactor-spaces rekognition
	reporting-marketplace repostspace resiliencehub resource-explorer-2 resource-groups rolesanywhere
	route53-recovery-cluster route53-recovery-control-config route53-recovery-readiness route53domains
	route53globalresolver route53profiles route53resolver routes.geo rtbfabric rum
	runtime-medical-imaging runtime-v2-lex runtime.lex runtime.sagemaker s3-outposts s3express-control
	s3files s3tables s3vectors sagemaker-geospatial savingsplans scheduler scheduling.deadline schemas
	scn sdb secretsmanager security-ir securityagent securityhub securitylake serverlessrepo
	servicecatalog servicecatalog-appregistry servicediscovery servicequotas shield signer
	simspaceweaver sms-voice sms-voice.pinpoint snow-device-management snowball sns social-messaging sqs
	ssm ssm-contacts ssm-guiconnect ssm-incidents ssm-quicksetup ssm-sap ssmmessages sso states
	storage-omics storagegateway stream-logs streaming-logs streams-dynamodb streams.dynamodb sts
	subscribe.mediaconvert support supportapp swf sync-states synthetics tagging tags-omics tax textract
	thinclient timestream-influxdb timestream-ingest timestream-query tnb tracking.geo transcribe
	transcribestreaming transfer translate trustedadvisor uxc verification.signer verifiedpermissions
	voice-chime voiceid vpc-lattice waf waf-regional wafv2 wellarchitected wisdom workdocs
	workflows-omics workmail workmailmessageflow workspaces workspaces-instances workspaces-web xray
`)

// awsGlobal are the hosts that have no region, under which partition's domain
// they may be. Source: as awsServices; those of Amazon EC2 and SQS without a
// region are the first ones of these services and still answer.
var awsGlobal = names(`
	iam.amazonaws.com iam-fips.amazonaws.com iam.us-gov.amazonaws.com
	iam.global.api.aws iam-fips.global.api.aws iam.us-gov.api.aws iam.global.api.amazonwebservices.com.cn
	sts.amazonaws.com
	route53.amazonaws.com route53-fips.amazonaws.com route53.us-gov.amazonaws.com route53.amazonaws.com.cn
	route53.global.api.aws route53-fips.global.api.aws route53.us-gov.api.aws route53.global.api.amazonwebservices.com.cn
	cloudfront.amazonaws.com cloudfront-fips.amazonaws.com cloudfront.global.api.aws cloudfront-fips.global.api.aws
	budgets.amazonaws.com budgets.amazonaws.com.cn
	waf.amazonaws.com waf-fips.amazonaws.com
	savingsplans.amazonaws.com savingsplans.global.api.aws
	global.health.amazonaws.com global.health.us-gov.amazonaws.com global.health.amazonaws.com.cn
	importexport.amazonaws.com sdb.amazonaws.com
	sustainability.global.api.aws sustainability.us-gov.api.aws
	partnercentral-channel.global.api.aws partnercentral-channel.us-gov.api.aws
	ec2.amazonaws.com queue.amazonaws.com sns.amazonaws.com autoscaling.amazonaws.com
	elasticloadbalancing.amazonaws.com monitoring.amazonaws.com
`)

// awsRegionAreas are how the names of a partition's regions begin. Source:
// regionRegex in the SDKs' partitions file. us-gov is of the partition
// aws-us-gov, which shares its domains with the commercial one.
var (
	awsRegionAreas      = names(`us eu ap sa ca me af il mx us-gov`)
	awsChinaRegionAreas = names(`cn`)
	awsDirections       = names(`north south east west central northeast northwest southeast southwest`)
)

func awsGlobalDomain(labels []string) bool {
	return len(labels) > 0 && (awsGlobal[strings.Join(labels, ".")+".amazonaws.com"] ||
		awsRegional(labels, awsRegionAreas) || awsOldS3(labels) || awsOldQueue(labels))
}

func awsChinaDomain(labels []string) bool {
	return len(labels) > 0 && (awsGlobal[strings.Join(labels, ".")+".amazonaws.com.cn"] ||
		awsRegional(labels, awsChinaRegionAreas))
}

// The dual-stack domains hold no S3: its dual-stack hosts are
// s3.dualstack.region.amazonaws.com.
func awsDualStackDomain(labels []string) bool {
	return len(labels) > 0 && (awsGlobal[strings.Join(labels, ".")+".api.aws"] || awsDualStack(labels, awsRegionAreas))
}

func awsChinaDualStackDomain(labels []string) bool {
	return len(labels) > 0 && (awsGlobal[strings.Join(labels, ".")+".api.amazonwebservices.com.cn"] ||
		awsDualStack(labels, awsChinaRegionAreas))
}

func awsDualStack(labels []string, areas map[string]bool) bool {
	service, ok := cutRegion(labels, areas)
	return ok && (awsService(service) || awsAccountHost(service))
}

func awsRegional(labels []string, areas map[string]bool) bool {
	service, ok := cutRegion(labels, areas)
	return ok && (awsService(service) || awsAccountHost(service) || awsS3(service))
}

// awsService tells whether the labels left of the region are a service's,
// "-fips" at the end of one of them aside.
func awsService(labels []string) bool {
	if awsServices[strings.Join(labels, ".")] {
		return true
	}
	for i, l := range labels {
		if plain, ok := strings.CutSuffix(l, "-fips"); ok {
			name := append(append([]string(nil), labels[:i]...), plain)
			return awsServices[strings.Join(append(name, labels[i+1:]...), ".")]
		}
	}
	return false
}

// awsAccountHost knows 123456789012.ddb.region, and Kinesis's, where the SDKs send
// what names a stream or a consumer by its ARN: 123456789012.data-kinesis.region
// and 123456789012.control-kinesis.region. Source: the endpoint rules of both
// services in the SDKs' models.
func awsAccountHost(labels []string) bool {
	if len(labels) != 2 || !isAccount(labels[0]) {
		return false
	}
	switch strings.TrimSuffix(labels[1], "-fips") {
	case "ddb", "control-kinesis", "data-kinesis":
		return true
	}
	return false
}

// awsS3 tells whether the labels left of the region are a host of Amazon S3:
//
//	[bucket.]s3  [bucket.]s3.dualstack  [account.]s3-control  name-account.s3-accesspoint
//	s3express-control  bucket--zone--x-s3.s3express-zone
//
// each also with -fips. s3-website serves pages and is not among them.
func awsS3(labels []string) bool {
	if objectLambda(labels) {
		return false
	}
	if n := len(labels); labels[n-1] == "dualstack" {
		if labels = labels[:n-1]; len(labels) == 0 {
			return false
		}
	}
	owner, service := labels[:len(labels)-1], labels[len(labels)-1]
	service = strings.TrimSuffix(service, "-fips")
	switch service {
	case "s3":
		return true // the owner, if any, is the bucket's name, dots and all
	case "s3-control":
		return len(owner) == 0 || len(owner) == 1 && isAccount(owner[0])
	case "s3express-control":
		return len(owner) == 0
	case "s3-accesspoint":
		return len(owner) == 1 && len(owner[0]) > 13 && owner[0][len(owner[0])-13] == '-' &&
			isAccount(owner[0][len(owner[0])-12:])
	}
	// Directory buckets are only reached in their zone: s3express-use1-az4.
	zone, ok := strings.CutPrefix(service, "s3express-")
	return ok && zone != "" && len(owner) == 1 && strings.HasSuffix(owner[0], "--x-s3")
}

// objectLambda tells the alias of an Object Lambda access point, which stands
// in a bucket's place and ends in --ol-s3 (S3 User Guide, "How to use a
// bucket-style alias for your S3 bucket Object Lambda access point"). The
// customer's function behind it chooses the reply's status, error code and
// message (S3 API Reference, WriteGetObjectResponse).
func objectLambda(labels []string) bool {
	for _, l := range labels {
		if strings.HasSuffix(l, "--ol-s3") {
			return true
		}
	}
	return false
}

// awsOldS3 knows the hosts of Amazon S3 that have no region of their own
// label: [bucket.]s3, [bucket.]s3-us-west-2, [bucket.]s3-external-1,
// bucket.s3-accelerate[.dualstack] and name.accesspoint.s3-global.
func awsOldS3(labels []string) bool {
	if objectLambda(labels) {
		return false
	}
	n := len(labels)
	switch last := labels[n-1]; {
	case last == "s3", last == "s3-external-1", last == "s3-fips-us-gov-west-1":
		return true
	case last == "s3-accelerate":
		return n > 1
	case last == "dualstack":
		return n > 2 && labels[n-2] == "s3-accelerate"
	case last == "s3-global":
		return n == 3 && labels[1] == "accesspoint"
	default:
		region, ok := strings.CutPrefix(last, "s3-")
		return ok && isRegion(region, awsRegionAreas)
	}
}

// awsOldQueue knows SQS's first regional hosts, us-west-2.queue.
func awsOldQueue(labels []string) bool {
	return len(labels) == 2 && labels[1] == "queue" && isRegion(labels[0], awsRegionAreas)
}

// cutRegion takes the region off the right; something must be left.
func cutRegion(labels []string, areas map[string]bool) (rest []string, ok bool) {
	n := len(labels) - 1
	if n < 1 || !isRegion(labels[n], areas) {
		return nil, false
	}
	return labels[:n], true
}

// isRegion tells whether s is area-direction-number with one of the areas.
func isRegion(s string, areas map[string]bool) bool {
	i := strings.LastIndexByte(s, '-')
	if i < 0 || !isDigits(s[i+1:]) || len(s)-i-1 > 2 {
		return false
	}
	s = s[:i]
	i = strings.LastIndexByte(s, '-')
	return i > 0 && areas[s[:i]] && awsDirections[s[i+1:]]
}

func isAccount(s string) bool { return len(s) == 12 && isDigits(s) }

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// names makes a read-only set of the words in list.
func names(list string) map[string]bool {
	set := make(map[string]bool)
	for _, name := range strings.Fields(list) {
		set[name] = true
	}
	return set
}
