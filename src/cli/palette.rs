//! Few colours, each for one thing. They reach a terminal that wants them and nothing else.

use anstyle::{AnsiColor, Style};

/// Kept.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Broken.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Not known.
pub const UNSURE: Style = AnsiColor::Yellow.on_default();
/// Beside the point.
pub const FAINT: Style = Style::new().dimmed();
/// A name or a command.
pub const STRONG: Style = Style::new().bold();
/// A plain number.
pub const CALM: Style = Style::new();
