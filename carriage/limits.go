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
	// maxOuter bounds what stands outside a parcel: a route of maxRoute parties and a number.
	maxOuter = 512
	maxRoute = 8
	// numberLength is 16 characters in groups of four: 80 bits, so that no two parcels share one.
	numberLength = 19
	// minClass is the least size of a parcel: an answer, some acts, and a small product with its
	// act look the same.
	minClass = 64 << 10
	// maxStatement bounds a parcel's statement: a checkpoint, three signatures, 64 wants.
	maxStatement = 64 << 10
	// maxWants bounds the products whose content is asked for, or given, by one parcel.
	maxWants = 64
	// maxParcel bounds a parcel on a link: a batch of acts with its proofs, and maxGiven of content:
	// parcelBlocks blocks and their digests.
	maxParcel    = 8 << 20
	maxGiven     = 5 << 20
	parcelBlocks = 4
	// wantBlocks is how many blocks are asked for ahead of what has arrived.
	wantBlocks = 16
	// retryFirst and retryMost pace what is said again to a partner who does not answer.
	retryFirst = 10 * time.Second
	retryMost  = 10 * time.Minute
	// maxHeld and maxHeldBytes bound what a hub holds for one recipient, of each who hands it over.
	maxHeld      = 10_000
	maxHeldBytes = 4 << 30
	// maxPacked and maxMedia bound a medium and a packing; maxCarried keeps a parcel below what FAT
	// holds; maxList, maxChain and maxHandovers bound the papers of a medium.
	maxPacked    = 9999
	maxMedia     = 99
	maxCarried   = 1 << 30
	maxList      = 4 << 20
	maxChain     = 1 << 20
	maxHandovers = 64
	// maxBases bounds the heads of ours that a parcel shows its growth from: what the partner saw last
	// is one of them, unless it saw none of that many.
	maxBases = 256
	// maxRemembered bounds the numbers of parcels that are remembered, to notice one that comes twice.
	maxRemembered = 1024
	// maxPresented bounds the cards of unknown callers that are remembered, for an officer to compare.
	maxPresented = 16
	// maxConnections bounds open connections from all callers.
	maxConnections = 256

	// claimLimit is how long a block waits for an object that comes by another road at this moment.
	claimLimit = 100 * time.Millisecond

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
