package bulk

import "testing"

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "x;=1+1": "x;'=1+1", "x; @y": "x; '@y", "\r=1": "'\r'=1", "a-b": "a-b", "Sales; Support": "Sales; Support", "": "",
	} {
		if got := Cell(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
