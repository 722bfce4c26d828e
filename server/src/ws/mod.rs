//! The WebSocket protocol: strict handshake and pure codec.
