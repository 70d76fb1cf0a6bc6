package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is what every kind of this group offers to code that treats them alike.
// +kubebuilder:object:generate=false
type Object interface {
	metav1.Object
	runtime.Object
	// CommonStatus is the shared part of the status, to be changed in place.
	CommonStatus() *CommonStatus
}

// CommonStatus implements Object.
func (a *Agent) CommonStatus() *CommonStatus { return &a.Status.CommonStatus }

// CommonStatus implements Object.
func (c *ContactCenter) CommonStatus() *CommonStatus { return &c.Status.CommonStatus }

// CommonStatus implements Object.
func (e *EmailAccount) CommonStatus() *CommonStatus { return &e.Status.CommonStatus }

// CommonStatus implements Object.
func (p *PBX) CommonStatus() *CommonStatus { return &p.Status.CommonStatus }

// CommonStatus implements Object.
func (q *Queue) CommonStatus() *CommonStatus { return &q.Status.CommonStatus }

// CommonStatus implements Object.
func (t *Team) CommonStatus() *CommonStatus { return &t.Status.CommonStatus }

// CommonStatus implements Object.
func (t *Telephone) CommonStatus() *CommonStatus { return &t.Status.CommonStatus }
