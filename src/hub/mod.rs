//! The routing core: session table, subscription tree, retained messages, wills, deadlines.
