package env

import (
	"context"
	"errors"
	"time"
)

var errTODO = errors.New("todo")

type AsteriskOptions struct{ Name string }
type AsteriskServer struct{ *Process }

func (e *Env) StartAsterisk(ctx context.Context, opts AsteriskOptions) (*AsteriskServer, error) {
	_ = time.Now
	return nil, errTODO
}
