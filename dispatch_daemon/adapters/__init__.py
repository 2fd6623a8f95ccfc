"""The daemon's hands: disk, sockets, keychain and sandbox, each behind a port of `dispatch_daemon.ports`."""
