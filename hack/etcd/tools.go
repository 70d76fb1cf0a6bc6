//go:build tools

// Package etcd pins the etcd that the development environment runs.
package etcd

import _ "go.etcd.io/etcd/server/v3"
