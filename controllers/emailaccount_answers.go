package controllers

import (
	"github.com/ringmaster-dev/ringmaster/api/v1alpha1"
	"github.com/ringmaster-dev/ringmaster/internal/store"
)

// answerSettings are what an account says about its answers, for the desk.
func answerSettings(e *v1alpha1.EmailAccount) store.AnswerSettings {
	return store.AnswerSettings{
		DispositionMandatory: e.Spec.Disposition.Mode == v1alpha1.DispositionMandatory,
		PauseWhileDisposing:  e.Spec.Disposition.PauseWhileDisposing == v1alpha1.Enabled,
		DispositionSets:      refNames(e.Spec.DispositionSetRefs),
		CannedAnswerSets:     refNames(e.Spec.CannedAnswerSetRefs),
	}
}
