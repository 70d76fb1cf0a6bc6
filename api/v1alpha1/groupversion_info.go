// Package v1alpha1 is the API of Ringmaster: the objects of a contact center.
//
// A namespace is a contact center. It holds exactly one ContactCenter, nothing refers across
// namespaces, and Secrets are only ever referred to, never embedded.
// +kubebuilder:object:generate=true
// +groupName=ringmaster.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion of every kind in this package.
	GroupVersion = schema.GroupVersion{Group: "ringmaster.dev", Version: "v1alpha1"}

	// SchemeBuilder collects the kinds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the kinds with a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Agent{}, &AgentList{},
		&AgentProfile{}, &AgentProfileList{},
		&CannedAnswerSet{}, &CannedAnswerSetList{},
		&ContactCenter{}, &ContactCenterList{},
		&ContactList{}, &ContactListList{},
		&DispositionSet{}, &DispositionSetList{},
		&EmailAccount{}, &EmailAccountList{},
		&MessageTemplate{}, &MessageTemplateList{},
		&PBX{}, &PBXList{},
		&Queue{}, &QueueList{},
		&RoutingFlow{}, &RoutingFlowList{},
		&Schedule{}, &ScheduleList{},
		&Team{}, &TeamList{},
		&Telephone{}, &TelephoneList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
