package controllers

import (
	"context"
	"crypto/subtle"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// LinkTokens checks what pbxlets show against the Secret of their PBX.
type LinkTokens struct{ Reader client.Reader }

var errWrongToken = errors.New("wrong token")

// Authenticate accepts the token of the PBX "namespace/name". A Secret that cannot be read is Unavailable, not a wrong token.
func (l LinkTokens) Authenticate(ctx context.Context, pbx, token string) error {
	namespace, name := splitKey(pbx)
	var p v1alpha1.PBX
	if err := l.Reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &p); err != nil {
		return readError(err)
	}
	var s corev1.Secret
	if err := l.Reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: p.Name + "-link"}, &s); err != nil {
		return readError(err)
	}
	want := s.Data[linkToken]
	if len(want) == 0 || subtle.ConstantTimeCompare(want, []byte(token)) != 1 {
		return errWrongToken
	}
	return nil
}

func readError(err error) error {
	if apierrors.IsNotFound(err) {
		return errWrongToken
	}
	return status.Error(codes.Unavailable, "the token cannot be checked now")
}
