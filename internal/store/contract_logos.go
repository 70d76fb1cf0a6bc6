package store

import "context"

// Logo is the picture in an account's answers, where it was fetched.
type Logo struct {
	// URL it was fetched from.
	URL     string
	Content []byte
}

// Logos of accounts. They end with the account.
type Logos interface {
	// PutLogo replaces the account's. ErrNotFound: no such account.
	PutLogo(ctx context.Context, account Key, l Logo) error
	// DeleteLogo of an account; deleting none is no error.
	DeleteLogo(ctx context.Context, account Key) error
	// LogoURL is where an account's logo was fetched from, without the logo. ErrNotFound: there is none.
	LogoURL(ctx context.Context, account Key) (string, error)
	// GetLogo of an account. ErrNotFound: there is none.
	GetLogo(ctx context.Context, account Key) (Logo, error)
}
