package desk

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/ringmaster-dev/ringmaster/internal/security"
)

// Code is the stable name of a problem; clients decide by it, never by the texts.
type Code string

// Codes of the desk API. Their statuses are in codeStatus and their explanations in docs/reference/desk-problems.md.
const (
	CodeAuthRequired       Code = "AUTH_REQUIRED"
	CodeAuthFormat         Code = "AUTH_FORMAT"
	CodeAuthFailed         Code = "AUTH_FAILED"
	CodeAccountDeactivated Code = "ACCOUNT_DEACTIVATED"
	CodeRateLimited        Code = "RATE_LIMITED"
	CodeCurrentPassword    Code = "CURRENT_PASSWORD_WRONG"
	CodePasswordEnforced   Code = "PASSWORD_ENFORCED"
	CodePasswordExpired    Code = "PASSWORD_EXPIRED"
	CodePasswordPolicy     Code = "PASSWORD_POLICY"
	CodePasswordReused     Code = "PASSWORD_REUSED"
	CodeResetUnavailable   Code = "PASSWORD_RESET_UNAVAILABLE"
	CodeLinkGone           Code = "PASSWORD_LINK_GONE"
	CodeSIPUnavailable     Code = "SIP_SECRET_UNAVAILABLE"
	CodePermissionDenied   Code = "PERMISSION_DENIED"
	CodeClientLogsOff      Code = "CLIENT_LOGS_DISABLED"
	CodeNotFound           Code = "NOT_FOUND"
	CodeMethodNotAllowed   Code = "METHOD_NOT_ALLOWED"
	CodeConflict           Code = "CONFLICT"
	CodeOfferGone          Code = "OFFER_GONE"
	CodeNotOpen            Code = "NOT_OPEN"
	CodeDuplicateFilter    Code = "DUPLICATE_FILTER_ATTRIBUTE"
	CodeExportTooLarge     Code = "EXPORT_TOO_LARGE"
	CodeMarkUnreadDenied   Code = "MARK_UNREAD_DENIED"
	CodeTransferDenied     Code = "TRANSFER_DENIED"
	CodeTransferTarget     Code = "TRANSFER_TARGET"
	CodeNotUnread          Code = "NOT_UNREAD"
	CodeCapacityReached    Code = "CAPACITY_REACHED"
	CodeTooMuch            Code = "TOO_MUCH"
	CodeKeyReused          Code = "IDEMPOTENCY_KEY_REUSED"
	CodeDraftChanged       Code = "DRAFT_CHANGED"
	CodeContactKnown       Code = "CONTACT_KNOWN"
	CodeContactChanged     Code = "CONTACT_CHANGED"
	CodeContactsRefused    Code = "CONTACTS_REFUSED"
	CodeAccountInactive    Code = "ACCOUNT_INACTIVE"

	CodeDispositionRequired Code = "DISPOSITION_REQUIRED"
	CodeDispositionUnknown  Code = "DISPOSITION_UNKNOWN"
	CodeDisposing           Code = "DISPOSING"
	CodeCannedAnswerUnknown Code = "CANNED_ANSWER_UNKNOWN"

	CodeNotSendable      Code = "NOT_SENDABLE"
	CodePhonebarControls Code = "PHONEBAR_CONTROLS_PRESENCE"
	CodeHotDeskDenied    Code = "HOT_DESK_DENIED"
	CodeTelephoneTaken   Code = "TELEPHONE_TAKEN"
	CodeNotSignedIn      Code = "NOT_SIGNED_IN"
	CodeForwardingDenied Code = "FORWARDING_DENIED"
	CodeNumberForbidden  Code = "NUMBER_FORBIDDEN"
	CodeRecordingDenied  Code = "RECORDING_DENIED"
	CodeRecordingLimit   Code = "RECORDING_LIMIT"
	CodeRecordingState   Code = "RECORDING_STATE"
	CodeCallNotUp        Code = "CALL_NOT_UP"
	CodePBXUnavailable   Code = "PBX_UNAVAILABLE"
	CodeValidation       Code = "VALIDATION"
	CodeTooLarge         Code = "TOO_LARGE"
	CodeUnsupportedMedia Code = "UNSUPPORTED_MEDIA_TYPE"
	CodeTimeout          Code = "TIMEOUT"
	CodeUnavailable      Code = "UNAVAILABLE"
	CodeInternal         Code = "INTERNAL"
)

// Schema lists the codes in the OpenAPI document.
func (Code) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		s.Enum = append(s.Enum, code)
	}
	return s
}

// codeInfo is what a code always means.
type codeInfo struct {
	status int
	title  string
	// help tells a client's developer what to do; it goes into the reference.
	help string
}

var codes = map[Code]codeInfo{
	CodeAuthRequired: {http.StatusUnauthorized, "Sign-in required",
		"The request has no Authorization header. Sign in with POST /v1/login and send the token as `Authorization: Bearer TOKEN`."},
	CodeAuthFormat: {http.StatusUnauthorized, "Unknown authorization format",
		"The Authorization header is not exactly one `Bearer TOKEN` with a token as POST /v1/login returned it. Tokens in the URL are not accepted."},
	CodeAuthFailed: {http.StatusUnauthorized, "Sign-in failed",
		"At sign-in: the user name or the password is wrong, the account is locked after too many wrong passwords, or the user name exists in several centers and none was named; which of these is not told. Elsewhere: the session has ended; sign in again."},
	CodeAccountDeactivated: {http.StatusForbidden, "Account deactivated",
		"The password is right, but the account was deactivated by an administrator."},
	CodeRateLimited: {http.StatusTooManyRequests, "Too many attempts",
		"Too many wrong passwords or requests for a new one for this user from this address, or too many log entries of this agent. Retry after the seconds named in Retry-After."},
	CodeCurrentPassword: {http.StatusForbidden, "Current password wrong",
		"The current password sent with a password change is wrong. The session goes on."},
	CodePasswordEnforced: {http.StatusConflict, "Password is managed",
		"The agent's passwordManagement is Enforced: the password comes from its Secret and cannot be changed here."},
	CodePasswordExpired: {http.StatusForbidden, "Password expired",
		"The password is right, but it is older than the center allows. Ask for a new one and send both to POST /v1/password, then sign in."},
	CodePasswordPolicy: {http.StatusUnprocessableEntity, "Password too weak",
		"The new password breaks rules of the center; `errors` names each one, with the rule in `rule`."},
	CodePasswordReused: {http.StatusUnprocessableEntity, "Password used before",
		"The new password is the present one or among the last ones the center remembers."},
	CodeResetUnavailable: {http.StatusServiceUnavailable, "No links to set a password",
		"The center sends none: it does not exist, has no ContactCenter.spec.security.passwordReset, or its system mailer cannot send now. An administrator can set the password."},
	CodeLinkGone: {http.StatusGone, "Link does not work any more",
		"The token was used, has expired, or a newer link or password replaced it. Ask for another one with POST /v1/password-reset."},
	CodeSIPUnavailable: {http.StatusServiceUnavailable, "SIP secret unavailable",
		"Named in `sipUnavailable` of GET /v1/me: the phone cannot be set up for now. Ask again later."},
	CodePermissionDenied: {http.StatusForbidden, "Permission denied",
		"The agent's permissions do not allow it; `detail` names the one that is missing. GET /v1/me shows all of them, the event permissions.changed tells when to look again."},
	CodeClientLogsOff: {http.StatusConflict, "Client logs are not wanted",
		"The agent's clientLogs.level is Disabled: send none until the profile has `clientLogs` or the event clientLogs.enabled comes."},
	CodeNotFound: {http.StatusNotFound, "Not found",
		"There is no such path, or no such object that this agent may see."},
	CodeMethodNotAllowed: {http.StatusMethodNotAllowed, "Method not allowed",
		"The path exists; the Allow header names its methods."},
	CodeConflict: {http.StatusConflict, "Conflict",
		"The object changed meanwhile. Read it again."},
	CodeOfferGone: {http.StatusConflict, "Offer gone",
		"The interaction is no longer offered to this agent: it was answered, timed out or was taken back."},
	CodeNotOpen: {http.StatusConflict, "Interaction not open",
		"Only the agent an interaction is open with can do this, and only while it is open."},
	CodeDuplicateFilter: {http.StatusBadRequest, "Filter given twice",
		"A list takes one condition per attribute; `detail` names the attribute. Several values of `state` or `tags` are separated by commas: any of them matches."},
	CodeExportTooLarge: {http.StatusUnprocessableEntity, "Too much for one file",
		"More interactions match than a file has. Narrow them down, for example with `from` and `to`, and ask for several files."},
	CodeMarkUnreadDenied: {http.StatusForbidden, "Marking unread not allowed",
		"The account's agentActions.markAsUnread is Denied."},
	CodeTransferDenied: {http.StatusForbidden, "Transfer not allowed",
		"The account's transfer does not allow this; `capabilities` of the interaction says what it does."},
	CodeTransferTarget: {http.StatusUnprocessableEntity, "No target of transfers",
		"There is no such queue of channel Email, agent or e-mail account, the agent is the sender or deactivated, or the account is inactive."},
	CodeNotUnread: {http.StatusConflict, "Interaction not unread",
		"Only an interaction in state Unread can be taken over; a colleague may have been faster."},
	CodeCapacityReached: {http.StatusConflict, "No capacity",
		"The agent holds as many interactions as the channel's capacity allows. Close one first."},
	CodeTooMuch: {http.StatusRequestEntityTooLarge, "Too many or too large files",
		"The files that wait for the answer would be more, or larger, than one mail takes; `detail` names the limits."},
	CodeKeyReused: {http.StatusUnprocessableEntity, "Idempotency key reused",
		"The agent sent another answer under this Idempotency-Key within the last day. Nothing was sent; use a new key for a new answer."},
	CodeContactKnown: {http.StatusConflict, "The list has this address",
		"Letter case does not matter. Look for it with GET /v1/contacts?list=…&q=…, and change that contact."},
	CodeContactChanged: {http.StatusPreconditionFailed, "Contact changed",
		"If-Match is not the version of the contact: somebody, or the next mail, has changed it. Read it again."},
	CodeContactsRefused: {http.StatusUnprocessableEntity, "Lines cannot be imported",
		"Nothing was imported; `errors` names the first 100 lines and why. Correct them, or send the file with refused=Skip to leave them out."},
	CodeDraftChanged: {http.StatusPreconditionFailed, "Draft changed",
		"The draft is not the version that If-Match names, or there is one and If-Match is absent. Read it again."},
	CodeAccountInactive: {http.StatusConflict, "E-mail account inactive",
		"The e-mail account of the interaction was switched off; nothing can be sent from it."},
	CodeDispositionRequired: {http.StatusConflict, "Disposition required",
		"The account's disposition.mode is Mandatory: close with one of GET …/dispositions. The agent now disposes, and is paused if the account says so."},
	CodeDispositionUnknown: {http.StatusUnprocessableEntity, "Unknown disposition",
		"The path is none of GET …/dispositions of this interaction; they may have changed meanwhile."},
	CodeCannedAnswerUnknown: {http.StatusUnprocessableEntity, "Unknown canned answer",
		"A key in cannedAnswers is none of GET …/canned-answers of this interaction; they may have changed meanwhile. Nothing was sent."},
	CodeDisposing: {http.StatusConflict, "Disposing",
		"The agent is paused until the interactions that they began to dispose are closed."},
	CodeNotSendable: {http.StatusUnprocessableEntity, "Reply cannot be sent",
		"No mail can be made of the reply, for example because the customer's mail names no address to answer to; `detail` says why."},
	CodePhonebarControls: {http.StatusConflict, "The phonebar controls presence",
		"The agent has the typology Phonebar and this session is a web client's: it shows presence, and the phonebar changes it. The center can allow both (ContactCenter.spec.voice.phonebarControl)."},
	CodeHotDeskDenied: {http.StatusForbidden, "Hot desk not allowed",
		"The agent's hotDesk is Disabled; there is no telephone to sit at."},
	CodeTelephoneTaken: {http.StatusConflict, "Telephone taken",
		"Another agent sits at the telephone; `detail` names them. At sign-in nothing has changed and no session was opened."},
	CodeNotSignedIn: {http.StatusConflict, "Not signed in",
		"The agent has signed out since this session was opened. Set the presence first."},
	CodeForwardingDenied: {http.StatusForbidden, "Forwarding not allowed",
		"The agent's callForwarding is Denied."},
	CodeNumberForbidden: {http.StatusForbidden, "Number forbidden",
		"Calls must not be forwarded to this number: it begins with a forbidden prefix of the center, is a feature code, or is the agent's own extension; `detail` says which."},
	CodeRecordingDenied: {http.StatusForbidden, "Recording not allowed",
		"The agent's calls are not recorded and the agent may not record by hand."},
	CodeRecordingLimit: {http.StatusConflict, "No more recordings",
		"A call has at most two recording files."},
	CodeRecordingState: {http.StatusConflict, "Not in this state of the recording",
		"Start needs a recording that is off, pause one that runs, resume one that is paused, restart either of these, a download a call that has ended."},
	CodeCallNotUp: {http.StatusConflict, "Call not up",
		"The call still rings or has ended."},
	CodePBXUnavailable: {http.StatusServiceUnavailable, "PBX unavailable",
		"The PBX of the call is not connected or did not do it in time. Read the call before trying again."},
	CodeValidation: {http.StatusUnprocessableEntity, "Invalid request",
		"The request does not match the OpenAPI document; `errors` names each place. The status is 400 for a body that is not JSON and 422 otherwise."},
	CodeTooLarge: {http.StatusRequestEntityTooLarge, "Request too large",
		"The request body is over the limit of this operation."},
	CodeUnsupportedMedia: {http.StatusUnsupportedMediaType, "Unsupported media type",
		"The request body must be application/json."},
	CodeTimeout: {http.StatusRequestTimeout, "Request took too long",
		"The request body did not arrive in time."},
	CodeUnavailable: {http.StatusServiceUnavailable, "Temporarily unavailable",
		"A part behind the API does not answer. Retry after the seconds named in Retry-After."},
	CodeInternal: {http.StatusInternalServerError, "Internal error",
		"A fault in Ringmaster. Its log has an entry with the same request id as the X-Request-Id header."},
}

// problemTypeBase makes a code the type URI that RFC 9457 asks for.
const problemTypeBase = "https://ringmaster.dev/problems/"

// Problem is the body of every error (RFC 9457).
type Problem struct {
	Type   string          `json:"type" format:"uri" example:"https://ringmaster.dev/problems/NOT_FOUND" doc:"URI of the kind of problem; ends in the code"`
	Title  string          `json:"title" example:"Not found" doc:"Short name of the kind of problem"`
	Status int             `json:"status" example:"404" doc:"HTTP status"`
	Code   Code            `json:"code" example:"NOT_FOUND" doc:"Stable name of the kind of problem"`
	Detail string          `json:"detail,omitempty" doc:"What happened this time"`
	Errors []ProblemDetail `json:"errors,omitempty" doc:"The places that are wrong"`

	headers http.Header
}

// ProblemDetail is one thing wrong with a request. Unlike huma's own it never repeats the value, which may be
// a password or a customer's text.
type ProblemDetail struct {
	Location string        `json:"location,omitempty" example:"body.password" doc:"Path of the place"`
	Rule     security.Rule `json:"rule,omitempty" example:"MinLength" doc:"The password rule that is not met"`
	Message  string        `json:"message" doc:"What is wrong there"`
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus makes a Problem a huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders makes a Problem a huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType makes a Problem a huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func (p *Problem) withHeader(name, value string) *Problem {
	if p.headers == nil {
		p.headers = http.Header{}
	}
	p.headers.Set(name, value)
	return p
}

// write answers a request that never reached, or already left, an operation of huma.
func (p *Problem) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone; nobody else can be told
}

func problem(code Code, detail string) *Problem {
	info := codes[code]
	p := &Problem{Type: problemTypeBase + string(code), Title: info.title, Status: info.status, Code: code, Detail: detail}
	if p.Status == http.StatusUnauthorized {
		p.headers = http.Header{"Www-Authenticate": {`Bearer realm="ringmaster"`}}
	}
	return p
}

// codeOfStatus names the problems that huma finds itself.
var codeOfStatus = map[int]Code{
	http.StatusBadRequest:            CodeValidation,
	http.StatusRequestTimeout:        CodeTimeout,
	http.StatusRequestEntityTooLarge: CodeTooLarge,
	http.StatusUnsupportedMediaType:  CodeUnsupportedMedia,
	http.StatusUnprocessableEntity:   CodeValidation,
}

// huma has one error constructor and one array default per process; the first also gives the error schema of the
// OpenAPI document.
func init() {
	huma.NewError = newProblem
	huma.DefaultArrayNullable = false // no list here is ever null
}

func newProblem(status int, detail string, errs ...error) huma.StatusError {
	code, known := codeOfStatus[status]
	if !known {
		// What went wrong inside is for the log, not for the client.
		return problem(CodeInternal, "")
	}
	p := problem(code, detail)
	p.Status = status
	for _, err := range errs {
		var d huma.ErrorDetailer
		switch {
		case err == nil:
		case errors.As(err, &d):
			p.Errors = append(p.Errors, ProblemDetail{Location: d.ErrorDetail().Location, Message: d.ErrorDetail().Message})
		default:
			p.Errors = append(p.Errors, ProblemDetail{Message: err.Error()})
		}
	}
	return p
}
