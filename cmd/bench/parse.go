package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The log that parse is measured on: bytes of a TF_LOG=trace log, and one refusal
// in so many of them.
const (
	traceSize  = 200 << 20
	everyBytes = 8 << 20
	lineSize   = 1 << 30
	rounds     = 3
	dense      = 10_000
)

// parseLog compares whittle parse with a grep for the words of a refusal, turn by
// turn, on a trace log in which refusals are rare, and watches its memory there
// and on one line of 1 GiB.
func parseLog(ctx context.Context, whittle, work string) ([]figure, error) {
	path := filepath.Join(work, "trace.log")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	refusals, err := writeTrace(f, traceSize, everyBytes)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var ours, greps time.Duration
	peak := 0
	for range rounds {
		began := time.Now()
		grep := exec.CommandContext(ctx, "grep", "-cE", "AccessDenied|not authorized|403", path)
		if out, err := grep.Output(); err != nil {
			return nil, fmt.Errorf("grep: %w: %s", err, out)
		}
		greps += time.Since(began)

		began = time.Now()
		found, kib, _, err := parseOnce(ctx, whittle, path, nil)
		if err != nil {
			return nil, err
		}
		ours += time.Since(began)
		peak = max(peak, kib)
		if found != refusals {
			return nil, fmt.Errorf("whittle parse found %d of %d refusals in the trace log", found, refusals)
		}
	}
	line := io.MultiReader(io.LimitReader(&repeated{text: "no line breaks here, "}, lineSize),
		strings.NewReader(refusalLine(0)))
	found, linePeak, _, err := parseOnce(ctx, whittle, "-", line)
	if err != nil {
		return nil, err
	}
	if found != 1 {
		return nil, fmt.Errorf("whittle parse found %d refusals behind a line of 1 GiB", found)
	}
	note := fmt.Sprintf("a trace log of %d MiB with %d refusals, %d rounds, turn by turn", traceSize>>20, refusals, rounds)
	figures := []figure{
		{"parse_over_grep", ours.Seconds() / greps.Seconds(), "ratio", note + "; target at most 3"},
		{"parse_time", ours.Seconds() / rounds, "s", "whittle parse of that log"},
		{"grep_time", greps.Seconds() / rounds, "s", "grep -cE 'AccessDenied|not authorized|403' of that log"},
		{"parse_peak_memory", float64(peak) / 1024, "MiB", "peak resident size of whittle parse on that log; target under 64"},
		{"parse_line_peak_memory", float64(linePeak) / 1024, "MiB", "the same on one line of 1 GiB; target under 64"},
	}
	for _, cloud := range []string{"aws", "gcp", "azure"} {
		var log strings.Builder
		for i := range dense {
			log.WriteString(denseLine(cloud, i))
		}
		found, _, cpu, err := parseOnce(ctx, whittle, "-", strings.NewReader(log.String()))
		if err != nil {
			return nil, err
		}
		if found != dense {
			return nil, fmt.Errorf("whittle parse found %d of %d refusals of %s", found, dense, cloud)
		}
		figures = append(figures, figure{"parse_dense_" + cloud, cpu.Seconds(), "s", fmt.Sprintf("processor time of %d different refusals and nothing else, %.1f MB", dense, float64(log.Len())/1e6)})
	}
	return figures, nil
}

// denseLine is a log's line that is a refusal, a different one for each number.
func denseLine(cloud string, i int) string {
	switch cloud {
	case "gcp":
		return fmt.Sprintf("Error: Error creating Topic: googleapi: Error 403: Permission 'pubsub.topics.create' denied on resource 'projects/example/topics/jobs-%d' (or it may not exist)., forbidden\n", i)
	case "azure":
		return fmt.Sprintf("(AuthorizationFailed) The client 'ci' with object id '11111111-2222-3333-4444-555555555555' does not have authorization to perform action 'Microsoft.Network/virtualNetworks/write' "+
			"over scope '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/demo-%d' or the scope is invalid.\n", i)
	}
	return refusalLine(i)
}

// parseOnce runs whittle parse and gives how many refusals it found, its peak
// memory in KiB and the processor time that it took.
func parseOnce(ctx context.Context, whittle, path string, stdin io.Reader) (found, peakKiB int, cpu time.Duration, err error) {
	c := exec.CommandContext(ctx, whittle, "parse", "--json", path)
	c.Stdin = stdin
	var stdout, stderr strings.Builder
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		return 0, 0, 0, err
	}
	done, peak := make(chan struct{}), make(chan int)
	go func() { peak <- peakMemory(c.Process.Pid, done) }()
	err = c.Wait()
	close(done)
	peakKiB = <-peak
	if err != nil {
		return 0, 0, 0, fmt.Errorf("whittle parse: %w: %s", err, stderr.String())
	}
	var denials []json.RawMessage
	if err := json.Unmarshal([]byte(stdout.String()), &denials); err != nil {
		return 0, 0, 0, fmt.Errorf("whittle parse --json: %w", err)
	}
	return len(denials), peakKiB, c.ProcessState.UserTime(), nil
}

// writeTrace writes what Terraform and the AWS provider write with TF_LOG=trace,
// the same bytes each time, with one refusal in every so many bytes, and tells how
// many they are.
func writeTrace(w io.Writer, size, every int64) (refusals int, err error) {
	b := bufio.NewWriterSize(w, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	next := every
	for n := int64(0); n < size && err == nil; {
		line := traceLine(random)
		if n >= next {
			line = refusalLine(refusals)
			refusals++
			next += every
		}
		var k int
		k, err = b.WriteString(line)
		n += int64(k)
	}
	return refusals, errors.Join(err, b.Flush())
}

// traceLine is one line of the kinds that such a log is full of.
func traceLine(random *rand.Rand) string {
	at := fmt.Sprintf("2026-05-14T13:%02d:%02d.%03dZ ", random.IntN(60), random.IntN(60), random.IntN(1000))
	id := fmt.Sprintf("%08x-%04x-%04x-%012x", random.Uint32(), random.IntN(1<<16), random.IntN(1<<16), random.Int64N(1<<48))
	switch random.IntN(5) {
	case 0:
		return at + "[TRACE] dag/walk: vertex \"module.network.aws_subnet.private[" + id + "]\" is waiting for \"module.network.aws_vpc.main\"\n"
	case 1:
		return at + "[DEBUG] provider.terraform-provider-aws_v5.100.0_x5: HTTP Request Sent: aws.region=us-east-1 http.method=POST http.url=https://ec2.us-east-1.amazonaws.com/ rpc.method=DescribeSubnets rpc.service=EC2 tf_req_id=" + id + "\n"
	case 2:
		return at + "[DEBUG] provider.terraform-provider-aws_v5.100.0_x5: HTTP Response Received: http.status_code=200 http.response.header.x_amzn_requestid=" + id + " http.response.body=| <?xml version=\"1.0\"?><DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-" + id[:8] + "</subnetId><state>available</state></item></subnetSet></DescribeSubnetsResponse>\n"
	case 3:
		return at + "[TRACE] provider.terraform-provider-aws_v5.100.0_x5: Called downstream: tf_data_source_type=aws_iam_policy_document tf_rpc=ReadDataSource tf_proto_version=5.9 tf_req_id=" + id + "\n"
	}
	return at + "[TRACE] statemgr.Filesystem: state file backups are disabled; no change to serial " + id + "\n"
}

// refusalLine is the line of one refusal, a different one for each number.
func refusalLine(i int) string {
	return fmt.Sprintf("2026-05-14T13:00:00.000Z [ERROR] provider.terraform-provider-aws_v5.100.0_x5: Response contains error diagnostic: diagnostic_summary=\"operation error SQS: CreateQueue, https response error StatusCode: 403, RequestID: 1, "+
		"api error AccessDenied: User: arn:aws:sts::111122223333:assumed-role/ci/s is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:111122223333:jobs-%d because no identity-based policy allows the sqs:createqueue action\"\n", i)
}

// repeated gives a text over and over.
type repeated struct {
	text string
	at   int
}

// Read implements io.Reader.
func (r *repeated) Read(p []byte) (int, error) {
	for i := 0; i < len(p); {
		n := copy(p[i:], r.text[r.at:])
		i += n
		if r.at += n; r.at == len(r.text) {
			r.at = 0
		}
	}
	return len(p), nil
}
