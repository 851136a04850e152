//! Log lines on standard error: every line, with all its fields, goes through the redactor before it leaves.

use super::redact::Redactor;
use std::io::{self, Write};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How lines look, and which are written.
#[derive(Clone, Debug)]
pub struct Config {
    /// Text for people, JSON for machines.
    pub format: Format,
    /// The lowest level, such as `info`, or directives by module, such as `info,sluicegate::upstream=debug`.
    pub filter: String,
    /// Whether text has colours: only where a person reads it on a terminal and `NO_COLOR` is not set.
    pub colour: bool,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One line, `name=value`.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// A filter that could not be understood, or one too many.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFilter {
    /// It is no filter.
    #[error(
        "invalid log filter {found:?}: expected error, warn, info, debug or trace, or these by module, such as info,sluicegate::upstream=debug"
    )]
    Syntax {
        /// What was written.
        found: String,
    },
    /// Logging was started before in this process.
    #[error("logging was started twice")]
    Started,
}

/// Starts logging for the whole process, panics included.
///
/// # Errors
/// If the filter cannot be understood.
pub fn start(config: &Config, redactor: &Redactor) -> Result<(), InvalidFilter> {
    let subscriber = subscriber(config, redactor.clone(), io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InvalidFilter::Started)?;
    // Only where it happened: the message may quote the text that was being worked on, as those of string indices do.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
    Ok(())
}

fn subscriber<W>(
    config: &Config,
    redactor: Redactor,
    sink: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, InvalidFilter>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A word alone would be taken for a module, and a misspelt level would silence everything.
    let is_clear = |directive: &str| {
        directive.contains('=') || directive.trim().parse::<LevelFilter>().is_ok()
    };
    if !config.filter.split(',').all(is_clear) {
        return Err(InvalidFilter::Syntax {
            found: config.filter.clone(),
        });
    }
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(&config.filter)
        .map_err(|_| InvalidFilter::Syntax {
            found: config.filter.clone(),
        })?;
    let writer = Redacting {
        redactor,
        format: config.format,
        sink,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .log_internal_errors(false);
    Ok(match config.format {
        Format::Text => Box::new(builder.with_ansi(config.colour).finish()),
        Format::Json => Box::new(
            builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .finish(),
        ),
    })
}

/// Makes writers that redact. Each gets one whole line in one write, which is what the `fmt` layer does.
struct Redacting<W> {
    redactor: Redactor,
    format: Format,
    sink: W,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Redacting<W> {
    type Writer = Line<'a, W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line {
            redactor: &self.redactor,
            format: self.format,
            sink: self.sink.make_writer(),
        }
    }
}

struct Line<'a, S> {
    redactor: &'a Redactor,
    format: Format,
    sink: S,
}

impl<S: Write> Write for Line<'_, S> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches('\n');
        let mut out = match self.format {
            // A line end within a field would let a caller write log lines of its own.
            Format::Text => self
                .redactor
                .redact(text)
                .replace('\n', "\\n")
                .replace('\r', "\\r"),
            Format::Json => self.redactor.redact_json(text),
        };
        out.push('\n');
        self.sink.write_all(out.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use std::sync::{Arc, Mutex};

    /// What is logged by `events`.
    fn logged(format: Format, colour: bool, events: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let redactor = Redactor::default();
        redactor.protect([Secret::new("protected value")]);
        let config = Config {
            format,
            filter: "info".to_owned(),
            colour,
        };
        let sink = Arc::clone(&lines);
        let subscriber = subscriber(&config, redactor, move || Sink(Arc::clone(&sink))).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        let bytes = lines.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_field_or_span_shows_a_secret() {
        let events = || {
            let span = tracing::error_span!("exchange", token = "hunter2");
            let _entered = span.enter();
            tracing::info!(api_key = "hunter2", header = %"Bearer hunter2hunter2", value = "x protected value y", "password=hunter2");
            tracing::debug!("below the level");
        };
        for (format, colour) in [
            (Format::Text, false),
            (Format::Text, true),
            (Format::Json, false),
        ] {
            let line = logged(format, colour, events);
            assert!(
                !line.contains("hunter2") && !line.contains("protected"),
                "{line}"
            );
            assert_eq!(line.matches("[REDACTED]").count(), 5, "{line}");
            assert_eq!(line.matches('\n').count(), 1, "{line}");
        }
    }

    #[test]
    fn json_lines_are_json() {
        let line = logged(Format::Json, false, || {
            tracing::info!(api_key = "a\"b", n = 1, "started");
        });
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "started");
        assert_eq!(value["api_key"], "[REDACTED]");
        assert_eq!(value["n"], 1);
    }

    #[test]
    fn nobody_can_forge_a_line() {
        let line = logged(
            Format::Text,
            false,
            || tracing::info!(model = %"a\n2026 ERROR forged", "x"),
        );
        assert_eq!(line.matches('\n').count(), 1, "{line}");
    }

    #[test]
    fn a_bad_filter_is_refused() {
        let config = Config {
            format: Format::Text,
            filter: "loud".to_owned(),
            colour: false,
        };
        let Err(error) = subscriber(&config, Redactor::default(), io::sink) else {
            panic!("accepted");
        };
        assert!(error.to_string().contains("\"loud\""), "{error}");
    }
}
