//! The calendar beside virtual time: when a day begins where the gateway stands.

use std::cell::Cell;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::time::Time;

/// Ties virtual time to the days of one time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    starts_at: Timestamp,
    zone: TimeZone,
    /// What was asked last: several rules ask the same of one message.
    last: Cell<Option<(Time, u8, i64)>>,
}

/// Why there is no such calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The start is no instant.
    #[error("{0:?} is no instant; write it as RFC 3339, as in \"2026-03-02T09:00:00Z\"")]
    Start(String),
    /// The zone is not known.
    #[error("{0:?} is no IANA time zone; write one such as \"Europe/Berlin\" or \"UTC\"")]
    Zone(String),
}

impl Calendar {
    /// A calendar whose time zero is `starts_at` (RFC 3339), in the IANA zone `timezone`.
    pub fn new(starts_at: &str, timezone: &str) -> Result<Self, CalendarError> {
        let start = starts_at
            .parse()
            .map_err(|_| CalendarError::Start(starts_at.to_owned()))?;
        let zone = match timezone {
            // The commonest zone needs no look into the database.
            "UTC" => TimeZone::UTC,
            _ => TimeZone::get(timezone).map_err(|_| CalendarError::Zone(timezone.to_owned()))?,
        };
        Ok(Self {
            starts_at: start,
            zone,
            last: Cell::new(None),
        })
    }

    /// Time zero, in milliseconds since 1970.
    pub fn epoch_ms(&self) -> i64 {
        self.starts_at.as_millisecond()
    }

    /// The last instant at or before `now` when a clock in the zone turned `hour`:00, in
    /// milliseconds since time zero; it may lie before that. On a day without that hour it is the
    /// end of the gap, on a day that has it twice the first of the two.
    ///
    /// # Panics
    ///
    /// Where the day lies outside the years that the calendar knows (-9999 to 9999).
    pub fn last_daily(&self, now: Time, hour: u8) -> i64 {
        if let Some((then, asked, turned)) = self.last.get()
            && (then, asked) == (now, hour)
        {
            return turned;
        }
        let turned = self.find_daily(now, hour);
        self.last.set(Some((now, hour, turned)));
        turned
    }

    fn find_daily(&self, now: Time, hour: u8) -> i64 {
        let start = self.starts_at.as_millisecond();
        let instant = Timestamp::from_millisecond(start.saturating_add_unsigned(now.0))
            .expect("virtual time stays within the calendar's years");
        let today = instant.to_zoned(self.zone.clone()).date();
        let boundary = self.turn_of(today, hour);
        let boundary = if boundary <= instant {
            boundary
        } else {
            let yesterday = today.checked_sub(1.day()).expect("a day has one before it");
            self.turn_of(yesterday, hour)
        };
        boundary.as_millisecond() - start
    }

    fn turn_of(&self, day: Date, hour: u8) -> Timestamp {
        let local = day.at(i8::try_from(hour.min(23)).expect("23 fits"), 0, 0, 0);
        self.zone
            .to_ambiguous_timestamp(local)
            .compatible()
            .expect("the day is in the calendar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, now: &str, hour: u8, boundary: &str) {
        let calendar = Calendar::new(now, zone).unwrap();
        let expected = boundary.parse::<Timestamp>().unwrap().as_millisecond();
        let start = now.parse::<Timestamp>().unwrap().as_millisecond();
        assert_eq!(
            calendar.last_daily(Time::ZERO, hour),
            expected - start,
            "{now} at {hour}"
        );
    }

    /// Worked rows of the behaviour of OpenClaw 2026.9.6 in America/New_York (S-78).
    #[test]
    fn days_without_or_with_a_repeated_hour() {
        let rows = [
            ("2026-03-08T06:59:59.999Z", 2, "2026-03-07T07:00:00Z"),
            ("2026-03-08T07:00:00.000Z", 2, "2026-03-08T07:00:00Z"),
            ("2026-03-08T07:59:59.999Z", 4, "2026-03-07T09:00:00Z"),
            ("2026-03-08T08:00:00.000Z", 4, "2026-03-08T08:00:00Z"),
            ("2026-03-09T05:59:59.999Z", 2, "2026-03-08T07:00:00Z"),
            ("2026-03-09T06:00:00.000Z", 2, "2026-03-09T06:00:00Z"),
            ("2026-11-01T04:59:59.999Z", 1, "2026-10-31T05:00:00Z"),
            ("2026-11-01T05:00:00.000Z", 1, "2026-11-01T05:00:00Z"),
            ("2026-11-01T06:30:00.000Z", 1, "2026-11-01T05:00:00Z"),
            ("2026-11-01T08:59:59.999Z", 4, "2026-10-31T08:00:00Z"),
            ("2026-11-01T09:00:00.000Z", 4, "2026-11-01T09:00:00Z"),
            ("2026-11-02T05:59:59.999Z", 1, "2026-11-01T05:00:00Z"),
            ("2026-04-09T03:59:59.999Z", 0, "2026-04-08T04:00:00Z"),
            ("2026-04-09T04:00:00.000Z", 0, "2026-04-09T04:00:00Z"),
        ];
        for (now, hour, boundary) in rows {
            check("America/New_York", now, hour, boundary);
        }
    }

    #[test]
    fn a_wrong_start_or_zone_says_what_would_be_right() {
        assert!(matches!(
            Calendar::new("today", "UTC"),
            Err(CalendarError::Start(_))
        ));
        let wrong = Calendar::new("2026-03-02T09:00:00Z", "Mars/Base");
        assert_eq!(
            wrong.unwrap_err(),
            CalendarError::Zone("Mars/Base".to_owned())
        );
    }
}
