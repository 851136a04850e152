//! Content codings undone piece by piece (RFC 9110, section 8.4.1), so that a small input cannot become a large buffer.
//!
//! One coding only: what is compressed twice is refused by whoever reads the header. Output is bounded in three ways: for each
//! piece of input, by a ratio to all input, and by what the caller accepts in total.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use thiserror::Error;

/// Compressed bytes taken at a time.
const STEP_BYTES: usize = 1000;

/// The most that one step may yield. Deflate grows a byte to at most 1032; the others know no bound.
const STEP_OUTPUT: usize = 4 << 20;

/// Bytes of output to each byte of input, beyond a free allowance. Logs and JSON reach 20 to 60.
const RATIO: usize = 256;
const FREE_OUTPUT: usize = 1 << 20;

/// The largest window of zstd in HTTP: 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// A coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, as RFC 9110 says; without the header it is refused.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// The coding of a header's value; `Ok(None)` if there is none to undo.
    ///
    /// # Errors
    /// It is another one, or several.
    pub fn parse(value: &[u8]) -> Result<Option<Self>, Problem> {
        match value.trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(None),
            b"gzip" | b"x-gzip" => Ok(Some(Self::Gzip)),
            b"deflate" => Ok(Some(Self::Deflate)),
            b"br" => Ok(Some(Self::Brotli)),
            b"zstd" => Ok(Some(Self::Zstd)),
            _ => Err(Problem::Unknown),
        }
    }
}

/// Why bytes were not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    /// It is not one of the known codings.
    #[error("its content coding is not one of gzip, deflate, br and zstd, or there are several")]
    Unknown,
    /// It is not what its coding says.
    #[error("it is not what its content coding says")]
    Malformed,
    /// It ends before its coding does.
    #[error("its compressed form is cut off")]
    Truncated,
    /// It grows more than honest data does.
    #[error("it grows to more than {limit} bytes when decompressed")]
    TooLarge {
        /// Bytes that would have been accepted.
        limit: usize,
    },
}

/// Undoes one coding.
pub struct Decoder {
    engine: Engine,
    waiting: Bytes,
    taken: usize,
    given: usize,
}

enum Engine {
    Gzip(GzDecoder<Sink>),
    Deflate(Box<Zlib>),
    Brotli(Box<brotli_decompressor::DecompressorWriter<Sink>>),
    Zstd(zstd::stream::write::Decoder<'static, Sink>),
}

impl Decoder {
    /// A decoder at the start of its input.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(coding: Coding) -> io::Result<Self> {
        let sink = Sink::default();
        let engine = match coding {
            Coding::Gzip => Engine::Gzip(GzDecoder::new(sink)),
            Coding::Deflate => Engine::Deflate(Box::new(Zlib::new(sink))),
            Coding::Brotli => {
                let decoder = brotli_decompressor::DecompressorWriter::new(sink, 16 << 10);
                Engine::Brotli(Box::new(decoder))
            }
            Coding::Zstd => {
                let mut decoder = zstd::stream::write::Decoder::new(sink)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Engine::Zstd(decoder)
            }
        };
        Ok(Self {
            engine,
            waiting: Bytes::new(),
            taken: 0,
            given: 0,
        })
    }

    /// Takes the next input, once [`Self::step`] has nothing more to give.
    pub fn push(&mut self, input: Bytes) {
        self.waiting = input;
    }

    /// The next decoded bytes, `None` if more input is needed.
    ///
    /// # Errors
    /// The input is wrong or grows too much.
    pub fn step(&mut self) -> Result<Option<Bytes>, Problem> {
        while !self.waiting.is_empty() {
            let piece = self.waiting.split_to(self.waiting.len().min(STEP_BYTES));
            self.taken += piece.len();
            let limit = FREE_OUTPUT.saturating_add(self.taken.saturating_mul(RATIO));
            let room = (limit - self.given.min(limit)).min(STEP_OUTPUT);
            self.engine.sink().room = room;
            let written = self.engine.write(&piece);
            let sink = self.engine.sink();
            if sink.full {
                return Err(Problem::TooLarge {
                    limit: self.given + room,
                });
            }
            let output = std::mem::take(&mut sink.bytes);
            written.map_err(|_| Problem::Malformed)?;
            if !output.is_empty() {
                self.given += output.len();
                return Ok(Some(output.into()));
            }
        }
        Ok(None)
    }

    /// Checks that the coding has come to its end, checksums included; to be called once, after the last input. No input at all
    /// is an empty text, as servers send it for answers without a body.
    ///
    /// # Errors
    /// It has not.
    pub fn finish(&mut self) -> Result<(), Problem> {
        if self.taken == 0 {
            return Ok(());
        }
        self.engine.finish().map_err(|_| Problem::Truncated)?;
        // All that could be known was written at the step that brought it.
        if self.engine.sink().bytes.is_empty() {
            Ok(())
        } else {
            Err(Problem::Malformed)
        }
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("taken", &self.taken)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

impl Engine {
    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Deflate(decoder) => &mut decoder.sink,
            Self::Brotli(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
        }
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Self::Deflate(decoder) => decoder.write(piece),
            Self::Brotli(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
            Self::Zstd(decoder) => decoder.write_all(piece).and_then(|()| decoder.flush()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) if decoder.ended => Ok(()),
            Self::Deflate(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Brotli(decoder) => decoder.close(),
            Self::Zstd(decoder) => decoder.do_finish(),
        }
    }
}

/// Takes output while there is room.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    room: usize,
    full: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.room {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writer of `flate2` does not tell an end from a cut.
struct Zlib {
    state: Decompress,
    sink: Sink,
    ended: bool,
}

impl Zlib {
    fn new(sink: Sink) -> Self {
        Self {
            state: Decompress::new(true),
            sink,
            ended: false,
        }
    }

    fn write(&mut self, mut piece: &[u8]) -> io::Result<()> {
        let mut output = [0; 16 << 10];
        loop {
            if self.ended {
                let clean = piece.is_empty();
                return if clean {
                    Ok(())
                } else {
                    Err(io::ErrorKind::InvalidData.into())
                };
            }
            let (before_in, before_out) = (self.state.total_in(), self.state.total_out());
            let status = self
                .state
                .decompress(piece, &mut output, FlushDecompress::None)?;
            let taken = usize::try_from(self.state.total_in() - before_in).unwrap_or(usize::MAX);
            let given = usize::try_from(self.state.total_out() - before_out).unwrap_or(usize::MAX);
            self.sink
                .write_all(output.get(..given).unwrap_or_default())?;
            piece = piece.get(taken..).unwrap_or_default();
            self.ended = status == Status::StreamEnd;
            if taken == 0 && given == 0 {
                let done = self.ended || piece.is_empty();
                return if done {
                    Ok(())
                } else {
                    Err(io::ErrorKind::InvalidData.into())
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    fn packed(coding: Coding, text: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::best();
        match coding {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(text).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 5, 22);
                encoder.write_all(text).unwrap();
                drop(encoder);
                out
            }
            Coding::Zstd => zstd::encode_all(text, 3).unwrap(),
        }
    }

    /// Decodes `bytes` in pieces of `size`, and says how many bytes of input had gone in at a failure.
    fn decode(coding: Coding, bytes: &[u8], size: usize) -> Result<Vec<u8>, Problem> {
        let mut decoder = Decoder::new(coding).unwrap();
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Some(output) = decoder.step()? {
                assert!(output.len() <= STEP_OUTPUT);
                out.extend_from_slice(&output);
            }
        }
        decoder.finish()?;
        Ok(out)
    }

    #[test]
    fn undoes_each_coding_in_any_pieces() {
        let text = (0..20_000)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ");
        for coding in ALL {
            let bytes = packed(coding, text.as_bytes());
            for size in [1, 7, 1000, usize::MAX] {
                let decoded = decode(coding, &bytes, size).unwrap();
                assert!(decoded == text.as_bytes(), "{coding:?} in pieces of {size}");
            }
            assert_eq!(decode(coding, b"", 1).unwrap(), b"");
        }
    }

    #[test]
    fn what_is_cut_off_or_followed_by_more_is_refused() {
        let text = (0..2_000)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(" ");
        for coding in ALL {
            let bytes = packed(coding, text.as_bytes());
            for length in (1..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
                assert!(
                    decode(coding, &bytes[..length], 1000).is_err(),
                    "{coding:?} {length}"
                );
            }
            for tail in [&b"x"[..], b"{}", &[0; 20]] {
                let longer = [&bytes, tail].concat();
                assert!(
                    decode(coding, &longer, 1000).is_err(),
                    "{coding:?} with {tail:?}"
                );
            }
            assert!(decode(coding, b"{\"plain\": 1}", 1000).is_err());
        }
    }

    #[test]
    fn a_second_member_and_a_coding_within_a_coding_are_no_text() {
        let part = b"{\"model\": \"m\"}";
        for coding in ALL {
            let bytes = packed(coding, part);
            // RFC 1952 and RFC 8878 let members follow each other; readers that stop at the first would see another body.
            let twice = decode(coding, &[bytes.as_slice(), &bytes].concat(), 1000);
            let concatenates = coding == Coding::Zstd && twice == Ok(part.repeat(2));
            assert!(concatenates || twice.is_err(), "{coding:?}: {twice:?}");
            // The header names one coding: what is within stays what it is, and is no JSON.
            for inner in ALL {
                let nested = packed(inner, &bytes);
                assert_eq!(
                    decode(inner, &nested, 7),
                    Ok(bytes.clone()),
                    "{inner:?} of {coding:?}"
                );
            }
        }
    }

    #[test]
    fn bombs_are_stopped_early() {
        let zeros = vec![b'0'; 100 << 20];
        for coding in ALL {
            let bytes = packed(coding, &zeros);
            let mut decoder = Decoder::new(coding).unwrap();
            decoder.push(bytes.into());
            let mut given = 0;
            let problem = loop {
                match decoder.step() {
                    Ok(Some(output)) => given += output.len(),
                    Ok(None) => panic!("{coding:?}: all of it was decoded"),
                    Err(problem) => break problem,
                }
            };
            assert!(
                matches!(problem, Problem::TooLarge { .. }),
                "{coding:?}: {problem}"
            );
            assert!(given < 2 * FREE_OUTPUT, "{coding:?}: {given}");
        }
    }

    #[test]
    fn one_coding_is_read_several_are_not() {
        assert_eq!(Coding::parse(b" GZIP "), Ok(Some(Coding::Gzip)));
        assert_eq!(Coding::parse(b"identity"), Ok(None));
        for value in [
            &b"gzip, gzip"[..],
            b"br,identity",
            b"compress",
            b"gzip;q=1",
            b"utf-8",
        ] {
            assert_eq!(Coding::parse(value), Err(Problem::Unknown));
        }
    }
}
