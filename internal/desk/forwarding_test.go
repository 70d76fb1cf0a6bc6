package desk

import (
	"errors"
	"testing"
)

func TestMayForwardTo(t *testing.T) {
	center := ClientProfile{
		CallForwarding: SettingAllowed, ForbiddenPrefixes: []string{"+882", "00 39 (899)", "144", ""}, ServicePrefixes: []string{"9", "8*"},
	}
	for number, want := range map[string]Code{
		"200": "", "+390299990000": "", "0390299990000": "", "8830": "", "88": "",
		"+8821": CodeNumberForbidden, "008821": CodeNumberForbidden, "00882": CodeNumberForbidden, "0088": "",
		"+39899123": CodeNumberForbidden, "0039899123": CodeNumberForbidden, "899123": "",
		"144": CodeNumberForbidden, "9144": CodeNumberForbidden, "900882123": CodeNumberForbidden, "8144": CodeNumberForbidden,
		// What a switch skips does not hide a prefix.
		"+00882": CodeNumberForbidden, "1*44": CodeNumberForbidden, "0#0882": CodeNumberForbidden,
		"100": CodeNumberForbidden, "9100": CodeNumberForbidden, "1001": "",
		"*97": CodeNumberForbidden, "*71101": CodeNumberForbidden, "#31#200": CodeNumberForbidden,
	} {
		var got Code
		var p *Problem
		if err := center.MayForwardTo("100", number); errors.As(err, &p) {
			got = p.Code
		} else if err != nil {
			t.Errorf("%s: %v", number, err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
	// No number is international while 00 is forbidden, however it is written.
	home := ClientProfile{CallForwarding: SettingAllowed, ForbiddenPrefixes: []string{"00"}}
	if home.MayForwardTo("100", "+4420") == nil || home.MayForwardTo("100", "0442") != nil {
		t.Error("the prefix 00 and + differ")
	}
	if (ClientProfile{}).MayForwardTo("100", "200") == nil {
		t.Error("allowed without a word of it in the profile")
	}
}
