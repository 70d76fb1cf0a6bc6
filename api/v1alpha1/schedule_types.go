package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ScheduleSpec says when a center, or a part of it, is open. All hours are what the clock on the wall shows in the time zone: a time that
// occurs twice when clocks are put back means the first one, and one that does not occur when they are put forward means that moment. A range
// belongs to the day it begins on.
type ScheduleSpec struct {
	// timeZone is a name of the IANA time zone database, as in Europe/Rome or UTC.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`
	TimeZone string `json:"timeZone"`
	// weekly hours. Ranges may touch and overlap. Without any it is closed, apart from overrides.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Weekly []WeeklyHours `json:"weekly,omitempty"`
	// holidays on which no range of weekly begins. The night before one goes on to its end.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=366
	Holidays []Holiday `json:"holidays,omitempty"`
	// overrides are dates with hours of their own, in place of the weekly ones and even on a holiday.
	// +optional
	// +listType=map
	// +listMapKey=date
	// +kubebuilder:validation:MaxItems=366
	Overrides []ScheduleOverride `json:"overrides,omitempty"`
}

// HourRange is a range of hours.
// +kubebuilder:validation:XValidation:rule="self.from != self.to",message="from and to must differ; a whole day is 00:00 to 24:00"
type HourRange struct {
	// from is the first minute, HH:MM from 00:00 to 23:59.
	// +required
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	From string `json:"from"`
	// to is the end, HH:MM from 00:00 to 24:00, not part of the range. When it is before from it is on the next day.
	// +required
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:Pattern=`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`
	To string `json:"to"`
}

// WeeklyHours are a range of hours on some days of the week.
type WeeklyHours struct {
	HourRange `json:",inline"`
	// days on which the range begins.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=7
	Days []DayOfWeek `json:"days"`
}

// DayOfWeek by its English name.
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type DayOfWeek string

// Holiday is one date, or a day of every year.
// +kubebuilder:validation:XValidation:rule="has(self.date) != has(self.yearly)",message="exactly one of date and yearly is required"
type Holiday struct {
	// name of the holiday, for people who read the manifest; it has no effect.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Name string `json:"name,omitempty"`
	// date as YYYY-MM-DD.
	// +optional
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
	Date string `json:"date,omitempty"`
	// yearly is a day of every year as MM-DD; 02-29 only of leap years.
	// +optional
	// +kubebuilder:validation:MaxLength=5
	// +kubebuilder:validation:Pattern=`^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
	Yearly string `json:"yearly,omitempty"`
}

// ScheduleOverride is a date with hours of its own.
type ScheduleOverride struct {
	// date as YYYY-MM-DD.
	// +required
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
	Date string `json:"date"`
	// name of the occasion, for people who read the manifest; it has no effect.
	// +optional
	// +kubebuilder:validation:MaxLength=80
	// +kubebuilder:validation:Pattern=`^[^\x00-\x1f\x7f]*$`
	Name string `json:"name,omitempty"`
	// ranges that begin on this date. Without any it is closed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	Ranges []HourRange `json:"ranges,omitempty"`
}

// ScheduleState says whether a schedule is open.
// +kubebuilder:validation:Enum=Open;Closed
type ScheduleState string

// Values of ScheduleState.
const (
	ScheduleOpen   ScheduleState = "Open"
	ScheduleClosed ScheduleState = "Closed"
)

// ScheduleStatus is what is true of a schedule now.
type ScheduleStatus struct {
	CommonStatus `json:",inline"`
	// state now.
	// +optional
	State ScheduleState `json:"state,omitempty"`
	// nextChange is when the state changes next. Absent when that is more than two years away.
	// +optional
	NextChange *metav1.Time `json:"nextChange,omitempty"`
}

// Schedule is the opening hours of a center or of a part of it, for the conditions and waits of RoutingFlows.
//
// Conditions: Ready.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=schedules,shortName=sch,categories=ringmaster
// +kubebuilder:printcolumn:name="Zone",type=string,JSONPath=`.spec.timeZone`
// +kubebuilder:printcolumn:name="State",type=string,JSONPath=`.status.state`
// +kubebuilder:printcolumn:name="Until",type=string,JSONPath=`.status.nextChange`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Schedule struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// spec is what is wanted.
	// +required
	Spec ScheduleSpec `json:"spec"`
	// status is what is true now.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status ScheduleStatus `json:"status,omitempty"`
}

// ScheduleList is a list of Schedules.
// +kubebuilder:object:root=true
type ScheduleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Schedule `json:"items"`
}

// CommonStatus implements Object.
func (s *Schedule) CommonStatus() *CommonStatus { return &s.Status.CommonStatus }
