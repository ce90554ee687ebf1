package desk

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"time"
)

const (
	inviteFor   = 10 * time.Minute // a one-time link is followed at once
	sessionFor  = 8 * time.Hour    // a working day
	maxSessions = 1000
)

// sessions are the people who are signed in. They are kept in memory: whoever
// stops the node signs everybody out. Only digests of the tokens are kept.
type sessions struct {
	mu      sync.Mutex
	invited map[[32]byte]session
	live    map[[32]byte]session
}

type session struct {
	name  string
	until time.Time
}

func token() (string, [32]byte) {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	t := base64.RawURLEncoding.EncodeToString(b[:])
	return t, sha256.Sum256([]byte(t))
}

// invite makes a token that signs name in once.
func (s *sessions) invite(name string, now time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	if len(s.invited)+len(s.live) >= maxSessions {
		return "", errors.New("too many people are signed in: sign some out, or wait")
	}
	if s.invited == nil {
		s.invited, s.live = map[[32]byte]session{}, map[[32]byte]session{}
	}
	t, h := token()
	s.invited[h] = session{name, now.Add(inviteFor)}
	return t, nil
}

// enter spends an invitation and returns the token of a session.
func (s *sessions) enter(t string, now time.Time) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	h := sha256.Sum256([]byte(t))
	in, ok := s.invited[h]
	if !ok {
		return "", false
	}
	delete(s.invited, h)
	t, h = token()
	s.live[h] = session{in.name, now.Add(sessionFor)}
	return t, true
}

// who returns the name that a session belongs to.
func (s *sessions) who(t string, now time.Time) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, ok := s.live[sha256.Sum256([]byte(t))]
	if !ok || !now.Before(in.until) {
		return "", false
	}
	return in.name, true
}

func (s *sessions) leave(t string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, sha256.Sum256([]byte(t)))
}

func (s *sessions) sweep(now time.Time) {
	for _, m := range []map[[32]byte]session{s.invited, s.live} {
		for h, in := range m {
			if !now.Before(in.until) {
				delete(m, h)
			}
		}
	}
}
