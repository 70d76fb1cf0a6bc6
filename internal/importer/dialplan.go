package importer

import (
	"strings"
	"time"

	"github.com/ringmaster-dev/ringmaster/internal/importer/asteriskconf"
)

// dialled is what the dialplan says of a queue.
type dialled struct {
	// number that callers dial.
	number string
	// wait is how long the dialplan lets them wait, 0 if it does not say.
	wait time.Duration
	from asteriskconf.Setting
}

// extensions looks in the dialplan for the numbers of queues: the first extension of digits only that leads straight to
// Queue(name). Nothing else of a dialplan is imported.
func (im *importer) extensions() {
	file := im.files["extensions.conf"]
	if file == nil {
		return
	}
	for _, s := range file.Sections {
		current := ""
		for _, setting := range s.Settings {
			var application string
			switch strings.ToLower(setting.Name) {
			case "exten":
				parts := strings.SplitN(setting.Value, ",", 3)
				if current = strings.TrimSpace(parts[0]); len(parts) == 3 {
					application = parts[2]
				}
			case "same":
				if parts := strings.SplitN(setting.Value, ",", 2); len(parts) == 2 {
					application = parts[1]
				}
			default:
				continue
			}
			if isExtension(current) {
				im.queueCall(current, strings.TrimSpace(application), setting)
			}
		}
	}
}

// queueCall remembers Queue(name,options,url,announcement,timeout,...).
func (im *importer) queueCall(number, application string, setting asteriskconf.Setting) {
	name, arguments, ok := strings.Cut(application, "(")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "Queue") {
		return
	}
	arguments = strings.TrimSuffix(strings.TrimSpace(arguments), ")")
	parts := strings.Split(arguments, ",")
	queue := strings.ToLower(strings.TrimSpace(parts[0]))
	if _, known := im.dialplan[queue]; known {
		return
	}
	d := dialled{number: number, from: setting}
	if len(parts) > 4 {
		d.wait, _ = seconds(parts[4])
	}
	im.dialplan[queue] = d
}
