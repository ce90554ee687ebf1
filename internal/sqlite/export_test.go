package sqlite

// What people are told, for the test of the words.
func WriteFault(err error) error { return writeFault(err) }

// ReadFault is a read's.
func ReadFault(err error) error { return readFault(err) }

// OpenFault is an opening's.
func OpenFault(err error) error { return openFault(".", err) }
