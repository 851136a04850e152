//! Secrets that the end of a line breaks: in mails, terminals and quotations.
//!
//! Only those whose beginning is an issuer's own go on in the next line, and only while they have not matched: a whole secret takes no word of the
//! next line with it.

/// Where a candidate is that may go over the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrap {
    /// In a line.
    Line,
    /// At its end: after the `=` of quoted-printable (RFC 2045, section 6.7), or a carriage return.
    End,
    /// At the start of the next one, after the signs of a quotation.
    Start,
}

impl Wrap {
    /// After a byte that is no part of what the candidate matches; nothing where that ends it.
    pub(super) const fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Line, b'=') | (Self::Line | Self::End, b'\r') => Some(Self::End),
            (Self::Line | Self::End, b'\n') | (Self::Start, b' ' | b'\t' | b'>') => {
                Some(Self::Start)
            }
            _ => None,
        }
    }
}
