package node_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"entente/act"
	"entente/desk"
)

// TestBrowser follows a one-time link in a real browser: the session begins, the
// map is drawn under the strict policy, and the browser complains of nothing.
func TestBrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: ./test installs it where it can")
	}
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	d := draft("군사II급비밀")
	d.Event = &act.Event{ID: "KPN-5", Kind: "nuclear-test", Place: &act.Place{Lat: 41.287, Lon: 129.078}}
	slip, err := kr.c.Release(t.Context(), d, strings.NewReader("a report"))
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
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--lang=en", "--dump-dom", v["link"])
	var dom, log bytes.Buffer
	c.Stdout, c.Stderr = &dom, &log
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	for _, want := range []string{`class="land"`, `class="circle"`, "/p/" + string(slip.Number), "in-force", "Sign out"} {
		if !strings.Contains(dom.String(), want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(log.String(), "Content Security Policy") || strings.Contains(log.String(), "CONSOLE") {
		t.Errorf("the browser complains:\n%s", log.String())
	}
}
