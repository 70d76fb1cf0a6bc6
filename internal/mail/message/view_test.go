package message

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestView(t *testing.T) {
	const plain = "From: a@b.test\nContent-Type: text/plain; charset=utf-8\n\n"
	const page = "From: a@b.test\nContent-Type: text/html; charset=utf-8\n\n"
	for name, c := range map[string]struct{ raw, blocked, remote string }{
		"text":       {plain + "1 < 2 <img src=\"http://spy.test/\">", "<pre>1 &lt; 2 &lt;img src=&#34;http://spy.test/&#34;&gt;</pre>", ""},
		"header":     {"From: a@b.test\nSubject: x\n", "<pre></pre>", ""},
		"picture":    {page + `<p>a<img src="HTTPS://shop.test/b.png?c=1&amp;d=2" width="20" height="50%" alt="b"></p>`, "<p>a</p>", `<p>a<img src="https://shop.test/b.png?c=1&amp;d=2" width="20" height="50%" alt="b"></p>`},
		"other ways": {page + `<img src="data:image/png;base64,AAAA"><img src="cid:x"><img src="//spy.test/"><img src="mailto:a@b"><img srcset="http://spy.test/ 2x">x`, "x", ""},
		"no scripts": {page + `<img src="http://shop.test/" onerror="x()" style="a:url(http://spy.test)"><script>x()</script><svg onload=x()></svg>y`, "y", `<img src="http://shop.test/">y`},
		"no frames":  {page + `<iframe src="http://spy.test"></iframe><form action="http://spy.test"><input></form><base href="http://spy.test">z`, "z", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.remote == "" {
				c.remote = c.blocked
			}
			for remote, want := range map[bool]string{false: c.blocked, true: c.remote} {
				got, err := View(crlf(c.raw), remote)
				if err != nil || strings.TrimSpace(got) != want {
					t.Errorf("remote %t: %q, want %q (%v)", remote, got, want, err)
				}
			}
		})
	}
	for _, long := range []string{plain + strings.Repeat("&<", maxHTML), page + strings.Repeat(`<img src="http://a.test/&quot;">`, maxHTML/16)} {
		if got, err := View(crlf(long), true); err != nil || len(got) > maxHTML {
			t.Errorf("%d bytes (%v)", len(got), err)
		}
	}
}

// Whatever a mail says, its view loads nothing unasked, and runs nothing.
func FuzzView(f *testing.F) {
	f.Add(`<img src="http://a.test/"><a href="javascript:x()">x</a><p style="b:url(//c)">`)
	f.Add("<svg><style><img src=x onerror=y></style></svg><math><mi xlink:href='data:z'>")
	f.Add(`<img src="http://">`)
	f.Fuzz(func(t *testing.T, source string) {
		raw := []byte("Content-Type: text/html; charset=utf-8\r\n\r\n" + source)
		for _, remote := range []bool{false, true} {
			got, err := View(raw, remote)
			if err != nil {
				t.Fatal(err)
			}
			checkView(t, got, remote)
		}
	})
}

func checkView(t *testing.T, source string, remote bool) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		switch n.Data {
		case "script", "style", "iframe", "form", "link", "base", "meta", "object", "embed", "svg", "math", "video", "audio":
			if n.Type == html.ElementNode {
				t.Errorf("<%s> in %q", n.Data, source)
			}
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "href" && n.Data == "a":
			case a.Key == "src" && n.Data == "img" && remote && webAddress.MatchString(a.Val):
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", a.Key == "srcset", a.Key == "href", a.Key == "background", a.Key == "poster":
				t.Errorf("%s of <%s> in %q", a.Key, n.Data, source)
			}
		}
	}
}
