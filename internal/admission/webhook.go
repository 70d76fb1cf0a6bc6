package admission

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
)

// None of these webhooks may ever stand in the way: a manager that does not answer is ignored, deletions are not asked
// about, and only kinds of the group ringmaster.dev and Secrets with its label are.
//
// +kubebuilder:webhookconfiguration:mutating=false,name=ringmaster-validation
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-agent,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=agents,verbs=create;update,versions=v1alpha1,name=agents.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-agentprofile,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=agentprofiles,verbs=create;update,versions=v1alpha1,name=agentprofiles.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-queue,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=queues,verbs=create;update,versions=v1alpha1,name=queues.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-team,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=teams,verbs=create;update,versions=v1alpha1,name=teams.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-emailaccount,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=emailaccounts,verbs=create;update,versions=v1alpha1,name=emailaccounts.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-contactcenter,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=contactcenters,verbs=create;update,versions=v1alpha1,name=contactcenters.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-telephone,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=telephones,verbs=create;update,versions=v1alpha1,name=telephones.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-pbx,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=pbxes,verbs=create;update,versions=v1alpha1,name=pbxes.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-messagetemplate,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=messagetemplates,verbs=create;update,versions=v1alpha1,name=messagetemplates.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-schedule,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=schedules,verbs=create;update,versions=v1alpha1,name=schedules.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate-ringmaster-dev-v1alpha1-routingflow,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups=ringmaster.dev,resources=routingflows,verbs=create;update,versions=v1alpha1,name=routingflows.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system
// +kubebuilder:webhook:path=/validate--v1-secret,mutating=false,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,matchPolicy=Equivalent,groups="",resources=secrets,verbs=create;update,versions=v1,name=secrets.admission.ringmaster.dev,admissionReviewVersions=v1,serviceName=ringmaster-webhook,serviceNamespace=ringmaster-system,patch=`{"objectSelector":{"matchExpressions":[{"key":"ringmaster.dev/credential","operator":"Exists"}]}}`

// ConfigurationName is the ValidatingWebhookConfiguration of these webhooks.
const ConfigurationName = "ringmaster-validation"

// SetupWebhooks serves the rules on the manager's webhook server. RegisterIndexes comes before it; checker.Rivals must be
// AnyHolder.
func SetupWebhooks(mgr ctrl.Manager, checker Checker) error {
	return firstError(
		serve(mgr, &v1alpha1.Agent{}, validator[*v1alpha1.Agent]{
			kind:  kindAgent,
			check: all(checker.Agent, checker.AgentName, checker.AgentCredentials),
			// The annotation takes part in a rule.
			asked:    func(a *v1alpha1.Agent) any { return []any{a.Spec, a.Annotations[v1alpha1.AllowInsecureWSAnnotation]} },
			warnings: checker.AgentWarnings,
		}),
		serve(mgr, &v1alpha1.AgentProfile{}, validator[*v1alpha1.AgentProfile]{
			kind: kindProfile,
			// One profile can decide all its rules; other objects only give reason to warn.
			check:    all[*v1alpha1.AgentProfile](),
			asked:    func(p *v1alpha1.AgentProfile) any { return p.Spec },
			warnings: checker.AgentProfileWarnings,
		}),
		serve(mgr, &v1alpha1.Telephone{}, validator[*v1alpha1.Telephone]{
			kind:     kindTelephone,
			check:    all(checker.Telephone, checker.TelephoneCredentials),
			asked:    func(t *v1alpha1.Telephone) any { return t.Spec },
			warnings: checker.TelephoneWarnings,
		}),
		serve(mgr, &v1alpha1.Queue{}, validator[*v1alpha1.Queue]{
			kind:  kindQueue,
			check: checker.Queue,
			asked: func(q *v1alpha1.Queue) any { return q.Spec },
		}),
		serve(mgr, &v1alpha1.Team{}, validator[*v1alpha1.Team]{
			kind:  kindTeam,
			check: checker.Team,
			asked: func(t *v1alpha1.Team) any { return t.Spec },
		}),
		serve(mgr, &v1alpha1.PBX{}, validator[*v1alpha1.PBX]{
			kind:     kindPBX,
			check:    checker.PBXCredentials,
			asked:    func(p *v1alpha1.PBX) any { return p.Spec },
			warnings: checker.PBXWarnings,
		}),
		serve(mgr, &v1alpha1.EmailAccount{}, validator[*v1alpha1.EmailAccount]{
			kind:     kindAccount,
			check:    all(checker.EmailAccount, checker.EmailAccountCredentials),
			asked:    func(e *v1alpha1.EmailAccount) any { return e.Spec },
			warnings: checker.EmailAccountWarnings,
		}),
		serve(mgr, &v1alpha1.MessageTemplate{}, validator[*v1alpha1.MessageTemplate]{
			kind:     kindTemplate,
			check:    checker.MessageTemplate,
			asked:    func(m *v1alpha1.MessageTemplate) any { return m.Spec },
			warnings: checker.MessageTemplateWarnings,
		}),
		serve(mgr, &v1alpha1.RoutingFlow{}, validator[*v1alpha1.RoutingFlow]{
			kind:  kindFlow,
			check: checker.RoutingFlow,
			asked: func(f *v1alpha1.RoutingFlow) any { return f.Spec },
		}),
		serve(mgr, &v1alpha1.Schedule{}, validator[*v1alpha1.Schedule]{
			kind:  kindSchedule,
			check: checker.Schedule,
			asked: func(s *v1alpha1.Schedule) any { return s.Spec },
		}),
		serve(mgr, &v1alpha1.ContactCenter{}, validator[*v1alpha1.ContactCenter]{
			kind:     kindCenter,
			check:    checker.ContactCenter,
			asked:    func(c *v1alpha1.ContactCenter) any { return c.Spec },
			warnings: checker.ContactCenterWarnings,
		}),
		serve(mgr, &corev1.Secret{}, secretValidator{checker}),
	)
}

func serve[T client.Object](mgr ctrl.Manager, object T, v admission.Validator[T]) error {
	if err := ctrl.NewWebhookManagedBy(mgr, object).WithValidator(v).Complete(); err != nil {
		return fmt.Errorf("webhook of %T: %w", object, err)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type checkFunc[T any] func(context.Context, T) ([]Problem, error)

func all[T any](checks ...checkFunc[T]) checkFunc[T] {
	return func(ctx context.Context, object T) ([]Problem, error) {
		var problems []Problem
		for _, check := range checks {
			found, err := check(ctx, object)
			if err != nil {
				return nil, err
			}
			problems = append(problems, found...)
		}
		return problems, nil
	}
}

// validator asks the rules of one kind.
type validator[T client.Object] struct {
	kind  string
	check checkFunc[T]
	// asked is the part of an object that the rules are about; a change of the rest passes.
	asked    func(T) any
	warnings func(context.Context, T) ([]string, error)
}

// ValidateCreate implements admission.Validator.
func (v validator[T]) ValidateCreate(ctx context.Context, object T) (admission.Warnings, error) {
	problems, err := v.check(ctx, object)
	return v.answer(ctx, object, problems, nil, err)
}

// ValidateUpdate implements admission.Validator. A problem the object had before does not stop a change that has nothing
// to do with it, least of all the controller's own: it becomes a warning.
func (v validator[T]) ValidateUpdate(ctx context.Context, old, object T) (admission.Warnings, error) {
	if object.GetDeletionTimestamp() != nil || equality.Semantic.DeepEqual(v.asked(old), v.asked(object)) {
		return nil, nil
	}
	problems, err := v.check(ctx, object)
	if err != nil || len(problems) == 0 {
		return v.answer(ctx, object, nil, nil, err)
	}
	before, err := v.check(ctx, old)
	known := map[string]bool{}
	for _, p := range before {
		known[p.String()] = true
	}
	return v.answer(ctx, object, problems, known, err)
}

// ValidateDelete implements admission.Validator; deletions are never asked about.
func (v validator[T]) ValidateDelete(context.Context, T) (admission.Warnings, error) { return nil, nil }

func (v validator[T]) answer(ctx context.Context, object T, problems []Problem, known map[string]bool, err error) (admission.Warnings, error) {
	kind := v1alpha1.GroupVersion.WithKind(v.kind).GroupKind()
	warnings, err := respond(ctx, kind, object.GetName(), problems, known, err)
	if v.warnings == nil {
		return warnings, err
	}
	return append(warnings, advice(ctx, object, v.warnings)...), err
}

// advice is what a request that passes is told. It is not worth a refusal when it cannot be found out.
func advice[T any](ctx context.Context, object T, ask func(context.Context, T) ([]string, error)) admission.Warnings {
	warnings, err := ask(ctx, object)
	if err != nil {
		log.FromContext(ctx).Error(err, "admission warnings could not be found out")
	}
	return warnings
}

// respond turns problems into a refusal that names them all. Those that end by themselves and those that are known are
// warnings. When the rules could not be asked the request passes, as it would without a manager: the reconcile asks again.
func respond(ctx context.Context, kind schema.GroupKind, name string, problems []Problem, known map[string]bool, err error) (admission.Warnings, error) {
	if err != nil {
		log.FromContext(ctx).Error(err, "admission rules could not be asked; the request passes")
		return admission.Warnings{"the rules of " + kind.String() + " that involve other objects could not be checked now; see the object's conditions"}, nil
	}
	var warnings admission.Warnings
	var refused field.ErrorList
	for _, p := range problems {
		if p.Waiting() || known[p.String()] {
			warnings = append(warnings, p.String())
			continue
		}
		refused = append(refused, p.fieldError())
	}
	if len(refused) == 0 {
		return warnings, nil
	}
	return warnings, apierrors.NewInvalid(kind, name, refused)
}

// secretValidator asks what labelled Secrets must contain.
type secretValidator struct{ checker Checker }

// ValidateCreate implements admission.Validator.
func (v secretValidator) ValidateCreate(ctx context.Context, secret *corev1.Secret) (admission.Warnings, error) {
	return v.validate(ctx, nil, secret)
}

// ValidateUpdate implements admission.Validator.
func (v secretValidator) ValidateUpdate(ctx context.Context, old, secret *corev1.Secret) (admission.Warnings, error) {
	if secret.DeletionTimestamp != nil {
		return nil, nil
	}
	return v.validate(ctx, old, secret)
}

// ValidateDelete implements admission.Validator; deletions are never asked about.
func (secretValidator) ValidateDelete(context.Context, *corev1.Secret) (admission.Warnings, error) {
	return nil, nil
}

func (v secretValidator) validate(ctx context.Context, old, secret *corev1.Secret) (admission.Warnings, error) {
	problems, known, err := v.checker.Secret(ctx, old, secret)
	warnings, err := respond(ctx, corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), secret.Name, problems, nil, err)
	for _, p := range known {
		warnings = append(warnings, p.String())
	}
	return append(warnings, advice(ctx, secret, v.checker.SecretWarnings)...), err
}
