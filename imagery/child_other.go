//go:build !linux

package imagery

import (
	"syscall"
	"time"
)

const unlimited = "the decoder is a process of its own, but without limits: only Linux gives them"

func alone() *syscall.SysProcAttr { return nil }

func limit(int, time.Duration) error { return nil }
