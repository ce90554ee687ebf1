//go:build !race

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
	"entente/internal/durable"
	"entente/ledger/ledgertest"
	"entente/release"
	"entente/seal"
)

// What our own people may not, and what content may not.

// joins enrols one like the analyst, changed.
func (x *attempt) joins(name string, change func(*act.Person)) act.Person {
	x.Helper()
	p := x.kr.person("analyst")
	p.Name = name
	change(&p)
	x.kr.enrol(p)
	return p
}

// twoRelease is a house where two persons release.
func twoRelease(t *testing.T) *stage {
	s := &stage{kr: newProc(t, "KR", "--second", "1"), jp: newRival(t, "JP"), at: t}
	s.jp.serve()
	s.kr.wait("it answers", s.kr.up)
	meet(t, s.kr, s.jp)
	return s
}

func twoNames(x *attempt) {
	for name, identity := range map[string]string{"officer": "1077", "other": "1077", "third": "2001", "fourth": ""} {
		p := x.kr.person("officer")
		p.Name, p.Identity = name, identity
		x.kr.enrol(p)
	}
	slip, err := x.kr.c.Release(x.Context(), draft("군사II급비밀"), strings.NewReader("by two"))
	if err != nil || !slip.Waits {
		x.Fatalf("it waits for nobody: %+v, %v", slip, err)
	}
	approve := func(as string) string {
		var no *desk.Problem
		err := x.kr.c.Post(x.Context(), "/v1/approve", map[string]any{"number": slip.Number, "as": as}, &release.Slip{})
		if errors.As(err, &no) {
			return why(no.Because)
		}
		return fmt.Sprint(err)
	}
	for _, as := range []string{"officer", "other", "fourth"} {
		x.try(x.kr, as+" approves what the officer drafted, and", func() string { return approve(as) })
	}
	if told := approve("third"); told != "<nil>" {
		x.Errorf("another person: %s", told)
	}
	x.kr.wait("it is received", func() bool { return len(x.kr.products("out")[slip.Number].Received) == 1 })
}

func administrator(x *attempt) {
	x.joins("admin", func(p *act.Person) { p.Offices = []act.Office{act.Administering} })
	x.try(x.kr, "the administrator", func() string { return x.kr.denied("admin", x.theirs) })
}

func guesses(x *attempt) {
	x.joins("curious", func(p *act.Person) { p.Needs = nil })
	guess := x.number("JP")
	var there, absent string
	x.try(x.kr, "of what is there", func() string { there = x.kr.denied("curious", x.theirs); return there })
	x.try(x.kr, "of what is not", func() string { absent = x.kr.denied("curious", guess); return absent })
	if there != absent {
		x.Errorf("what is there is told from what is not: %s, %s", there, absent)
	}
	c := x.kr.browser("curious")
	for what, form := range map[string]url.Values{"looking": nil, "opening": {}} {
		var s1, s2 int
		var a, b string
		read := func() {
			s1, a = x.kr.page(c, "/p/"+string(x.theirs), form)
			s2, b = x.kr.page(c, "/p/"+string(guess), form)
		}
		before := len(x.kr.lines())
		read()
		if s1 != http.StatusNotFound || s2 != s1 || strings.ReplaceAll(a, string(x.theirs), "N") != strings.ReplaceAll(b, string(guess), "N") {
			x.Errorf("%s: the page of what is there is told from that of what is not: %d, %d", what, s1, s2)
		}
		if form != nil && len(x.kr.lines()) != before+2 {
			x.Errorf("%s on the page: %d entries became %d", what, before, len(x.kr.lines()))
		}
	}
}

func counts(x *attempt) {
	x.joins("prober", func(p *act.Person) { p.Needs = nil })
	look := func(c *http.Client) (all string) {
		for _, path := range []string{"/", "/inbox", "/outbox", "/pacts", "/pacts/kr-jp-2016", "/ledger", "/release"} {
			status, text := x.kr.page(c, path, nil)
			all += fmt.Sprint(path, status, text)
		}
		return all
	}
	c, reader := x.kr.browser("prober"), x.kr.browser("analyst")
	x.kr.quiet()
	x.kr.wait("all is quiet", func() bool { return x.kr.status().Partners[0].Waiting == 0 })
	before, known := look(c), look(reader)
	d := draft("秘")
	d.Title, d.Footprint = "Of which nothing is to be told", &act.Box{South: 37, West: 126, North: 38, East: 127}
	x.jp.gives(x.kr, d, strings.NewReader("one more"))
	x.kr.wait("all is quiet", func() bool { return x.kr.status().Partners[0].Waiting == 0 })
	x.try(x.kr, "one who may not know", func() string {
		if look(c) != before {
			return "the pages are others"
		}
		return "the pages are the same"
	})
	if look(reader) == known {
		x.Error("the pages tell nobody that a product came")
	}
}

func expired(x *attempt) {
	p := x.joins("leaver", func(p *act.Person) { p.Until = act.MomentOf(time.Now().Add(2 * time.Second)) })
	c := x.kr.browser("leaver") // a session that lives
	x.kr.wait("it has expired", func() bool { return time.Now().After(p.Until.Add(50 * time.Millisecond)) })
	x.try(x.kr, "one whose clearance has expired", func() string { return x.kr.denied("leaver", x.theirs) })
	x.try(x.kr, "the same by the page", func() string {
		status, text := x.kr.page(c, "/p/"+string(x.theirs), url.Values{})
		if status != http.StatusNotFound {
			return fmt.Sprint(status, text)
		}
		return x.lastDenial()
	})
	p.Until = x.kr.person("analyst").Until
	x.kr.enrol(p)
	if err := x.kr.c.Open(x.Context(), desk.OpenAsk{Number: x.theirs, As: "leaver"}, io.Discard, func(desk.Opened) {}); err != nil {
		x.Errorf("enrolled anew: %v", err)
	}
}

// lastDenial is why the last opening was denied.
func (x *attempt) lastDenial() (says string) {
	for _, l := range x.kr.lines() {
		if l.Act.Kind == act.OpeningDenied {
			says = why(l.about().Because)
		}
	}
	return says
}

func lentOnce(x *attempt) {
	d := draft("秘")
	d.Mode = seal.OriginatorControlled
	n := x.jp.gives(x.kr, d, strings.NewReader("once"))
	if told := x.kr.denied("analyst", n); !strings.Contains(told, "asked") {
		x.Fatalf("opened without asking home: %s", told)
	}
	x.kr.wait("a share is lent", func() bool { return len(x.kr.products("in")[n].Loans) == 1 })
	x.jp.speaks(x.kr) // it answers no further asking meanwhile
	x.try(x.kr, "a hundred at once", func() string {
		var group sync.WaitGroup
		opened, refused := make(chan string, 100), make(chan string, 100)
		for range 100 {
			group.Go(func() {
				var b bytes.Buffer
				if err := x.kr.c.Open(x.Context(), desk.OpenAsk{Number: n, As: "analyst"}, &b, func(desk.Opened) {}); err == nil {
					opened <- b.String()
				} else {
					refused <- err.Error()
				}
			})
		}
		group.Wait()
		if len(opened) != 1 || len(refused) != 99 {
			x.Errorf("opened %d times, refused %d times", len(opened), len(refused))
		}
		return <-refused
	})
	x.jp.serves()
}

func takenBack(x *attempt) {
	const size = 64 << 20
	n := x.jp.gives(x.kr, draft("秘"), io.LimitReader(zeros{}, size))
	for what, revoke := range map[string]func(p *act.Person){
		"one who left":                    func(p *act.Person) { p.Left = true },
		"one who is cleared no more":      func(p *act.Person) { p.Clearance = "" },
		"one whose office was taken away": func(p *act.Person) { p.Offices = []act.Office{act.Audit} },
	} {
		p := x.joins("reader"+strconv.Itoa(len(what)), func(*act.Person) {})
		x.try(x.kr, what, func() string {
			slow := &slowly{after: func() { revoke(&p); x.kr.enrol(p) }}
			err := x.kr.c.Open(x.Context(), desk.OpenAsk{Number: n, As: p.Name}, slow, func(desk.Opened) {})
			if err == nil || slow.n >= size/2 || !strings.Contains(err.Error(), "entente why") {
				return fmt.Sprintf("%d bytes came: %v", slow.n, err)
			}
			return err.Error()
		})
	}
}

func withoutMarks(x *attempt) {
	c := x.kr.browser("analyst")
	marked := func(where, text string) string {
		for _, mark := range []string{"秘", "군사III급비밀"} {
			if !strings.Contains(text, mark) {
				return where + " stands no " + mark
			}
		}
		return "秘 · 군사III급비밀"
	}
	x.try(x.kr, "on a page", func() string {
		_, text := x.kr.page(c, "/p/"+string(x.theirs), url.Values{})
		head, body, _ := strings.Cut(text, "<main")
		body, foot, _ := strings.Cut(body, "</main>")
		for where, part := range map[string]string{"before the content": head, "in it": body, "after it": foot} {
			if m := marked(where, part); m != "秘 · 군사III급비밀" {
				return m
			}
		}
		// A printed sheet repeats what is before and after: its style hides neither, and repeats both.
		_, css := x.kr.page(c, "/style.css", nil)
		print := regexp.MustCompile(`@media print\{(.*)\}`).FindStringSubmatch(css)
		if print == nil || !strings.Contains(print[1], ".banner{display:table-header-group") || !strings.Contains(print[1], "main~.banner{display:table-footer-group}") {
			return fmt.Sprintf("a sheet is printed by %q", print)
		}
		return "秘 · 군사III급비밀"
	})
	x.try(x.kr, "by the interface", func() string {
		var o desk.Opened
		if err := x.kr.c.Open(x.Context(), desk.OpenAsk{Number: x.theirs, As: "analyst"}, io.Discard, func(v desk.Opened) { o = v }); err != nil || len(o.Ruling.As) != 1 {
			return fmt.Sprintf("%+v, %v", o.Ruling, err)
		}
		return o.Custody.Manifest.Mark.Text + " · " + o.Ruling.As[0].Text
	})
	x.try(x.kr, "by the command", func() string {
		return x.kr.said("open", string(x.theirs), "-o", filepath.Join(x.TempDir(), "content"))
	})
}

func otherSites(x *attempt) {
	officer := x.kr.browser("officer")
	for _, site := range []string{"cross-site", "same-site"} {
		x.try(x.kr, "a form of a page that is "+site, func() string {
			var body bytes.Buffer
			m := multipart.NewWriter(&body)
			for k, v := range map[string]string{"pact": "kr-jp-2016", "mark": "군사II급비밀", "subject": "defence", "purpose": "threat-assessment", "title": "of another site", "do": "send"} {
				if err := m.WriteField(k, v); err != nil {
					x.Fatal(err)
				}
			}
			w, err := m.CreateFormFile("content", "note.txt")
			if err == nil {
				_, err = w.Write([]byte("a note"))
			}
			if err := errors.Join(err, m.Close()); err != nil {
				x.Fatal(err)
			}
			r, err := http.NewRequestWithContext(x.Context(), http.MethodPost, x.kr.status().Desk+"/release", &body)
			if err != nil {
				x.Fatal(err)
			}
			r.Header.Set("Content-Type", m.FormDataContentType())
			r.Header.Set("Sec-Fetch-Site", site)
			a, err := officer.Do(r)
			if err != nil {
				x.Fatal(err)
			}
			defer a.Body.Close()
			return a.Status
		})
	}
	d := draft("秘")
	d.Title = `<script>alert("x")</script>=HYPERLINK("http://x")`
	n := x.jp.gives(x.kr, d, strings.NewReader(`<script>alert("y")</script>`))
	reader := x.kr.browser("analyst")
	for _, path := range []string{"/inbox", "/p/" + string(n)} {
		x.try(x.kr, "a title that is script, on "+path, func() string {
			_, text := x.kr.page(reader, path, nil)
			if strings.Contains(text, "<script>alert") || strings.Contains(text, "<script>") {
				return "script"
			}
			return regexp.MustCompile(`&lt;script&gt;`).FindString(text)
		})
	}
	if _, text := x.kr.page(reader, "/p/"+string(n), url.Values{}); strings.Contains(text, "<script>alert") || !strings.Contains(text, "&lt;script&gt;alert(&#34;y&#34;)") {
		x.Error("content that is script is shown as such, or not at all")
	}
}

func clockBack(x *attempt) {
	p := x.joins("late", func(p *act.Person) { p.Until = act.MomentOf(time.Now().Add(time.Second)) })
	x.kr.wait("it has expired", func() bool { return time.Now().After(p.Until.Add(50 * time.Millisecond)) })
	year := -365 * 24 * time.Hour
	x.kr.step(year)
	x.try(x.kr, "with the clock back a year, one whose access has expired", func() string { return x.kr.denied("late", x.theirs) })
	x.try(x.kr, "and one whose access has not", func() string { return x.kr.denied("analyst", x.theirs) })
	x.kr.step(0)
	size := len(x.kr.lines())
	if told := x.kr.denied("late", x.theirs); !strings.Contains(told, "clearance") {
		x.Errorf("the clock set right: %s", told)
	}
	x.kr.quiet()
	if now := x.kr.lines(); len(now) != size+1 || now[size].Act.Kind != act.OpeningDenied {
		x.Errorf("the clock set right: the refusal is not entered: %d entries became %d", size, len(now))
	}
}

// chunk is one of a PNG's.
func chunk(kind string, b []byte) []byte {
	all := append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), kind...)
	all = append(all, b...)
	return binary.BigEndian.AppendUint32(all, crc32.ChecksumIEEE(all[4:]))
}

func bombs(x *attempt) {
	claim := func(w, h uint32) []byte {
		head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
		return append(append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 16, 6, 0, 0, 0))...), chunk("IDAT", []byte("\x78\x9c"))...)
	}
	loop, err := os.ReadFile("../../demo/data/day.tif")
	if err != nil {
		x.Fatal(err)
	}
	first := binary.LittleEndian.Uint32(loop[4:]) // its directory comes after itself
	binary.LittleEndian.PutUint32(loop[first+2+12*uint32(binary.LittleEndian.Uint16(loop[first:])):], first)
	reader := x.kr.browser("analyst")
	for _, y := range []struct {
		what, media string
		file        []byte
	}{
		{"a PNG of eight hundred MB in 69 bytes", "image/png", claim(9999, 9999)},
		{"a PNG of four billion pixels", "image/png", claim(65000, 65000)},
		{"a GeoTIFF whose directories are a loop", "image/tiff", loop},
		{"an SVG with script", "image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert("x")</script></svg>`)},
		{"a PDF that is a PNG too", "image/png", []byte("%PDF-1.7\n\x89PNG\r\n\x1a\n<script>alert(1)</script>")},
		{"a PDF", "application/pdf", []byte("%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj")},
	} {
		d := draft("秘")
		d.Kind, d.Subject, d.MediaType = "imagery", "imagery", y.media
		n := x.jp.gives(x.kr, d, bytes.NewReader(y.file))
		x.kr.quiet()
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", x.kr.cmd.Process.Pid), []byte("5"), 0); err != nil {
			x.Fatal(err)
		}
		before := x.kr.peak()
		x.try(x.kr, y.what, func() string {
			status, text := x.kr.page(reader, "/p/"+string(n), url.Values{})
			if status != http.StatusOK || strings.Contains(text, "data:image") || strings.Contains(text, "<script>") {
				return fmt.Sprintf("%d, and something of it is shown", status)
			}
			return text
		})
		if grown := x.kr.peak() - before; grown > 64<<10 {
			x.Errorf("%s: the node took %d KiB more", y.what, grown)
		}
	}
}

// peak is the most memory that a process took since it was last cleared, in KiB.
func (p *proc) peak() (kib int) {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err == nil {
		_, rest, _ := strings.Cut(string(b), "VmHWM:")
		_, err = fmt.Sscan(rest, &kib)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return kib
}

// smallDisk is a node on a disk of its own, which is small.
func smallDisk(t *testing.T) *stage {
	dir, inside := ledgertest.SmallDisk(t, "200m")
	if !inside { // it ran in a process that may mount
		return &stage{at: t}
	}
	s := &stage{kr: newProcIn(t, dir, "KR"), jp: newRival(t, "JP"), at: t}
	s.kr.start("")
	s.exchange()
	return s
}

func fullDisk(x *attempt) {
	if x.kr == nil {
		x.Skip("in a process of its own: see above")
	}
	disk := filepath.Dir(x.kr.dir)
	leave := func(room int64) {
		is, err := durable.Room(disk)
		if err == nil {
			err = os.WriteFile(filepath.Join(disk, "filler"+strconv.FormatInt(room, 10)), make([]byte, is-room), 0o600)
		}
		if err != nil {
			x.Fatal(err)
		}
	}
	releases := func(content string) string {
		_, err := x.kr.c.Release(x.Context(), draft("군사II급비밀"), strings.NewReader(content))
		return fmt.Sprint(err)
	}
	opens := func() string {
		var got bytes.Buffer
		err := x.kr.c.Open(x.Context(), desk.OpenAsk{Number: x.theirs, As: "analyst"}, &got, func(desk.Opened) {})
		if err == nil && got.String() != "what was released in truth" {
			err = fmt.Errorf("it reads %q", got.String())
		}
		return fmt.Sprint(err)
	}
	leave(40 << 20)
	x.try(x.kr, "who releases on a disk that is nearly full", func() string { return releases(strings.Repeat("x", 1<<20)) })
	if told := opens(); told != "<nil>" { // what is kept is read, and entered, while the reserve lasts
		x.Errorf("what is kept is not opened: %s", told)
	}
	leave(8 << 20)
	x.try(x.kr, "who opens on a full one", opens)
	if err := os.Remove(filepath.Join(disk, "filler"+strconv.Itoa(40<<20))); err != nil {
		x.Fatal(err)
	}
	x.kr.gives(draft("군사II급비밀"), strings.Repeat("x", 1<<20))
	if told := opens(); told != "<nil>" {
		x.Errorf("with room again: %s", told)
	}
	x.jp.gives(x.kr, draft("秘"), strings.NewReader(strings.Repeat("x", 2<<20)))
	if out, err := x.kr.command("ledger", "verify").CombinedOutput(); err != nil {
		x.Errorf("%v: %s", err, out)
	}
}
