package node_test

import (
	"bytes"
	"crypto/rand"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
	"entente/ledger"
	"entente/reading"
	"entente/release"
)

// browser is a person at the desk.
type browser struct {
	t    *testing.T
	c    *http.Client
	base string
}

// signIn serves a node's pages and follows a one-time link.
func signIn(t *testing.T, n *partyNode, as string) *browser {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	d := n.Desk("http://" + s.Listener.Addr().String())
	s.Config.Handler = d.Pages()
	s.Start()
	t.Cleanup(s.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t, &http.Client{Jar: jar}, s.URL}
	if body, status := b.get("/"); status != http.StatusUnauthorized || strings.Contains(body, "kr-jp-2016") {
		t.Errorf("a stranger is answered %d", status)
	}
	var v map[string]string
	if err := desk.Within(d.API()).Post(t.Context(), "/v1/link", map[string]string{"as": as}, &v); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(v["link"], s.URL)
	if _, status := b.get(path); status != http.StatusOK {
		t.Fatalf("the link is answered %d", status)
	}
	if _, status := b.get(path); status != http.StatusForbidden {
		t.Errorf("the link works twice: %d", status)
	}
	return b
}

func (b *browser) get(path string) (string, int) {
	b.t.Helper()
	r, err := b.c.Get(b.base + path)
	return b.read(r, err)
}

func (b *browser) post(path, contentType string, body io.Reader) (string, int) {
	b.t.Helper()
	r, err := b.c.Post(b.base+path, contentType, body)
	return b.read(r, err)
}

func (b *browser) read(r *http.Response, err error) (string, int) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	if csp := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") {
		b.t.Errorf("%s: policy %q", r.Request.URL.Path, csp)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if s := string(body); strings.Contains(s, "<script") || strings.Contains(s, " style=") || strings.Contains(s, "<no value>") {
		b.t.Errorf("%s holds what it must not", r.Request.URL.Path)
	}
	return string(body), r.StatusCode
}

// TestPages walks every page in every language; a title that is script stays text.
func TestPages(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	day, err := os.ReadFile(filepath.Join("..", "demo", "data", "day.tif"))
	if err != nil {
		t.Fatal(err)
	}
	d := draft("군사II급비밀")
	d.Title, d.Kind, d.Subject, d.MediaType = `<script>alert("x")</script>`, "imagery", "imagery", "image/tiff"
	d.Event = &act.Event{ID: "KPN-5", Kind: "nuclear-test", Place: &act.Place{Lat: 41.287, Lon: 129.078}}
	slip, err := kr.c.Release(t.Context(), d, bytes.NewReader(day))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	b := signIn(t, jp, "analyst")
	for _, lang := range []string{"en", "ko", "ja"} {
		b.get("/lang?l=" + lang)
		for path, want := range map[string]string{"/": "<svg", "/inbox": "極秘", "/outbox": "<main", "/p/" + string(slip.Number): "군사II급비밀", "/release": "<form", "/pacts/kr-jp-2016": map[string]string{"en": "Article 21", "ko": "제21조", "ja": "第21条"}[lang], "/ledger": "product.received", "/style.css": ".atlas"} {
			if body, status := b.get(path); status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s %s: %d, no %q", lang, path, status, want)
			}
		}
	}
	// A page that there is not is answered in the language of the others.
	if body, status := b.get("/nothing"); status != http.StatusNotFound || !strings.Contains(body, "このアドレスに表示できるもの") {
		t.Errorf("a page that there is not: %d %s", status, body)
	}
	// Partners are named, and moments told in the pacts' zone, as on the pact's own page.
	if body, _ := b.get("/"); !strings.Contains(body, "KR 大韓民国:") {
		t.Error("the partner is not named in the page's language")
	}
	moment := regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}(?::[0-9]{2})?(Z| [-+][0-9]{2}:[0-9]{2}|)`)
	for _, path := range []string{"/inbox", "/ledger", "/p/" + string(slip.Number), "/pacts/kr-jp-2016"} {
		body, _ := b.get(path)
		if body = html.UnescapeString(body); !moment.MatchString(body) || slices.ContainsFunc(moment.FindAllStringSubmatch(body, -1), func(m []string) bool { return m[1] != " +09:00" }) {
			t.Errorf("%s: moments in another zone than the pact's", path)
		}
	}
	if body, _ := b.get("/ledger"); !strings.Contains(body, "資料の受領 <code>product.received</code>") {
		t.Error("the kinds of acts are not told in words")
	}
	// What authorities owe each other stands on the pact's page.
	if err := kr.c.Post(t.Context(), "/v1/state", desk.StateAsk{Kind: act.LawNotified, As: "officer", Pact: "kr-jp-2016", To: "JP", Law: &act.LawNotice{Text: "a new act on secrets"}}, &desk.GrantView{}); err != nil {
		t.Fatal(err)
	}
	if err := kr.c.Post(t.Context(), "/v1/state", desk.StateAsk{Kind: act.VisitAsked, As: "officer", Pact: "kr-jp-2016", To: "JP", Visit: &act.Visit{Visitors: []string{"Major A"}, Subject: "radar", Mark: act.Mark{Text: "군사II급비밀"}, From: act.MomentOf(time.Now()), Until: act.MomentOf(time.Now().Add(time.Hour))}}, &desk.GrantView{}); err != nil {
		t.Fatal(err)
	}
	jp.until(t, "they have come", func(tx *ledger.Tx) bool {
		all, err := jp.Catalogue.Visits(tx)
		return err == nil && len(all) == 1
	})
	open, _ := b.get("/pacts/kr-jp-2016")
	for _, want := range []string{"法令の変更の通報の確認: a new act on secrets<td>日本国 (JP)", "申請された訪問への回答: radar<td>日本国 (JP)"} {
		if !strings.Contains(open, want) {
			t.Errorf("no %q on the pact's page", want)
		}
	}
	body, _ := b.post("/p/"+string(slip.Number), "application/x-www-form-urlencoded", nil)
	if !strings.Contains(body, "data:image/png;base64,") || !strings.Contains(body, "極秘") {
		t.Error("the image is not shown with its marks")
	}
	last := "0"
	if strings.HasSuffix(string(slip.Number), last) {
		last = "1"
	}
	for _, path := range []string{"/p/KR-2016-0000-0000", "/p/..%2f..%2fetc%2fpasswd", "/nothing", "/p/" + string(slip.Number[:len(slip.Number)-1]) + last} {
		if _, status := b.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	clerk := signIn(t, jp, "clerk")
	if _, status := clerk.get("/p/" + string(slip.Number)); status != http.StatusNotFound {
		t.Errorf("a clerk who may not read learns that it exists: %d", status)
	}
	if body, _ := clerk.get("/inbox"); strings.Contains(body, string(slip.Number)) {
		t.Error("a clerk sees it listed")
	}
}

// TestReleasePage shows the ruling before anything is sent, and then sends.
func TestReleasePage(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	b := signIn(t, kr, "officer")
	form := func(do, mark string) (string, io.Reader) {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		for k, v := range map[string]string{"pact": "kr-jp-2016", "mark": mark, "subject": "defence", "purpose": "threat-assessment", "title": "from the desk", "do": do} {
			if err := m.WriteField(k, v); err != nil {
				t.Fatal(err)
			}
		}
		w, err := m.CreateFormFile("content", "../../note.txt")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("a note"))
		m.Close()
		return m.FormDataContentType(), &body
	}
	out := func() (all []release.Slip) {
		if err := kr.c.Get(t.Context(), "/v1/products?box=out", &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	ct, body := form("preview", "군사II급비밀")
	if got, _ := b.post("/release", ct, body); !strings.Contains(got, "極秘") || !strings.Contains(got, "Article 4") || len(out()) != 0 {
		t.Error("the ruling is not shown, or something was sent")
	}
	ct, body = form("send", "군사I급비밀")
	if got, _ := b.post("/release", ct, body); !strings.Contains(got, "this release is refused, by Article 4") || strings.Contains(got, "Choose the file again") || len(out()) != 0 {
		t.Error("a refused release was sent, or not told as refused")
	}
	ct, body = form("send", "군사II급비밀")
	if got, _ := b.post("/release", ct, body); !strings.Contains(got, "/p/KR-") || len(out()) != 1 {
		t.Error("it was not sent")
	}
	// A form of another site is refused.
	ct, body = form("send", "군사II급비밀")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/release", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", ct)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if _, status := b.read(b.c.Do(r)); status != http.StatusForbidden || len(out()) != 1 {
		t.Errorf("another site's form is answered %d", status)
	}
}

// heads are the roots of a node's ledger, and of its partner's as last seen.
func heads(t *testing.T, n *partyNode, p act.Party) (roots [2]string) {
	t.Helper()
	if err := n.Ledger.View(t.Context(), func(tx *ledger.Tx) error {
		own, err := tx.Head()
		if err != nil {
			return err
		}
		seen, err := tx.PeerHead(p)
		roots = [2]string{act.Digest(own.Root).String(), act.Digest(seen.Root).String()}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return roots
}

// TestNeedOnly: who neither audits nor administers is told of no act that concerns
// no pact of theirs, no count of entries, and of a product that they need not
// know what they are told of none (R22, R25).
func TestNeedOnly(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("secret"))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	until := act.MomentOf(time.Now().AddDate(1, 0, 0))
	for _, p := range []act.Person{{Name: "guest", Post: "Guest", Offices: []act.Office{act.Reading}, Until: until}, {Name: "auditor", Post: "Auditor", Offices: []act.Office{act.Audit}, Until: until}} {
		if err := jp.Enrol(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	for who, want := range map[string][3]bool{ // the count of entries, acts of the house, acts under the pact
		"auditor": {true, true, true}, "analyst": {false, false, true}, "guest": {false, false, false},
	} {
		b := signIn(t, jp, who)
		home, _ := b.get("/")
		before := heads(t, jp, "KR")
		ledger, _ := b.get("/ledger")
		if told := strings.Contains(ledger, "Partners&#39; checkpoints"); told != want[0] || !strings.Contains(ledger, "Of the newest 200 entries") {
			t.Errorf("%s is shown where the ledgers stand: %v", who, told)
		}
		after := heads(t, jp, "KR")
		for i := range before {
			if want[0] && !strings.Contains(ledger, before[i]) && !strings.Contains(ledger, after[i]) {
				t.Errorf("the root %s is not shown", after[i])
			}
		}
		got := [3]bool{strings.Contains(home, "entries"), strings.Contains(ledger, "person.enrolled"), strings.Contains(ledger, "product.received")}
		if got != want {
			t.Errorf("%s is shown %v, want %v", who, got, want)
		}
	}
	absent, err := act.NewNumber("KR", 2016, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var told, none, auditor desk.WhyView
	for v, ask := range map[*desk.WhyView]desk.WhyAsk{
		&told: {Number: slip.Number, Deed: reading.Deed{As: "guest"}}, &none: {Number: absent, Deed: reading.Deed{As: "guest"}}, &auditor: {Number: slip.Number, Deed: reading.Deed{As: "auditor"}},
	} {
		if err := jp.c.Long(t.Context(), "/v1/why", ask, v, func(_, _ int64) {}); err != nil {
			t.Fatal(err)
		}
		v.At = act.Moment{}
	}
	if !reflect.DeepEqual(told, none) || told.Ruling == nil || told.Ruling.Allowed || len(told.Ruling.Rests) != 1 {
		t.Errorf("of a product that the guest need not know: %+v, of none: %+v", told, none)
	}
	if len(auditor.Entries) == 0 {
		t.Error("the auditor is shown no acts")
	}
}

// TestToldPages: what is refused, and why, and what an opening obliges to, is told
// in the language of the page; what a partner refused, too.
func TestToldPages(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	slip, err := kr.c.Release(t.Context(), draft("군사II급비밀"), strings.NewReader("a report"))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	until := act.MomentOf(time.Now().AddDate(1, 0, 0))
	if err := jp.Enrol(t.Context(), act.Person{Name: "registrar", Post: "Registrar", Offices: []act.Office{act.Registry}, Until: until, Needs: []act.Need{{Pact: "kr-jp-2016", Purposes: []string{"missile-warning"}}}}); err != nil {
		t.Fatal(err)
	}
	// A refusal that came from the partner: how it comes is tested elsewhere.
	if err := kr.Ledger.Update(t.Context(), func(tx *ledger.Tx) error {
		e, err := tx.Entry(slip.Entry)
		if err != nil {
			return err
		}
		r := act.Refusal{Act: e.Digest, Kind: act.ProductReleased, Number: slip.Number, Kept: true, Because: []act.Reason{{Article: "Article 21", Text: "the pact is not in force: it is terminated", Cure: "conclude a new pact; what was shared stays protected"}}}
		return kr.Catalogue.Fold(tx, ledger.Entry{Index: tx.Size(), Act: act.Act{Kind: act.ActRefused, Pact: "kr-jp-2016", From: "JP", To: []act.Party{"KR"}, At: act.MomentOf(time.Now()), Body: r}})
	}); err != nil {
		t.Fatal(err)
	}
	reads, keeps, releases := signIn(t, jp, "analyst"), signIn(t, jp, "registrar"), signIn(t, kr, "officer")
	path := "/p/" + string(slip.Number)
	for lang, want := range map[string]struct{ denied, duty, refused []string }{
		"en": {[]string{"Article 7", "clearance is below the marking or has expired", "the person was not briefed"}, []string{"return or destroy when no longer needed"}, []string{"Refused by JP", "Article 21", "it is terminated", "conclude a new pact"}},
		"ko": {[]string{"제7조", "비밀취급 인가가 표시된 등급에 미치지 못하거나 만료되었다", "해당 인원이 보안 교육을 받지 아니하였다", "보안담당관이 알 필요를"}, []string{"더 이상 필요하지 아니하면 반환하거나 파기한다", "제공당사자의 명칭"}, []string{"거부한 당사자: JP", "제21조", "현재 상태: 종료됨", "새로운 협정을 체결"}},
		"ja": {[]string{"第7条", "適格性が表示の区分に達していないか、又は失効している", "その者が義務の説明を受けていない", "保安担当官が知る必要を"}, []string{"必要でなくなったときは返還し、又は破壊する", "提供締約国の名称"}, []string{"拒否した当事者: JP", "第21条", "現在の状態: 終了", "新たな協定を締結"}},
	} {
		for _, b := range []*browser{reads, keeps, releases} {
			b.get("/lang?l=" + lang)
		}
		denied, _ := keeps.post(path, "application/x-www-form-urlencoded", nil)
		opened, _ := reads.post(path, "application/x-www-form-urlencoded", nil)
		sent, _ := releases.get(path)
		for _, x := range []struct {
			page string
			want []string
		}{{denied, want.denied}, {opened, want.duty}, {sent, want.refused}} {
			for _, w := range x.want {
				if !strings.Contains(x.page, w) {
					t.Errorf("%s: no %q", lang, w)
				}
			}
			for _, english := range []string{"clearance is below", "the person", "no longer needed", "Article ", "it is terminated", "conclude a"} {
				if lang != "en" && strings.Contains(x.page, english) {
					t.Errorf("%s: it says %q", lang, english)
				}
			}
		}
	}
}
