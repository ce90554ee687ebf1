package node_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
	"entente/ledger"
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
	shows("ファイルが選ばれていません。", "拒否", "第2条", "当該担当官は提供の職務を有していない", "核実験")
	// The pact's page: where it stands, how each party reads it, what is open, its life, and its text.
	for _, step := range []struct {
		n   *partyNode
		ask desk.PactAsk
	}{{kr, desk.PactAsk{Step: act.PactNotice}}, {jp, desk.PactAsk{Step: act.PactRead, Phase: "in-force"}}} {
		jp.until(t, "the step before has come", func(tx *ledger.Tx) bool {
			_, row, _, err := jp.Catalogue.Pact(tx, "kr-jp-2016", time.Now())
			return err == nil && (step.n == kr || len(row.Life.Notices) == 1)
		})
		step.ask.Pact, step.ask.As = "kr-jp-2016", "officer"
		if err := step.n.c.Post(t.Context(), "/v1/pact/step", step.ask, &desk.PactView{}); err != nil {
			t.Fatal(err)
		}
	}
	press(`e.pathname == "/pacts"`)
	shows("発効中、終了通告済み", "当事者間の解釈の不一致")
	press(`e.pathname == "/pacts/kr-jp-2016"`)
	for lang, want := range map[string][]string{
		"en": {"in force, notice of termination given", "The parties read this differently", "consultation: the parties", "expected", "Protection of what was shared stays", "Article 21"},
		"ko": {"발효 중, 종료 통보됨", "당사자 간 해석 불일치", "협의: 당사자 간에", "예정", "제공된 정보의 보호는 종료 후에도", "제21조", "대한민국 (KR)"},
		"ja": {"発効中、終了通告済み", "当事者間の解釈の不一致", "協議: 協定の状態", "予定", "提供された情報の保護は、終了後も", "第21条", "日本国 (JP)"},
	} {
		press(`e.hreflang == "` + lang + `"`)
		shows(append(want, `class="stage now"`, `class="stage ahead"`, `class="beneath"`, `<table class="steps"`)...)
		// What the drawing says in words, the table says too; nothing stands out of its frame.
		if got := c.eval(`[...document.querySelectorAll("svg .day")].every(d => document.querySelector("table.steps").textContent.includes(d.textContent))`); got != "true" {
			t.Errorf("%s: a day of the drawing is not in the table", lang)
		}
		if got := c.eval(`[...document.querySelectorAll("svg rect.stage")].every(r => { let t = r.nextElementSibling, b = r.getBBox(); for (; t && t.tagName == "text"; t = t.nextElementSibling) { if (t.classList.contains("tag")) break; let x = t.getBBox(); if (x.x + x.width > b.x + b.width || x.y + x.height > b.y + b.height + 1) return false } return true })`); got != "true" {
			t.Errorf("%s: a label stands out of its frame", lang)
		}
		if got := c.eval(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`); got != "true" {
			t.Errorf("%s: the page is wider than the window", lang)
		}
	}
	c.clean(s.URL)
}
