//! Bytes in, frames checked, messages out: the reading half of the codec.
//!
//! A message that lies whole in the input is unmasked where it lies and borrowed from there. Only
//! what is cut (a head, a payload, a message in fragments) is copied, into a `Partial` that exists
//! for as long as something is partial: an idle connection holds the few words of a `Decoder`.
//!
//! Nothing is kept that could not become part of a message within the read limit: a head that
//! declares more ends the connection before a byte of its payload is taken.

use std::borrow::Cow;

use super::{
    close,
    event::{DecodeError, Event},
    head::{Head, MAX_HEAD, Opcode, Role},
    inflate, mask,
    message::Assembly,
};

/// Reads one direction of a WebSocket connection.
///
/// ```
/// use tidewire::ws::{Decoder, Event};
///
/// let mut decoder = Decoder::server(4 << 20);
/// // A masked text frame that says "Hello", and the first byte of another.
/// let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81";
/// let mut input = &mut bytes[..];
/// assert_eq!(decoder.decode(&mut input)?, Some(Event::Text("Hello".into())));
/// assert_eq!(decoder.decode(&mut input)?, None);
/// assert!(input.is_empty(), "the byte of the next frame is kept in the decoder");
/// # Ok::<(), tidewire::ws::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    read_limit: usize,
    partial: Option<Box<Partial>>,
    role: Role,
    deflate: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Open,
    Closed,
    Failed(DecodeError),
}

/// What has come of a frame or message that is not whole.
#[derive(Debug, Default)]
struct Partial {
    /// The beginning of a head.
    head: [u8; MAX_HEAD],
    head_len: u8,
    /// The frame whose payload is under way.
    frame: Option<OpenFrame>,
    /// The payload of a control frame under way.
    control: Vec<u8>,
    /// The message under way.
    message: Option<Assembly>,
}

#[derive(Debug)]
struct OpenFrame {
    head: Head,
    received: usize,
    remaining: usize,
}

impl Decoder {
    /// Reads what a client sends: masked frames, messages of at most `read_limit` bytes.
    pub fn server(read_limit: usize) -> Self {
        Self::new(Role::Server, read_limit)
    }

    /// Reads what a server sends: frames that are not masked.
    pub fn client(read_limit: usize) -> Self {
        Self::new(Role::Client, read_limit)
    }

    /// Reads as `role`.
    pub fn new(role: Role, read_limit: usize) -> Self {
        Self { read_limit, partial: None, role, deflate: false, stage: Stage::Open }
    }

    /// Takes compressed messages too: `permessage-deflate` was negotiated, without context
    /// takeover for what is read here.
    ///
    /// The read limit then holds for the message decompressed.
    #[must_use]
    pub fn with_deflate(mut self, deflate: bool) -> Self {
        self.deflate = deflate;
        self
    }

    /// How many bytes of an unfinished frame or message are held: 0 when nothing is.
    pub fn buffered(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            usize::from(partial.head_len)
                + partial.control.len()
                + partial.message.as_ref().map_or(0, Assembly::len)
        })
    }

    /// Takes the next message or control frame from the front of `input`, which is left with what
    /// follows it; `None` when all of `input` is taken and there is more to come.
    ///
    /// The bytes are unmasked where they lie, and events borrow from there.
    ///
    /// # Errors
    /// What the peer did wrong. It is given again by every later call: the connection has to end.
    pub fn decode<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, DecodeError> {
        match self.stage {
            Stage::Open => {}
            Stage::Closed => {
                *input = &mut [];
                return Ok(None);
            }
            Stage::Failed(error) => return Err(error),
        }
        let outcome = self.next_event(input);
        match &outcome {
            Ok(Some(Event::Close(_))) => self.end(Stage::Closed),
            Ok(_) => {}
            Err(error) => self.end(Stage::Failed(*error)),
        }
        outcome
    }

    fn end(&mut self, stage: Stage) {
        self.stage = stage;
        self.partial = None;
    }

    fn next_event<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, DecodeError> {
        while !input.is_empty() {
            if self.partial.as_ref().is_none_or(|partial| partial.frame.is_none()) {
                let Some(head) = self.read_head(input)? else { return Ok(None) };
                let payload_len = self.admit(&head)?;
                if payload_len <= input.len() {
                    let payload = take(input, payload_len);
                    mask::apply(payload, head.key, 0);
                    match self.whole_frame(head, payload)? {
                        Some(event) => return Ok(Some(event)),
                        None => continue,
                    }
                }
                self.open_frame(head, payload_len);
            }
            if let Some(event) = self.continue_frame(input)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Takes a head from the input, or what there is of one.
    fn read_head(&mut self, input: &mut &mut [u8]) -> Result<Option<Head>, DecodeError> {
        let kept = self.partial.as_ref().map_or(0, |partial| usize::from(partial.head_len));
        if kept == 0
            && let Some((head, len)) = Head::read(input, self.role, self.deflate)?
        {
            take(input, len);
            return Ok(Some(head));
        }
        let partial = self.partial.get_or_insert_default();
        let added = input.len().min(MAX_HEAD - kept);
        partial.head[kept..kept + added].copy_from_slice(&input[..added]);
        match Head::read(&partial.head[..kept + added], self.role, self.deflate)? {
            Some((head, len)) => {
                partial.head_len = 0;
                take(input, len - kept);
                self.release();
                Ok(Some(head))
            }
            None => {
                partial.head_len += added as u8;
                take(input, added);
                Ok(None)
            }
        }
    }

    /// Checks a head against what came before it; gives its payload's length, which is now known
    /// to fit in memory.
    fn admit(&self, head: &Head) -> Result<usize, DecodeError> {
        let message = self.partial.as_ref().and_then(|partial| partial.message.as_ref());
        let (so_far, compressed) = match (head.opcode, message) {
            (Opcode::Continuation, None) => return Err(DecodeError::NothingToContinue),
            (Opcode::Continuation, Some(message)) => (message.len(), message.is_compressed()),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(DecodeError::MessageInMessage),
            _ => (0, head.compressed),
        };
        let limit = match (head.opcode.is_control(), compressed) {
            (true, _) => usize::MAX,
            (false, false) => self.read_limit,
            (false, true) => inflate::longest_compressed(self.read_limit),
        };
        usize::try_from(head.payload_len)
            .ok()
            .filter(|&len| len <= limit - so_far)
            .ok_or(DecodeError::TooLarge)
    }

    /// A frame that lies whole in the input; the only way on which nothing is copied.
    fn whole_frame<'a>(
        &mut self,
        head: Head,
        payload: &'a [u8],
    ) -> Result<Option<Event<'a>>, DecodeError> {
        match head.opcode {
            Opcode::Text if head.fin && !head.compressed => {
                let text =
                    simdutf8::basic::from_utf8(payload).map_err(|_| DecodeError::InvalidUtf8)?;
                Ok(Some(Event::Text(Cow::Borrowed(text))))
            }
            Opcode::Binary if head.fin && !head.compressed => {
                Ok(Some(Event::Binary(Cow::Borrowed(payload))))
            }
            Opcode::Text | Opcode::Binary if head.fin => {
                inflate::message(payload, head.opcode, self.read_limit).map(Some)
            }
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                self.message(head).push(payload)?;
                self.end_data_frame(head)
            }
            _ => control_event(head.opcode, Cow::Borrowed(payload)).map(Some),
        }
    }

    fn open_frame(&mut self, head: Head, payload_len: usize) {
        if !head.opcode.is_control() {
            self.message(head);
        }
        self.partial.get_or_insert_default().frame =
            Some(OpenFrame { head, received: 0, remaining: payload_len });
    }

    /// Takes what the input has of the payload under way.
    fn continue_frame<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Event<'a>>, DecodeError> {
        let Some(partial) = &mut self.partial else { return Ok(None) };
        let Some(frame) = &mut partial.frame else { return Ok(None) };
        let piece = take(input, frame.remaining.min(input.len()));
        mask::apply(piece, frame.head.key, frame.received);
        frame.received += piece.len();
        frame.remaining -= piece.len();
        let (head, is_whole) = (frame.head, frame.remaining == 0);
        if is_whole {
            partial.frame = None;
        }
        if head.opcode.is_control() {
            partial.control.extend_from_slice(piece);
            if !is_whole {
                return Ok(None);
            }
            let payload = std::mem::take(&mut partial.control);
            self.release();
            return control_event(head.opcode, Cow::Owned(payload)).map(Some);
        }
        self.message(head).push(piece)?;
        if is_whole { self.end_data_frame(head) } else { Ok(None) }
    }

    /// The message that a data frame belongs to, begun if need be.
    fn message(&mut self, head: Head) -> &mut Assembly {
        let read_limit = self.read_limit;
        self.partial
            .get_or_insert_default()
            .message
            .get_or_insert_with(|| Assembly::new(head.opcode, head.compressed, read_limit))
    }

    fn end_data_frame<'a>(&mut self, head: Head) -> Result<Option<Event<'a>>, DecodeError> {
        if !head.fin {
            return Ok(None);
        }
        let message = self.partial.as_mut().and_then(|partial| partial.message.take());
        self.release();
        message.map(Assembly::finish).transpose()
    }

    /// Frees the memory of what was partial once nothing is.
    fn release(&mut self) {
        if self.partial.as_ref().is_some_and(|partial| {
            partial.head_len == 0 && partial.frame.is_none() && partial.message.is_none()
        }) {
            self.partial = None;
        }
    }
}

/// Splits `len` bytes off the front of `input`.
fn take<'a>(input: &mut &'a mut [u8], len: usize) -> &'a mut [u8] {
    let (taken, rest) = std::mem::take(input).split_at_mut(len);
    *input = rest;
    taken
}

fn control_event(opcode: Opcode, payload: Cow<'_, [u8]>) -> Result<Event<'_>, DecodeError> {
    Ok(match opcode {
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        _ => Event::Close(close::read(payload)?),
    })
}

#[cfg(test)]
mod tests;
