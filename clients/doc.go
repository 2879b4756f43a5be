// Package clients has no code, only tests: clients that nobody here wrote,
// against the real server over https. It is a module of its own, so that what
// they need is no dependency of the server.
package clients
