//! Typed realtime client.
