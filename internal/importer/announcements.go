package importer

import (
	"strings"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// announcements to callers and members.
func (q *queue) announcements() {
	q.sounds()
	if setting, ok := q.get("periodic-announce"); ok && setting.Value != "" {
		periodic := &v1alpha1.PeriodicAnnouncement{}
		for _, sound := range words(setting.Value, ",") {
			periodic.Sounds = append(periodic.Sounds, v1alpha1.SoundFile(sound))
		}
		q.voice().PeriodicAnnouncement = periodic
		q.fields["spec.voice.periodicAnnouncement"] = setting
		if setting, ok := q.get("periodic-announce-frequency"); ok {
			q.duration("spec.voice.periodicAnnouncement.interval", setting, &periodic.Interval)
		}
	}
	// Without a frequency app_queue announces neither position nor hold time, whatever else is said.
	if frequency, ok := q.Get("announce-frequency"); !ok || strings.Trim(frequency, "0") == "" {
		return
	}
	said := &q.voice().Announcements
	setting, _ := q.get("announce-frequency")
	q.duration("spec.voice.announcements.interval", setting, &said.Interval)
	if setting, ok := q.get("min-announce-frequency"); ok {
		q.duration("spec.voice.announcements.minInterval", setting, &said.MinInterval)
	}
	said.Position = "Always"
	if setting, ok := q.get("announce-position"); ok {
		q.fields["spec.voice.announcements.position"] = setting
		switch word := strings.ToLower(setting.Value); {
		case word == "limit":
			said.Position = "Limit"
		case word == "more":
			said.Position = "More"
		case !truth(word):
			said.Position = "Never"
		}
	}
	if said.Position == "Limit" || said.Position == "More" {
		said.PositionLimit = 5 // app_queue's default
		q.whole("announce-position-limit", "spec.voice.announcements.positionLimit", &said.PositionLimit)
	}
	if setting, ok := q.get("announce-holdtime"); ok {
		q.fields["spec.voice.announcements.holdTime"] = setting
		switch word := strings.ToLower(setting.Value); {
		case word == "once":
			said.HoldTime = "Once"
		case truth(word):
			said.HoldTime = "Always"
		default:
			said.HoldTime = "Never"
		}
	}
}

// sounds that are not Asterisk's own.
func (q *queue) sounds() {
	for _, sound := range []struct {
		option, path string
		into         func(*v1alpha1.QueueSounds) *v1alpha1.SoundFile
	}{
		{"queue-youarenext", "youAreNext", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.YouAreNext }},
		{"queue-thereare", "thereAre", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.ThereAre }},
		{"queue-callswaiting", "callsWaiting", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.CallsWaiting }},
		{"queue-quantity1", "moreThan", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.MoreThan }},
		{"queue-quantity2", "callersWaiting", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.CallersWaiting }},
		{"queue-holdtime", "holdTime", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.HoldTime }},
		{"queue-minute", "minute", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.Minute }},
		{"queue-minutes", "minutes", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.Minutes }},
		{"queue-seconds", "seconds", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.Seconds }},
		{"queue-thankyou", "thankYou", func(s *v1alpha1.QueueSounds) *v1alpha1.SoundFile { return &s.ThankYou }},
	} {
		setting, ok := q.get(sound.option)
		switch {
		case !ok || setting.Value == sound.option:
		case setting.Value == "":
			q.drop(setting, "a part of an announcement cannot be silenced: Asterisk's own sound is played")
		default:
			*sound.into(&q.voice().Announcements.Sounds) = v1alpha1.SoundFile(setting.Value)
			q.fields["spec.voice.announcements.sounds."+sound.path] = setting
		}
	}
}
