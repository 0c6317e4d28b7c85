package embedded

import (
	"context"

	"github.com/whittle-iam/whittle/sandbox/embedded/aws"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/moto"
	"github.com/whittle-iam/whittle/sandbox/embedded/aws/wire"
)

// simulateAWS puts AWS's gate before the state, which it takes over.
func simulateAWS(ctx context.Context, c Config, state *moto.Host) (simulation, error) {
	gate, err := aws.New(ctx, aws.Options{
		State: state, Account: c.Account, Propagation: c.Propagation, Open: c.Open, Audit: c.Audit, Trail: aws.Trail{Bucket: c.TrailBucket, Prefix: c.TrailPrefix}, Trace: c.Trace, Log: c.Log,
		Forms: wire.Forms{EncodedOnly: c.EncodedOnly, DetailedS3: c.DetailedS3},
	})
	if err != nil {
		return simulation{}, err
	}
	id, secret := gate.Operator()
	return simulation{
		gate: gate, world: gate, access: [2]string{id, secret}, close: state.Close, ledger: gate.Ledger(),
		domains: domains{"amazonaws.com", "amazonaws.com.cn", "api.aws"},
	}, nil
}
