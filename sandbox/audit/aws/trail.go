package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/whittle-iam/whittle/harness/audit"
	"github.com/whittle-iam/whittle/harness/audit/form"
	"github.com/whittle-iam/whittle/harness/grant"
)

// Sources of this file: CloudTrail User Guide, "Finding your CloudTrail log files":
// PREFIX/AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_TIME_UNIQUE.json.gz,
// of which TIME is when the file was delivered, in UTC to the minute; an organization's
// trail has its id between AWSLogs and ACCOUNT.

// Who can write into the bucket can put a file there that is none of CloudTrail's. So
// these bound what is taken of one, and of all.
const (
	maxPacked   = 64 << 20  // bytes of one file
	maxUnpacked = 256 << 20 // bytes of one file
	maxFiles    = 20_000    // in one question
)

// after is how long after the last event in question a file is looked for: four times
// what CloudTrail says that an event takes at most.
const after = 4 * Latest

// Trail is where a trail delivers its log files: management events, and data events
// where it is told to have them.
type Trail struct {
	Bucket string
	// Prefix is what stands before AWSLogs, or all up to the account.
	Prefix string
}

// Needs is what the operator must hold beside what an operator needs, to read the
// trail's files; nothing where there is no trail.
func (t Trail) Needs() grant.Set {
	if t.Bucket == "" {
		return grant.Set{}
	}
	bucket := "arn:aws:s3:::" + t.Bucket
	return grant.Of(grant.Grant{Permission: "s3:ListBucket", Resource: bucket}, grant.Grant{Permission: "s3:GetObject", Resource: bucket + "/" + t.logs() + "/*"})
}

// logs is the folder that has the accounts.
func (t Trail) logs() string {
	switch {
	case t.Prefix == "":
		return "AWSLogs"
	case slices.Contains(strings.Split(t.Prefix, "/"), "AWSLogs"):
		return t.Prefix
	}
	return t.Prefix + "/AWSLogs"
}

// folder is where the files of one day are.
func (t Trail) folder(account, region string, day time.Time) string {
	return t.logs() + "/" + account + "/CloudTrail/" + region + "/" + day.Format("2006/01/02") + "/"
}

const minute = "20060102T1504Z"

var fileName = regexp.MustCompile(`^([0-9]{12})_CloudTrail_([a-z0-9-]+)_([0-9]{8}T[0-9]{4}Z)_[A-Za-z0-9]+\.json\.gz$`)

// delivered is when a log file of an account and region was delivered; false where key
// is called otherwise than such a file in folder.
func delivered(key, folder, account, region string) (at time.Time, ok bool) {
	name, ok := strings.CutPrefix(key, folder)
	m := fileName.FindStringSubmatch(name)
	if !ok || m == nil || m[1] != account || m[2] != region {
		return at, false
	}
	at, err := time.Parse(minute, m[3])
	return at, err == nil
}

// files reads a trail's files. What was read once is kept: CloudTrail never changes a
// file.
type files struct {
	trail Trail
	api   func(region string) *s3.Client
	// packed and unpacked are the most that is taken of one file, in bytes.
	packed, unpacked int64
	// region is the bucket's, as far as it is known.
	region string
	// read are the entries of whoever was asked for, by key and roles.
	read map[string][]audit.Entry
}

// entries gives what the files have of the roles, from one time to another.
func (f *files) entries(ctx context.Context, roles, regions []string, from, to time.Time) ([]audit.Entry, error) {
	var keys []string
	for _, account := range accounts(roles) {
		for _, region := range regions {
			more, err := f.keys(ctx, account, region, from, to, maxFiles-len(keys))
			if err != nil {
				return nil, f.listing(region, err)
			}
			keys = append(keys, more...)
		}
	}
	var all []audit.Entry
	who := "\x00" + strings.Join(roles, "\x00")
	for _, key := range keys {
		got, ok := f.read[key+who]
		if !ok {
			var err error
			if got, err = f.file(ctx, key, roles); err != nil {
				return nil, fmt.Errorf("s3://%s/%s: %w%s", f.trail.Bucket, key, err, next(err, "s3:GetObject on the trail's files, and kms:Decrypt on their key if they have one"))
			}
			f.read[key+who] = got
		}
		for _, e := range got {
			if !e.Time.Before(from) && !e.Time.After(to) {
				all = append(all, e)
			}
		}
	}
	return all, nil
}

func (f *files) listing(region string, err error) error {
	return fmt.Errorf("list the files of trail s3://%s in %s: %w%s", f.trail.Bucket, region, err, next(err, "s3:ListBucket on the bucket"))
}

// accounts are those of some ARNs.
func accounts(arns []string) (all []string) {
	for _, arn := range arns {
		if part := strings.SplitN(arn, ":", 6); len(part) == 6 && !slices.Contains(all, part[4]) {
			all = append(all, part[4])
		}
	}
	return all
}

// keys lists the files that can have events from one time to another, at most so many.
func (f *files) keys(ctx context.Context, account, region string, from, to time.Time, most int) (all []string, err error) {
	from, to = from.UTC().Truncate(time.Minute), to.UTC().Add(after)
	if now := time.Now().UTC(); to.After(now) {
		to = now.Add(time.Minute) // no file is of the future, but clocks differ
	}
	for day := from.Truncate(24 * time.Hour); !day.After(to); day = day.Add(24 * time.Hour) {
		folder := f.trail.folder(account, region, day)
		begin := folder + account + "_CloudTrail_" + region + "_"
		if day.Before(from) {
			begin += from.Format(minute)
		}
		in := &s3.ListObjectsV2Input{Bucket: &f.trail.Bucket, Prefix: &folder, StartAfter: &begin}
		for more := true; more; {
			page, err := f.list(ctx, in)
			if err != nil {
				return nil, err
			}
			for _, o := range page.Contents {
				at, ok := delivered(awssdk.ToString(o.Key), folder, account, region)
				if !ok || at.Before(from) || at.After(to) {
					continue
				}
				if len(all) == most {
					return nil, fmt.Errorf("more than %d files; ask for less time", maxFiles)
				}
				all = append(all, *o.Key)
			}
			more = awssdk.ToBool(page.IsTruncated) && page.NextContinuationToken != nil
			in.ContinuationToken = page.NextContinuationToken
		}
	}
	return all, nil
}

// list is one page; a bucket of another region says which it is.
func (f *files) list(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	page, err := f.api(f.region).ListObjectsV2(ctx, in)
	var reply *awshttp.ResponseError
	if errors.As(err, &reply) && reply.Response != nil {
		if at := reply.Response.Header.Get("X-Amz-Bucket-Region"); at != "" && at != f.region && (reply.HTTPStatusCode() == 301 || reply.HTTPStatusCode() == 400) {
			f.region = at
			return f.api(f.region).ListObjectsV2(ctx, in)
		}
	}
	return page, err
}

// file reads one file's events of the roles.
func (f *files) file(ctx context.Context, key string, roles []string) ([]audit.Entry, error) {
	o, err := f.api(f.region).GetObject(ctx, &s3.GetObjectInput{Bucket: &f.trail.Bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer o.Body.Close()
	packed, err := io.ReadAll(io.LimitReader(o.Body, f.packed+1))
	if err != nil {
		return nil, err
	}
	if int64(len(packed)) > f.packed {
		return nil, fmt.Errorf("more than %d bytes: no file of CloudTrail's is so large", f.packed)
	}
	records, err := form.Unpack(packed, f.unpacked)
	if err != nil {
		return nil, fmt.Errorf("no log file of CloudTrail's: %w", err)
	}
	var all []audit.Entry
	for i, r := range records {
		got, err := event(r, roles)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
		all = append(all, got...)
	}
	return all, nil
}
