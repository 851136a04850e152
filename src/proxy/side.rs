//! One side of a conversation over a WebSocket: frames in, messages out, no more bytes in memory than the budget has.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::body::Hold;
use crate::guard::Cleared;

/// Bytes read and written at a time; the library's own buffers would take 256 KB a side.
const BUFFER: usize = 8 * 1024;

/// What came from a side.
#[derive(Debug)]
pub(super) enum Received {
    /// A whole message of text, valid UTF-8.
    Text(Bytes),
    /// A whole message of anything else.
    Binary,
    /// A ping, which has been answered, or a pong.
    Control,
    /// It closes the conversation, with this code and reason.
    Close(Option<u16>, String),
    /// Nothing more comes.
    Gone(Loss),
}

/// Why nothing more comes from a side that has not closed the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The connection broke, or the side stopped reading.
    Left,
    /// A frame or message is larger than the limit.
    TooLarge,
    /// A message of text is not UTF-8.
    NotText,
    /// Its frames break the protocol.
    Malformed,
    /// The budget of all bytes in memory is used up.
    Busy,
}

/// One side.
pub(super) struct Side<IO> {
    socket: WebSocketStream<Metered<IO>>,
    queue: VecDeque<Message>,
    unflushed: bool,
    /// When anything came from it last.
    pub(super) heard: Instant,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Side<IO> {
    /// A side whose opening handshake is over; `read` came right behind it.
    pub(super) async fn new(
        io: IO,
        read: &[u8],
        role: Role,
        max_message_bytes: usize,
        hold: Hold,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message_bytes))
            .max_frame_size(Some(max_message_bytes));
        let io = Metered {
            io,
            hold,
            busy: false,
        };
        let socket =
            WebSocketStream::from_partially_read(io, read.to_vec(), role, Some(config)).await;
        Self {
            socket,
            queue: VecDeque::new(),
            unflushed: false,
            heard: Instant::now(),
        }
    }

    /// Adds a message to those that wait to be written.
    pub(super) fn send(&mut self, cleared: Cleared) {
        // What the guard clears as a text is text: the check cannot fail.
        if let Ok(text) = Utf8Bytes::try_from(cleared.into_bytes()) {
            self.queue.push_back(Message::Text(text));
        }
    }

    /// Adds several.
    pub(super) fn send_all(&mut self, events: Vec<Cleared>) {
        for event in events {
            self.send(event);
        }
    }

    /// Asks for a sign of life.
    pub(super) fn ping(&mut self) {
        self.queue.push_back(Message::Ping(Bytes::new()));
    }

    /// Ends the conversation, after what waits.
    pub(super) fn close(&mut self, code: u16, reason: &str) {
        // Codes that say "none was sent" are not sent (RFC 6455, section 7.4.1).
        let frame = CloseCode::from(code).is_allowed().then(|| CloseFrame {
            code: code.into(),
            reason: reason.into(),
        });
        self.queue.push_back(Message::Close(frame));
    }

    /// Forgets what waits to be written.
    pub(super) fn discard(&mut self) {
        self.queue.clear();
    }

    /// Writes what waits. Ready when all of it is with the operating system.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Loss>> {
        while !self.queue.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(|_| Loss::Left)?;
            if let Some(message) = self.queue.pop_front() {
                self.unflushed = true;
                let sent = Pin::new(&mut self.socket).start_send(message);
                sent.map_err(|_| Loss::Left)?;
            }
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.socket).poll_flush(cx)).map_err(|_| Loss::Left)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// What comes next. Its bytes leave the budget: whoever keeps them accounts for them.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        let message = ready!(Pin::new(&mut self.socket).poll_next(cx));
        self.heard = Instant::now();
        let metered = self.socket.get_mut();
        metered.hold.clear();
        let busy = metered.busy;
        Poll::Ready(match message {
            Some(Ok(Message::Text(text))) => Received::Text(text.into()),
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => Received::Binary,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Received::Control,
            Some(Ok(Message::Close(None))) => Received::Close(None, String::new()),
            Some(Ok(Message::Close(Some(frame)))) => {
                Received::Close(Some(frame.code.into()), frame.reason.as_str().to_owned())
            }
            Some(Err(_)) if busy => Received::Gone(Loss::Busy),
            Some(Err(error)) => Received::Gone(Loss::of(&error)),
            None => Received::Gone(Loss::Left),
        })
    }
}

impl Loss {
    fn of(error: &Error) -> Self {
        match error {
            Error::Capacity(_) => Self::TooLarge,
            Error::Utf8(_) => Self::NotText,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Left,
            Error::Protocol(_) => Self::Malformed,
            _ => Self::Left,
        }
    }
}

/// A connection whose bytes are taken from the budget while they are no whole message.
struct Metered<IO> {
    io: IO,
    hold: Hold,
    /// The budget had no room.
    busy: bool,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Metered<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        if this.hold.grow(buf.filled().len() - before).is_err() {
            this.busy = true;
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Metered<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
