//! The stretch of time that a clause looks at, relative to the instant it is asked for.

use crate::Error;
use crate::query::parts;
use crate::query::reader::Reader;
use tallymark_model::Millis;
use tallymark_query::{Range, Unit};

/// As written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Window {
    /// Everything up to the instant.
    Always,
    /// The last `n` local units, the instant's own included.
    Calendar { n: u32, unit: Unit },
    /// So long before the instant, elapsed; the far end is out, the instant is in.
    Rolling(Millis),
    /// A fixed range.
    During(Range),
    /// From a local date, or an instant, on.
    Since(String),
    /// So long from the person's first event on.
    WithinFirst(Millis),
}

impl Window {
    /// From the keys of a clause, or of its `window`.
    pub fn read(from: &Reader<'_>) -> Result<Window, Error> {
        match from.get("window") {
            None => Window::of(from),
            Some(value) => {
                let inner = Reader::new(value, &from.at("window"))?;
                let found = Window::of(&inner)?;
                inner.finish()?;
                Ok(found)
            }
        }
    }

    fn of(from: &Reader<'_>) -> Result<Window, Error> {
        let given: Vec<&str> = ["last", "during", "since", "within_first"]
            .into_iter()
            .filter(|key| from.peek(key).is_some())
            .collect();
        if let [first, second, ..] = given.as_slice() {
            let problem = format!("`{first}` and `{second}` cannot stand in one clause");
            return Err(from.wrong(second, problem, "a clause has one window"));
        }
        if let Some(value) = from.get("last") {
            let hint = r#"{"n":7,"unit":"day"}, with "rolling":true for elapsed time"#;
            let last = Reader::new(value, &from.at("last"))?;
            let n = last.integer("n", 1, 100_000)?.ok_or_else(|| last.missing("n", hint))?;
            let unit = last.choice("unit", &parts::units())?.ok_or_else(|| last.missing("unit", hint))?;
            let rolling = last.flag("rolling")?.unwrap_or(false);
            last.finish()?;
            return Ok(match rolling {
                true => Window::Rolling(n * unit.millis()),
                false => Window::Calendar { n: n as u32, unit },
            });
        }
        if let Some(value) = from.get("during") {
            let hint = r#"{"from":"2025-01-01","to":"2025-01-31"}"#;
            let during = Reader::new(value, &from.at("during"))?;
            let text = |key| during.text(key)?.map(str::to_owned).ok_or_else(|| during.missing(key, hint));
            let range = Range::Between { from: text("from")?, to: text("to")? };
            during.finish()?;
            return Ok(Window::During(range));
        }
        if let Some(text) = from.text("since")? {
            return Ok(Window::Since(text.to_owned()));
        }
        Ok(parts::duration(from, "within_first")?.map_or(Window::Always, Window::WithinFirst))
    }
}
