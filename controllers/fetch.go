package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// retryDownload is the pause before a download that failed is tried again.
const retryDownload = time.Minute

// errBusy: others are downloading.
var errBusy = errors.New("busy")

// fetcher downloads one file for each object of a kind, at most two at a time. An object has many passes, so what was downloaded in vain is remembered and
// not tried again each time.
type fetcher struct {
	files *downloader
	// slots bounds how many passes wait for a download.
	slots  chan struct{}
	failed sync.Map // store.Key → failedFetch
}

type failedFetch struct {
	url string
	at  time.Time
	why *contentError
}

func newFetcher(files *downloader) *fetcher {
	return &fetcher{files: files, slots: make(chan struct{}, 2)}
}

// get downloads, but not again what was not what it should be, nor for a while what could not be had. Errors: errBusy, *contentError.
func (f *fetcher) get(ctx context.Context, object store.Key, url string, limit int) ([]byte, error) {
	if found, ok := f.failed.Load(object); ok {
		before := found.(failedFetch)
		if before.url == url && (!before.why.passing || time.Since(before.at) < retryDownload/2) {
			return nil, before.why
		}
		f.failed.Delete(object)
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		return nil, errBusy
	}
	return f.files.get(ctx, url, limit)
}

// settle remembers the outcome of a pass: of get, and of what was made of its answer. Without a URL there was nothing to fetch.
func (f *fetcher) settle(object store.Key, url string, err error) {
	problem := (*contentError)(nil)
	switch {
	case url != "" && errors.As(err, &problem):
		f.failed.LoadOrStore(object, failedFetch{url, time.Now(), problem})
	case !errors.Is(err, errBusy):
		f.failed.Delete(object)
	}
}
