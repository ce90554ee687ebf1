package node_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// chromium is a real browser, spoken to over a pipe: each message is JSON with a
// zero byte at its end (the DevTools protocol).
type chromium struct {
	t       *testing.T
	to      *os.File
	session string

	mu       sync.Mutex
	calls    int
	answers  map[int]chan json.RawMessage
	complain []string // what the console and the policy said
	asked    []string // every address that was asked for
	loaded   chan struct{}
}

// browse starts a browser with one page, or skips the test where there is none.
func browse(t *testing.T, lang string) *chromium {
	t.Helper()
	exe, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: ./test installs it where it can")
	}
	in, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	cmd := exec.CommandContext(ctx, exe, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--remote-debugging-pipe", "--user-data-dir="+profile, "--accept-lang="+lang, "--window-size=1100,900", "about:blank")
	cmd.ExtraFiles = []*os.File{in, out}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	c := &chromium{t: t, to: to, answers: map[int]chan json.RawMessage{}, loaded: make(chan struct{}, 100)}
	done := make(chan struct{})
	go func() { defer close(done); c.read(from) }()
	t.Cleanup(func() {
		c.session = ""
		c.call("Browser.close", nil)
		cancel()
		_ = cmd.Wait()
		// Its helpers may write to the profile a little longer.
		for range 50 {
			if os.RemoveAll(profile) == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		to.Close()
		<-done
		from.Close()
	})
	var target struct{ TargetID string }
	c.into(&target, "Target.createTarget", map[string]any{"url": "about:blank"})
	var session struct{ SessionID string }
	c.into(&session, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true})
	c.session = session.SessionID
	for _, domain := range []string{"Page", "Log", "Runtime", "Network"} {
		c.call(domain+".enable", nil)
	}
	return c
}

// read sorts what the browser says.
func (c *chromium) read(from *os.File) {
	for r := bufio.NewReader(from); ; {
		b, err := r.ReadBytes(0)
		if err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, a := range c.answers {
				close(a)
			}
			c.answers = nil
			return
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
		}
		if json.Unmarshal(bytes.TrimSuffix(b, []byte{0}), &m) != nil {
			continue
		}
		c.mu.Lock()
		switch m.Method {
		case "":
			if a := c.answers[m.ID]; a != nil {
				delete(c.answers, m.ID)
				a <- m.Result
			}
		case "Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown":
			c.complain = append(c.complain, string(m.Params))
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			_ = json.Unmarshal(m.Params, &p)
			c.asked = append(c.asked, p.Request.URL)
		case "Page.loadEventFired":
			c.loaded <- struct{}{}
		}
		c.mu.Unlock()
	}
}

// call calls a method and returns its result; nothing when the browser has ended.
func (c *chromium) call(method string, params any) json.RawMessage {
	c.t.Helper()
	answer := make(chan json.RawMessage, 1)
	c.mu.Lock()
	if c.answers == nil {
		c.mu.Unlock()
		return nil
	}
	c.calls++
	m := map[string]any{"id": c.calls, "method": method}
	if params != nil {
		m["params"] = params
	}
	if c.session != "" {
		m["sessionId"] = c.session
	}
	c.answers[c.calls] = answer
	c.mu.Unlock()
	b, err := json.Marshal(m)
	if err == nil {
		_, err = c.to.Write(append(b, 0))
	}
	if err != nil {
		return nil
	}
	return <-answer
}

func (c *chromium) into(v any, method string, params any) {
	c.t.Helper()
	if err := json.Unmarshal(c.call(method, params), v); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}

// wait waits until a page that was asked for is loaded.
func (c *chromium) wait() {
	c.t.Helper()
	select {
	case <-c.loaded:
	case <-time.After(30 * time.Second):
		c.t.Fatal("the page never loads")
	}
}

func (c *chromium) visit(url string) {
	c.t.Helper()
	c.call("Page.navigate", map[string]any{"url": url})
	c.wait()
}

// eval evaluates an expression in the page and returns it as text. It is not
// held by the page's policy.
func (c *chromium) eval(js string) string {
	c.t.Helper()
	var r struct{ Result struct{ Value any } }
	c.into(&r, "Runtime.evaluate", map[string]any{"expression": js})
	return fmt.Sprint(r.Result.Value)
}

// key presses a key.
func (c *chromium) key(name string) {
	c.t.Helper()
	press := map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": map[string]int{"Tab": 9, "Enter": 13}[name]}
	if name == "Enter" {
		press["text"] = "\r"
	}
	c.call("Input.dispatchKeyEvent", press)
	c.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "code": name})
}

// tabTo moves the focus with the keyboard alone until it is on what js says, and
// reports whether the focus can be seen there.
func (c *chromium) tabTo(js string) bool {
	c.t.Helper()
	for range 200 {
		c.key("Tab")
		if c.eval("(e => "+js+")(document.activeElement)") == "true" {
			return c.eval("getComputedStyle(document.activeElement).outlineStyle") != "none"
		}
	}
	c.t.Fatalf("the keyboard never comes to %s", js)
	return false
}

// clean fails the test when the browser complained, or asked for anything elsewhere.
func (c *chromium) clean(base string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.complain {
		c.t.Errorf("the browser complains: %s", s)
	}
	for _, u := range c.asked {
		if !strings.HasPrefix(u, base) && !strings.HasPrefix(u, "data:image/") && u != "about:blank" {
			c.t.Errorf("the page asks for %s", u)
		}
	}
	if len(c.asked) == 0 {
		c.t.Error("no page was asked for")
	}
}
