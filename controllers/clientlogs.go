package controllers

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/clientlog"
)

// showClientLogs sets ClientLogsReady where a collector gets clients' logs. It does not count for Ready: a center works without.
func (k *centerKind) showClientLogs(ctx context.Context, c *v1alpha1.ContactCenter, s *scope) error {
	if c.Spec.ClientLogs.Sink != v1alpha1.ClientLogsOTLPSink {
		return nil
	}
	if c.Spec.ClientLogs.OTLP == nil {
		s.note(v1alpha1.ConditionClientLogsReady, metav1.ConditionFalse, v1alpha1.ReasonInvalid, "sink OTLP needs spec.clientLogs.otlp")
		return nil
	}
	problems, err := k.checker.ContactCenterCredentials(ctx, c)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		s.note(v1alpha1.ConditionClientLogsReady, metav1.ConditionFalse, problems[0].Reason, problems[0].Message)
		return nil
	}
	s.ok(v1alpha1.ConditionClientLogsReady, v1alpha1.ReasonSucceeded, "clients' logs are sent to the collector")
	return nil
}

// ClientLogCollector is where what the clients of a center (namespace) log goes.
func (d DeskSide) ClientLogCollector(ctx context.Context, namespace string) (clientlog.Config, error) {
	center, err := onlyCenter(ctx, d.Reader, namespace)
	if err != nil {
		return clientlog.Config{}, err
	}
	otlp := center.Spec.ClientLogs.OTLP
	if otlp == nil {
		return clientlog.Config{}, errors.New("the center names no collector of clients' logs")
	}
	cfg := clientlog.Config{Endpoint: otlp.Endpoint, Headers: map[string]string{}, Timeout: duration(otlp.Timeout, 10*time.Second), QueueSize: int(otlp.QueueSize)}
	if cfg.QueueSize == 0 {
		cfg.QueueSize = 1000
	}
	read := func(ref v1alpha1.SecretKeyReference) (string, error) {
		secret, err := mailSecret(ctx, d.Reader, namespace, ref.Name)
		if err != nil {
			return "", err
		}
		if len(secret.Data[ref.Key]) == 0 {
			return "", errors.New("Secret " + ref.Name + " has no key " + ref.Key)
		}
		return string(secret.Data[ref.Key]), nil
	}
	for _, h := range otlp.Headers {
		if cfg.Headers[h.Name], err = read(h.ValueSecretRef); err != nil {
			return clientlog.Config{}, err
		}
	}
	if otlp.CASecretRef != nil {
		if cfg.RootCAs, err = read(*otlp.CASecretRef); err != nil {
			return clientlog.Config{}, err
		}
	}
	return cfg, nil
}
