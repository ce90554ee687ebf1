package act

import (
	"encoding/base32"
	"fmt"
	"io"
	"strings"
)

// Party names a party for machines: KR, JP, US, or a longer token of capital
// letters, digits and hyphens for an agency. What people read is in its card.
type Party string

// Check reports whether p is well formed.
func (p Party) Check() error {
	if len(p) < 2 || len(p) > 16 {
		return fmt.Errorf("%w: party %q is not 2 to 16 characters", ErrMalformed, p)
	}
	for i, c := range p {
		if !(c >= 'A' && c <= 'Z' || i > 0 && (c >= '0' && c <= '9' || c == '-')) {
			return fmt.Errorf("%w: party %q is not capital letters, digits and hyphens", ErrMalformed, p)
		}
	}
	return nil
}

// PactID names an agreement: kr-jp-2016.
type PactID string

// Check reports whether p is well formed.
func (p PactID) Check() error {
	if !simple(string(p), MaxName) {
		return fmt.Errorf("%w: a pact's name is small letters, digits, dots and hyphens, not %q", ErrMalformed, p)
	}
	return nil
}

// Number is a product's control number, such as KR-2016-7Q4K-M2XT. It is
// random, so it tells an outsider nothing, not even how many there are; its
// last character is a check, so that one misread is caught.
type Number string

// crockford leaves out I, L, O and U, which people misread.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

var numbering = base32.NewEncoding(crockford).WithPadding(base32.NoPadding)

// NewNumber draws a number for a product of p released in year.
func NewNumber(p Party, year int, random io.Reader) (Number, error) {
	var b [5]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing a control number: %w", err)
	}
	s := numbering.EncodeToString(b[:])[:7]
	head := fmt.Sprintf("%s-%04d-", p, year)
	s += string(checkRune(head + s))
	return Number(head + s[:4] + "-" + s[4:]), nil
}

// Check reports whether n is well formed and its check character is right.
func (n Number) Check() error {
	s := string(n)
	if len(s) < 2+1+4+1+9 || len(s) > 16+1+4+1+9 {
		return fmt.Errorf("%w: %q is not a control number", ErrMalformed, n)
	}
	head, tail := s[:len(s)-9], s[len(s)-9:]
	party, year, ok := strings.Cut(strings.TrimSuffix(head, "-"), "-")
	if i := strings.LastIndexByte(strings.TrimSuffix(head, "-"), '-'); ok && i > 0 {
		party, year = head[:i], head[i+1:len(head)-1]
	}
	if Party(party).Check() != nil || len(year) != 4 || strings.Trim(year, "0123456789") != "" || tail[4] != '-' || head[len(head)-1] != '-' {
		return fmt.Errorf("%w: %q is not a control number", ErrMalformed, n)
	}
	body := tail[:4] + tail[5:]
	if strings.Trim(body, crockford) != "" || rune(body[7]) != checkRune(head+body[:7]) {
		return fmt.Errorf("%w: %q does not match its check character: read it again", ErrMalformed, n)
	}
	return nil
}

// Party returns the party in whose series n stands: KR for KR-2016-7Q4K-M2XT,
// KR-A for KR-A-2016-7Q4K-M2XT. It is empty for what is no number.
func (n Number) Party() Party {
	const tail = len("-2016-7Q4K-M2XT")
	if len(n) <= tail {
		return ""
	}
	return Party(n[:len(n)-tail])
}

// checkRune weighs each character by its place, so that one wrong character
// or two swapped neighbours change the sum (modulo the prime 31).
func checkRune(s string) rune {
	sum := 0
	for i, c := range []byte(s) {
		sum = (sum + int(c)*(i%29+1)) % 31
	}
	return rune(crockford[sum])
}

// simple holds for what may stand in a name: it can be typed, spoken and
// compared by eye in any language.
func simple(s string, limit int) bool {
	return s != "" && len(s) <= limit && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == "" && s[0] != '-' && s[0] != '.'
}

// line holds for text that a person reads on one line: no control characters
// and none that turn the direction of writing.
func line(s string) bool {
	if len(s) > MaxLine {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0xfeff || r == 0x2028 || r == 0x2029 {
			return false
		}
	}
	return true
}
