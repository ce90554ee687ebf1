package node_test

import (
	"bytes"
	"context"
	"image"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"entente/imagery"
)

// preview is what a real node's is.
func preview(ctx context.Context, r io.ReaderAt, size int64, most int) (image.Image, error) {
	return imagery.NewChild(os.Args[0], "decode").Preview(ctx, r, size, most)
}

// TestBomb: a picture that would fill the memory is opened and entered as any
// other; the page says that it cannot be shown, and the node lives.
func TestBomb(t *testing.T) {
	kr, jp := start(t, "KR"), start(t, "JP")
	conclude(t, kr, jp)
	d := draft("군사II급비밀")
	d.Kind, d.Subject, d.MediaType = "imagery", "imagery", "image/png"
	// A PNG of 9999 by 9999 pixels of 8 bytes each, in 45 bytes.
	bomb := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00'\x0f\x00\x00'\x0f\x10\x06\x00\x00\x00\xce\xfb\xd4\x4f\x00\x00\x00\x02IDATx\x9c\x62\xa4\x91\x2b")
	slip, err := kr.c.Release(t.Context(), d, bytes.NewReader(bomb))
	if err != nil {
		t.Fatal(err)
	}
	kr.receipted(t, slip.Number)
	b := signIn(t, jp, "analyst")
	body, status := b.post("/p/"+string(slip.Number), "application/x-www-form-urlencoded", nil)
	if status != http.StatusOK || !strings.Contains(body, "cannot be shown here") || strings.Contains(body, "data:image") {
		t.Errorf("%d, and the page does not say that it cannot be shown", status)
	}
	if body, status := b.get("/p/" + string(slip.Number)); status != http.StatusOK || !strings.Contains(body, "product.opened") {
		t.Errorf("%d: the opening is not entered, or the node is gone", status)
	}
}
