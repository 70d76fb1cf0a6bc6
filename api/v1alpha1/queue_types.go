package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// QueueSpec describes where interactions wait and who gets them.
// +kubebuilder:validation:XValidation:rule="self.channel == 'Voice' ? has(self.number) : !has(self.number)",message="number is required for channel Voice and forbidden for the others"
// +kubebuilder:validation:XValidation:rule="self.channel == 'Voice' || !has(self.voice)",message="voice is only for channel Voice"
// +kubebuilder:validation:XValidation:rule="self.channel != 'Voice' || !has(self.digital)",message="digital is not for channel Voice"
// +kubebuilder:validation:XValidation:rule="self.channel == 'Voice' ? self.strategy != 'BeepAll' : self.strategy in ['RRMemory', 'LeastRecent', 'BeepAll']",message="strategy: channel Email knows RRMemory, LeastRecent and BeepAll, which channel Voice does not know"
type QueueSpec struct {
	// displayName of the queue. Default: metadata.name.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	DisplayName string `json:"displayName,omitempty"`

	// channel of the interactions. Immutable. Default Voice.
	// +optional
	// +kubebuilder:default=Voice
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="channel is immutable"
	Channel QueueChannel `json:"channel,omitempty"`

	// number that callers dial, 2 to 10 digits, unique among agents and queues of the namespace. Voice only; it need not lie in the ranges of the
	// ContactCenter, which are for agents.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{2,10}$`
	Number string `json:"number,omitempty"`

	// strategy by which members are chosen. Voice knows Asterisk's eight; Email knows RRMemory (round robin that remembers where it left off),
	// LeastRecent, and BeepAll: an interaction is offered to all available members of the lowest penalty at once, counts for the capacity of each,
	// and the first who accepts has it; digital.offerTimeout ends the offers that are left together. Default RRMemory.
	// +optional
	// +kubebuilder:default=RRMemory
	Strategy QueueStrategy `json:"strategy,omitempty"`

	// members of the queue. An agent that several entries name gets the lowest penalty among them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	Members []QueueMember `json:"members,omitempty"`

	// voice timing; Voice only.
	// +optional
	Voice *QueueVoice `json:"voice,omitempty"`

	// digital timing; every channel but Voice.
	// +optional
	Digital *QueueDigital `json:"digital,omitempty"`

	// weight against other queues with the same members: when a member of several gets free, the heavier queue's caller or interaction comes first, however
	// long others have waited. Default 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	Weight int32 `json:"weight,omitempty"`

	// serviceLevel the queue is measured by: status.calls.withinServiceLevel, and status.interactions.withinServiceLevel of an Email queue.
	// +optional
	ServiceLevel *ServiceLevel `json:"serviceLevel,omitempty"`
}

// ServiceLevel is an answer time and how often it should be kept.
type ServiceLevel struct {
	// threshold within which answering a call, or accepting an interaction, is good, in whole seconds. Default 20s.
	// +optional
	// +kubebuilder:default="20s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="threshold must be between 1s and 1h"
	Threshold *metav1.Duration `json:"threshold,omitempty"`
	// target in percent of calls or interactions. It only colours serviceLevelMet of the status. Default 80.
	// +optional
	// +kubebuilder:default=80
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Target int32 `json:"target,omitempty"`
}

// QueueChannel is what a queue is made of.
// +kubebuilder:validation:Enum=Voice;Email
type QueueChannel string

// Channels.
const (
	ChannelVoice QueueChannel = "Voice"
	ChannelEmail QueueChannel = "Email"
)

// QueueStrategy chooses among members.
// +kubebuilder:validation:Enum=Ringall;LeastRecent;FewestCalls;Random;RRMemory;RROrdered;Linear;WRandom;BeepAll
type QueueStrategy string

// Strategies.
const (
	StrategyRingall     QueueStrategy = "Ringall"
	StrategyLeastRecent QueueStrategy = "LeastRecent"
	StrategyFewestCalls QueueStrategy = "FewestCalls"
	StrategyRandom      QueueStrategy = "Random"
	StrategyRRMemory    QueueStrategy = "RRMemory"
	StrategyRROrdered   QueueStrategy = "RROrdered"
	StrategyLinear      QueueStrategy = "Linear"
	StrategyWRandom     QueueStrategy = "WRandom"
	StrategyBeepAll     QueueStrategy = "BeepAll"
)

// QueueMember adds agents to a queue, in exactly one way.
// +kubebuilder:validation:ExactlyOneOf=agentRef;teamRef;agentSelector
type QueueMember struct {
	// agentRef is one agent.
	// +optional
	AgentRef *ObjectReference `json:"agentRef,omitempty"`
	// teamRef is every agent of a team.
	// +optional
	TeamRef *ObjectReference `json:"teamRef,omitempty"`
	// agentSelector is every agent whose labels match.
	// +optional
	AgentSelector *metav1.LabelSelector `json:"agentSelector,omitempty"`
	// penalty: members with a lower one are tried first. Default 0.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Penalty int32 `json:"penalty,omitempty"`
}

// QueueDigital is the timing of an e-mail queue.
type QueueDigital struct {
	// offerTimeout is how long an agent has to accept before the interaction is offered on. Default 30s.
	// +optional
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('168h')",message="offerTimeout must be between 1s and 168h"
	OfferTimeout *metav1.Duration `json:"offerTimeout,omitempty"`
	// wrapUpTime is how long an agent who closed or transferred an interaction of this queue is offered nothing by any Email queue. Offers that run already,
	// transfers to the agent and follow-ups reach the agent all the same. Default 0s.
	// +optional
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('1h')",message="wrapUpTime must be between 0s and 1h"
	WrapUpTime *metav1.Duration `json:"wrapUpTime,omitempty"`
}

// QueueStatus is who answers the queue.
type QueueStatus struct {
	CommonStatus `json:",inline"`
	// memberCount of effective members: teams and selectors resolved, deactivated agents left out.
	// +optional
	// +kubebuilder:default=0
	MemberCount int32 `json:"memberCount"`
	// readyMembers are signed in and not paused.
	// +optional
	// +kubebuilder:default=0
	ReadyMembers int32 `json:"readyMembers"`
	// members in effect, the first 1000.
	// +optional
	// +listType=map
	// +listMapKey=agent
	// +kubebuilder:validation:MaxItems=1000
	Members []EffectiveMember `json:"members,omitempty"`
	// calls of a voice queue, over all PBXes, since each Asterisk was started.
	// +optional
	Calls *QueueCalls `json:"calls,omitempty"`
	// interactions of an Email queue, of the last 24 hours, counted by the hour.
	// +optional
	Interactions *QueueInteractions `json:"interactions,omitempty"`
	// waiting interactions of a digital queue, waiting callers of a voice queue.
	// +optional
	// +kubebuilder:default=0
	Waiting int32 `json:"waiting"`
}

// QueueCalls are the figures of a voice queue.
type QueueCalls struct {
	// completed calls.
	// +optional
	// +kubebuilder:default=0
	Completed int32 `json:"completed"`
	// abandoned by the caller before an answer.
	// +optional
	// +kubebuilder:default=0
	Abandoned int32 `json:"abandoned"`
	// holdSeconds is how long callers wait, on average.
	// +optional
	// +kubebuilder:default=0
	HoldSeconds int32 `json:"holdSeconds"`
	// talkSeconds is how long calls last, on average.
	// +optional
	// +kubebuilder:default=0
	TalkSeconds int32 `json:"talkSeconds"`
	// withinServiceLevel is the share of calls answered within serviceLevel.threshold, in percent.
	// +optional
	// +kubebuilder:default=0
	WithinServiceLevel int32 `json:"withinServiceLevel"`
	// serviceLevelMet says whether that is at least serviceLevel.target; Unknown before the first call and without a serviceLevel.
	// +optional
	// +kubebuilder:validation:Enum=Met;Missed;Unknown
	ServiceLevelMet string `json:"serviceLevelMet,omitempty"`
}

// QueueInteractions are the figures of an Email queue.
type QueueInteractions struct {
	// accepted from the queue; follow-ups that reached their agent without it do not count.
	// +optional
	// +kubebuilder:default=0
	Accepted int32 `json:"accepted"`
	// waitSeconds is how long they had waited in the queue, on average.
	// +optional
	// +kubebuilder:default=0
	WaitSeconds int32 `json:"waitSeconds"`
	// withinServiceLevel is the share of them accepted within the serviceLevel.threshold of that time, in percent.
	// +optional
	// +kubebuilder:default=0
	WithinServiceLevel int32 `json:"withinServiceLevel"`
	// serviceLevelMet says whether that is at least serviceLevel.target; Unknown while nothing was accepted and without a serviceLevel.
	// +optional
	// +kubebuilder:validation:Enum=Met;Missed;Unknown
	ServiceLevelMet string `json:"serviceLevelMet,omitempty"`
}

// Values of QueueCalls.ServiceLevelMet and QueueInteractions.ServiceLevelMet.
const (
	ServiceLevelMet     = "Met"
	ServiceLevelMissed  = "Missed"
	ServiceLevelUnknown = "Unknown"
)

// EffectiveMember is an agent of the queue.
type EffectiveMember struct {
	// agent by name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Agent string `json:"agent"`
	// penalty in effect.
	// +optional
	Penalty int32 `json:"penalty,omitempty"`
}

// Queue is where calls or e-mails wait for its members.
//
// Conditions: Ready, MembersResolved and, for Voice, Provisioned.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=queues,shortName=qu,categories=ringmaster
// +kubebuilder:selectablefield:JSONPath=`.spec.channel`
// +kubebuilder:printcolumn:name="Channel",type=string,JSONPath=`.spec.channel`
// +kubebuilder:printcolumn:name="Number",type=string,JSONPath=`.spec.number`
// +kubebuilder:printcolumn:name="Strategy",type=string,JSONPath=`.spec.strategy`
// +kubebuilder:printcolumn:name="Members",type=integer,JSONPath=`.status.memberCount`
// +kubebuilder:printcolumn:name="On-Duty",type=integer,JSONPath=`.status.readyMembers`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waiting`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.spec.channel != 'Voice' || self.metadata.name != 'general'",message="metadata.name general is reserved by Asterisk"
type Queue struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec QueueSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status QueueStatus `json:"status,omitempty"`
}

// QueueList is a list of Queues.
// +kubebuilder:object:root=true
type QueueList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Queue `json:"items"`
}
