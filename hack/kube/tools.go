//go:build tools

// Package kube pins the Kubernetes control plane that the development
// environment runs. The staging modules are replaced by their published
// counterparts because a released k8s.io/kubernetes refers to them by path.
package kube

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
