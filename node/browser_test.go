package node_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"entente/act"
	"entente/desk"
)

// TestBrowser goes through the desk in a real browser with the keyboard alone:
// from a one-time link to the map, to a product, which it opens, and to the
// release form, in another language. The browser complains of nothing and asks
// for nothing elsewhere, under the strict policy.
func TestBrowser(t *testing.T) {
	c := browse(t, "en")
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	d := draft("군사II급비밀")
	d.Event = &act.Event{ID: "KPN-5", Kind: "nuclear-test", Place: &act.Place{Lat: 41.287, Lon: 129.078}}
	slip, err := kr.c.Release(t.Context(), d, strings.NewReader("a report in the clear"))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	s := httptest.NewUnstartedServer(nil)
	pages := jp.Desk("http://" + s.Listener.Addr().String())
	s.Config.Handler = pages.Pages()
	s.Start()
	defer s.Close()
	var v map[string]string
	if err := desk.Within(pages.API()).Post(t.Context(), "/v1/link", map[string]string{"as": "analyst"}, &v); err != nil {
		t.Fatal(err)
	}
	shows := func(want ...string) {
		t.Helper()
		html := c.eval("document.documentElement.outerHTML")
		for _, w := range want {
			if !strings.Contains(html, w) {
				t.Errorf("%s does not show %q", c.eval("location.pathname"), w)
			}
		}
	}
	press := func(js string) {
		t.Helper()
		if !c.tabTo(js) {
			t.Errorf("the focus cannot be seen on %s", js)
		}
		c.key("Enter")
		c.wait()
	}
	c.visit(v["link"])
	shows(`class="land"`, `class="circle"`, "in force", "Sign out")
	press(`e.pathname == "/inbox"`)
	shows("군사II급비밀", "極秘", "received")
	press(`e.pathname == "/p/` + string(slip.Number) + `"`)
	if strings.Contains(c.eval("document.documentElement.outerHTML"), "in the clear") {
		t.Error("the content is shown before it is opened")
	}
	press(`e.closest("main") && e.tagName == "BUTTON"`)
	shows("a report in the clear", `class="banner">군사II급비밀 · 極秘`, "product.opened")
	if title := c.eval("document.title"); !strings.HasPrefix(title, "[군사II급비밀]") {
		t.Errorf("the title %q does not begin with the mark", title)
	}
	press(`e.pathname == "/release"`)
	press(`e.hreflang == "ja"`)
	shows(`lang="ja"`, "判定を見る", "日本国")
	press(`e.value == "send"`)
	shows("ファイルが選ばれていません。", "拒否", "Article 2")
	c.clean(s.URL)
}
