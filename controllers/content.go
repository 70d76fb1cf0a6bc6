package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// contentError says why content that somebody refers to cannot be had.
type contentError struct {
	// reason of a condition.
	reason, message string
	// passing: it may be had later without anybody's doing.
	passing bool
}

func (e *contentError) Error() string { return e.message }

// configMapContent reads one key of a ConfigMap of at most limit bytes. A *contentError says that it cannot be had.
func configMapContent(ctx context.Context, c client.Reader, namespace string, ref v1alpha1.ConfigMapKeyReference, limit int) ([]byte, error) {
	var m corev1.ConfigMap
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, &m)
	if apierrors.IsNotFound(err) {
		return nil, &contentError{reason: v1alpha1.ReasonContentMissing,
			message: fmt.Sprintf("ConfigMap %s does not exist or lacks the label %s", ref.Name, v1alpha1.ContentLabel)}
	} else if err != nil {
		return nil, fmt.Errorf("reading ConfigMap %s: %w", ref.Name, err)
	}
	content, ok := m.BinaryData[ref.Key]
	if !ok {
		var text string
		if text, ok = m.Data[ref.Key]; ok {
			content = []byte(text)
		}
	}
	switch {
	case !ok:
		return nil, &contentError{reason: v1alpha1.ReasonContentMissing, message: fmt.Sprintf("ConfigMap %s has no key %s", ref.Name, ref.Key)}
	case len(content) > limit:
		return nil, tooLarge(limit)
	}
	return content, nil
}

func tooLarge(limit int) error {
	return &contentError{reason: v1alpha1.ReasonContentTooLong, message: fmt.Sprintf("the content is larger than %d bytes", limit)}
}

// checkSum refuses content other than what was asked for; without a wanted sum any is right.
func checkSum(content []byte, wanted string) (sum string, err error) {
	digest := sha256.Sum256(content)
	sum = hex.EncodeToString(digest[:])
	if wanted != "" && sum != wanted {
		return "", &contentError{reason: v1alpha1.ReasonContentChanged, message: "the content's sha256 is " + sum}
	}
	return sum, nil
}

// downloadTimeout is less than a pass may take.
const downloadTimeout = 20 * time.Second

// maxRedirects of one download.
const maxRedirects = 5

// downloader fetches files that objects name by URL. What people write into objects must not make the manager talk to itself, to its machine's services
// or to a cloud's metadata service, so local addresses are refused where the connection is made, after every redirect and name.
type downloader struct{ client *http.Client }

func newDownloader(allowed func(netip.Addr) bool) *downloader {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(at.Addr().Unmap()) {
			return errors.New("local addresses are not connected to")
		}
		return nil
	}}
	return &downloader{&http.Client{
		Timeout: downloadTimeout,
		// The set names one server, and that one must not send the manager around its network.
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if first := via[0].URL; next.URL.Host != first.Host || next.URL.Scheme != first.Scheme || len(via) > maxRedirects {
				return errors.New("redirects to other servers are not followed")
			}
			return nil
		},
		// No proxy: it would connect to whatever it is asked for.
		Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 1, IdleConnTimeout: time.Second, TLSHandshakeTimeout: 10 * time.Second},
	}}
}

func notLocal(a netip.Addr) bool {
	return !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsInterfaceLocalMulticast()
}

// get fetches at most limit bytes. A *contentError says that it cannot be had; it does not repeat what the server said.
func (d *downloader) get(ctx context.Context, url string, limit int) ([]byte, error) {
	failed := func(message string) error {
		return &contentError{reason: v1alpha1.ReasonDownloadFailed, message: message, passing: true}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, failed("not a URL")
	}
	response, err := d.client.Do(request)
	if err != nil {
		return nil, failed(err.Error())
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, failed(fmt.Sprintf("the server answered %d", response.StatusCode))
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	switch {
	case err != nil:
		return nil, failed("the connection broke")
	case len(content) > limit:
		return nil, tooLarge(limit)
	}
	return content, nil
}
