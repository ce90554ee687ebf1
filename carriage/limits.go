package carriage

import "time"

// The limits of the direct link. A partner that goes over one of its
// acts or connections is told which by a bye of kind "limit", and one whose parcel does by the refusal of that; a
// frame out of bounds ends its connection. A caller that has not shown a known key is turned away
// without a word. Nothing here depends on a length that a peer claims: room is
// made as bytes arrive.
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
	// heldFor is how long a hub holds a parcel: by then its sender has said it again many times.
	heldFor = 30 * 24 * time.Hour
	// maxPacked and maxMedia bound a medium and a packing; maxCarried keeps a parcel below what FAT
	// holds; maxList, maxChain and maxHandovers bound the papers of a medium.
	maxPacked    = 9999
	maxMedia     = 99
	maxCarried   = 1 << 30
	maxList      = 4 << 20
	maxChain     = 1 << 20
	maxHandovers = 64
	// capacityUsual is what a medium holds, unless it is said: FAT on the smallest that is sold.
	capacityUsual = 4_000_000_000
	// maxBases bounds the heads of ours that a parcel shows its growth from: what the partner said that it saw
	// last is one of them, and what it may have seen since, unless it saw none of that many.
	maxBases = 256
	// maxAsking bounds the numbers of ours whose answer is waited for: days of asking.
	maxAsking = 256
	// maxRemembered bounds the numbers of parcels that are remembered, to notice one that comes twice.
	maxRemembered = 1024
	// maxValues bounds the JSON values of a delivery by their commas: an act and a head have a few
	// and a proof of at most 63 hashes each. What is no act (1, null, {}) takes the room of one when
	// it is read, and a frame of such would grow to fifty times its size.
	maxValues = (maxBatch + maxBases + 2) * 70
	// maxPresented bounds the cards of unknown callers that are remembered for an officer to compare, of
	// 64 KiB at most each, maxPresentedFrom those of one host, and presentedFor how long: two officers
	// who telephone need minutes.
	maxPresented     = 256
	maxPresentedFrom = 64
	presentedFor     = time.Hour

	// claimLimit is how long a block waits for an object that comes by another road at this moment.
	claimLimit = 100 * time.Millisecond
	// maxOfPartner bounds the open connections of one partner: four lanes, each of which may
	// stand beside the one that it replaces, and two for a partner that starts again meanwhile.
	maxOfPartner = 10
	// maxGreeting bounds the callers who have not shown a known key, from everywhere, and
	// maxGreetingFrom those of one host: a hub or a site of 40 parties has one address, and
	// after an outage calls with three lanes each or four.
	maxGreeting     = 256
	maxGreetingFrom = 128
	// callsAtOnce and callsPerSecond bound the calls of one host: each costs some three
	// milliseconds of a core for its handshake, so that a stranger gets a thirtieth of it.
	callsAtOnce    = 400
	callsPerSecond = 10
	// maxHosts bounds the hosts that are remembered, at 100 bytes each.
	maxHosts = 4096
	// actsAtOnce and actsPerMinute bound the acts of a partner, each of which stays in our
	// ledger for ever: an outage of days is caught up with at once, and a flood of days is not. A node takes in a thousand a second at most.
	actsAtOnce    = 100_000
	actsPerMinute = 60_000
	// minSpeed is what a connection must move in a second once a frame has begun: a block
	// of 1 MiB takes 17 minutes at most. What is slower (a telephone of 2,400 bit/s) is
	// a matter for the courier, and a caller who sends a byte now and then is ended.
	minSpeed = 1 << 10

	// greetingLimit bounds a whole greeting: the handshake and both hellos.
	greetingLimit = 20 * time.Second
	// silence is how long a link may say nothing; each side speaks every third of it.
	silence = 45 * time.Second
	// freshness is how often the checkpoint is shown when nothing else is sent.
	freshness = time.Hour
	// skewRefused compares the clocks at a hello.
	skewRefused = 24 * time.Hour

	// backoffFirst and backoffMost bound the pause between two attempts to call: it doubles, and is
	// spread by half around its length, so that the partners of a node that was away do
	// not all come at once.
	backoffFirst = 200 * time.Millisecond
	backoffMost  = 30 * time.Second
	// progress is how much a connection moves to have been worth its call: more than its
	// greetings (40 KB). The pause before the next call begins anew then, so that a line
	// that is cut again and again is used while it holds.
	progress = 64 << 10
	// acceptPause and acceptTries bound how long a listener that cannot answer (no files, no
	// memory) is tried again before the node ends: a minute.
	acceptPause = time.Second
	acceptTries = 60
	// lastWord is how long a partner may take to hear that it is parked.
	lastWord = 2 * time.Second
)
