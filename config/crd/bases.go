// Package crd holds the CustomResourceDefinitions, for programs that judge an object without a cluster.
package crd

import "embed"

// Bases are the definitions as controller-gen writes them, in bases/.
//
//go:embed bases/*.yaml
var Bases embed.FS
