package store

import "context"

// Avatar is an agent's picture.
type Avatar struct {
	// Source says what it was made of; the same source gives the same picture.
	Source string
	// SHA256 of Content in hex, and its media type.
	SHA256, ContentType string
	// Content is empty where only the rest is asked for.
	Content []byte
}

// Avatars of agents. They end with the agent.
type Avatars interface {
	// PutAvatar replaces the agent's. ErrNotFound: no such agent.
	PutAvatar(ctx context.Context, agent Key, a Avatar) error
	// DeleteAvatar of an agent; deleting none is no error.
	DeleteAvatar(ctx context.Context, agent Key) error
	// AvatarOf an agent without its content. ErrNotFound: there is none.
	AvatarOf(ctx context.Context, agent Key) (Avatar, error)
	// GetAvatar of an agent. ErrNotFound: there is none.
	GetAvatar(ctx context.Context, agent Key) (Avatar, error)
}
