package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

func TestAcceptAnyCertificate(t *testing.T) {
	for name, test := range map[string]struct {
		permission v1alpha1.Permission
		imap, smtp v1alpha1.CertificateValidation
		want       []string
	}{
		"allowed":  {v1alpha1.Allowed, v1alpha1.CertificateAcceptAny, v1alpha1.CertificateAcceptAny, nil},
		"verified": {v1alpha1.Denied, v1alpha1.CertificateVerify, v1alpha1.CertificateVerify, nil},
		"denied": {v1alpha1.Denied, v1alpha1.CertificateAcceptAny, v1alpha1.CertificateAcceptAny,
			[]string{"spec.imap.certificateValidation", "spec.smtp.certificateValidation"}},
	} {
		t.Run(name, func(t *testing.T) {
			cc := center("main", 1)
			cc.Spec.Security.AcceptAnyCertificate = test.permission
			a := account("info", 1, "INFO", "info@example.com")
			a.Spec.IMAP.CertificateValidation, a.Spec.SMTP.CertificateValidation = test.imap, test.smtp
			for _, rivals := range []Rivals{AnyHolder, OlderHolder} {
				problems, err := Checker{Reader: reader(t, cc), Rivals: rivals}.EmailAccount(t.Context(), a)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, p := range problems {
					if p.Reason != v1alpha1.ReasonAcceptAnyDenied || p.Waiting() {
						t.Errorf("problem %v", p)
					}
					got = append(got, p.Field.String())
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestAppPasswordWarning(t *testing.T) {
	const warning = "spec.authentication.basic.passwordSecretRef: Gmail takes app passwords, which have 16 letters, and the one in Secret box has not"
	for name, test := range map[string]struct {
		service  v1alpha1.EmailService
		password string
		label    string
		want     []string
	}{
		"letters":     {v1alpha1.ServiceGmail, "abcdefghijklmnop", "x", nil},
		"as shown":    {v1alpha1.ServiceGmail, "abcd efgh ijkl mnop", "x", nil},
		"a person's":  {v1alpha1.ServiceGmail, "correct horse battery", "x", []string{warning}},
		"not read":    {v1alpha1.ServiceGmail, "short", "", nil},
		"not Gmail's": {v1alpha1.ServiceYahoo, "short", "x", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := account("info", 1, "INFO", "info@example.com")
			a.Spec.Service = test.service
			a.Spec.Authentication.Basic = &v1alpha1.BasicAuthentication{PasswordSecretRef: v1alpha1.SecretKeyReference{Name: "box", Key: "password"}}
			warnings, err := Checker{Reader: reader(t, secret("box", test.label, map[string]string{"password": test.password}))}.EmailAccountWarnings(t.Context(), a)
			checkWarnings(t, warnings, err, test.want)
		})
	}
	a := account("info", 1, "INFO", "info@example.com")
	a.Spec.Service = v1alpha1.ServiceGmail
	a.Spec.Authentication.Basic = &v1alpha1.BasicAuthentication{PasswordSecretRef: v1alpha1.SecretKeyReference{Name: "absent", Key: "password"}}
	warnings, err := Checker{Reader: reader(t)}.EmailAccountWarnings(t.Context(), a)
	checkWarnings(t, warnings, err, nil)
}
