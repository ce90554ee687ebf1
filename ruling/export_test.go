package ruling

// Words are opened for tests.
var Words = words
