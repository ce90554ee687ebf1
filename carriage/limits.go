package carriage

import "time"

const (
	// maxFrame bounds one frame: a delivery of maxBatch acts, one block of content, or the
	// digests of 65,536 blocks at 48 bytes.
	maxFrame = 4 << 20
	// maxHello bounds what an unknown caller may send: a card and a checkpoint are 20 KB.
	maxHello = 64 << 10
	// maxBatch bounds the acts of one delivery, and batchBytes their bytes: a group commit should
	// take milliseconds, so that receipts flow while a long queue is sent.
	maxBatch   = 200
	batchBytes = 1 << 20
	// maxPresented bounds the cards of unknown callers that are remembered, for an officer to compare.
	maxPresented = 16
	// maxConnections bounds open connections from all callers.
	maxConnections = 256

	handshakeLimit = 10 * time.Second
	// silence is how long a link may say nothing; each side speaks every third of it.
	silence = 45 * time.Second
	// freshness is how often the checkpoint is shown when nothing else is sent.
	freshness = time.Hour
	// skewShown and skewRefused compare the clocks at a hello.
	skewShown   = 5 * time.Minute
	skewRefused = 24 * time.Hour

	backoffFirst = 200 * time.Millisecond
	backoffMost  = 30 * time.Second
)
