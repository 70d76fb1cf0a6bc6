package mail

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// metrics of all accounts; the only labels are the account's and, for errors, the reason: both bounded.
type metrics struct {
	ingested, quarantined, filtered, sent *prometheus.CounterVec
	errors                                *prometheus.CounterVec
	connected, lastLook, unverified       *prometheus.GaugeVec
	pollsWaiting                          *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	account := []string{"namespace", "name"}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "ringmaster", Subsystem: "mail", Name: name, Help: help}, append(account[:2:2], labels...))
	}
	m := &metrics{
		ingested:    counter("ingested_total", "Mails stored as messages, duplicates aside."),
		quarantined: counter("quarantined_total", "Mails kept raw because nothing could be made of them."),
		filtered:    counter("filtered_total", "Mails left alone because a header filter did not accept them."),
		sent:        counter("sent_total", "Replies and system mails handed over to the SMTP server."),
		errors:      counter("errors_total", "Failures of connections, sign-ins and mails by reason.", "reason"),
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "ringmaster", Subsystem: "mail", Name: "connected",
			Help: "1 while this process holds a working IMAP connection of the account."}, account),
		lastLook: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "ringmaster", Subsystem: "mail", Name: "last_look_timestamp_seconds",
			Help: "When this process last looked through the account's mailbox to its end, in Unix time."}, account),
		unverified: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "ringmaster", Subsystem: "mail", Name: "certificate_not_verified",
			Help: "1 while this process works on the account and accepts any certificate of its servers."}, account),
		pollsWaiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "ringmaster", Subsystem: "mail", Name: "polls_waiting",
			Help: "Mailboxes that this process would look through now, but for maxConcurrentPolls."}, account[:1]),
	}
	if r != nil {
		r.MustRegister(m.ingested, m.quarantined, m.filtered, m.sent, m.errors, m.connected, m.lastLook, m.unverified, m.pollsWaiting)
	}
	return m
}

func (m *metrics) forget(key store.Key) {
	labels := prometheus.Labels{"namespace": key.Namespace, "name": key.Name}
	for _, v := range []*prometheus.CounterVec{m.ingested, m.quarantined, m.filtered, m.sent, m.errors} {
		v.DeletePartialMatch(labels)
	}
	for _, v := range []*prometheus.GaugeVec{m.connected, m.lastLook, m.unverified} {
		v.DeletePartialMatch(labels)
	}
}
