package reference_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/ringmaster-dev/ringmaster/test/reference"
)

// email are the fields that docs/reference/email.md covers: everything but
// telephones, which are in voice.md, and what is only for people.
var email = regexp.MustCompile(`^((EmailAccount|MessageTemplate|Schedule|RoutingFlow|ContactList|DispositionSet|CannedAnswerSet)\.spec|Queue\.spec\.(channel|strategy|digital)|` +
	`Agent\.spec\.(profileRef|accountState|passwordSecretRef|passwordManagement|sensitiveData|channels|clientLogs|avatar|role|permissions\.(downloads|modules|internalMessenger|recallMeCampaign))|` +
	`AgentProfile\.spec\.(description|sensitiveData|channels|clientLogs|permissions\.(downloads|modules|internalMessenger|recallMeCampaign))|` +
	`ContactCenter\.spec\.(validation|email|routing|invitations|clientLogs|security|systemMail))(\.|$)`)

func TestEmailReference(t *testing.T) {
	rows, err := reference.Rows("../../docs/reference/email.md", 3)
	if err != nil || len(rows) < 40 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	exist, err := reference.Fields("../../config/crd/bases")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{} // field: stands for at least one that exists
	for _, r := range rows {
		for _, f := range r.Fields {
			named[f] = false
		}
		for _, name := range r.Tests {
			if ok, err := reference.HasTest("../..", name); err != nil || !ok {
				t.Errorf("%v: there is no test %s: %v", r.Fields, name, err)
			}
		}
	}
	var missing []string
	for leaf := range exist {
		found := false
		for f := range named {
			if reference.Below(leaf, f) {
				named[f], found = true, true
			}
		}
		if !found && email.MatchString(leaf) {
			missing = append(missing, leaf)
		}
	}
	slices.Sort(missing)
	for _, leaf := range missing {
		t.Errorf("%s is not in the reference", leaf)
	}
	for f, used := range named {
		if !used {
			t.Errorf("there is no field %s", f)
		}
	}
}
