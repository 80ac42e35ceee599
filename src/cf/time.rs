//! Times as numbers (CF 1.11, section 4.4): `days since 1850-01-01`, in a calendar.

use serde_json::Value;

use super::calendar::{Calendar, DateTime};
use crate::error::{Error, Result};
use crate::model::RawJson;

const NANOSECOND: i128 = 1;
const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// The step that times are counted in. Months and years are refused: UDUNITS takes them for fixed fractions of a tropical year, which
/// hardly anyone means (CF 1.11 recommends against them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum TimeStep {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
}

/// What a number of a time coordinate means: steps since a moment, in a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeUnits {
    step: TimeStep,
    reference: DateTime,
    calendar: Calendar,
    /// Nanoseconds from 1970-01-01 00:00 of the calendar to the reference.
    origin: i128,
}

impl TimeStep {
    fn from_name(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "nanosecond" | "nanoseconds" | "nanosec" | "nanosecs" | "nsec" | "nsecs" | "ns" => Self::Nanoseconds,
            "microsecond" | "microseconds" | "microsec" | "microsecs" | "us" => Self::Microseconds,
            "millisecond" | "milliseconds" | "millisec" | "millisecs" | "msec" | "msecs" | "ms" => Self::Milliseconds,
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Seconds,
            "minute" | "minutes" | "min" | "mins" => Self::Minutes,
            "hour" | "hours" | "hr" | "hrs" | "h" => Self::Hours,
            "day" | "days" | "d" => Self::Days,
            _ => return Err(Error::unsupported(format!("time in {}", lower.chars().take(40).collect::<String>()))),
        })
    }
    /// How long it is.
    #[must_use]
    pub fn nanoseconds(self) -> i64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
            Self::Days => 86_400_000_000_000,
        }
    }
}

impl TimeUnits {
    /// From the `units` attribute, `days since 1992-10-8 15:15:42.5 -6:00`, and the `calendar` attribute; without one the calendar is
    /// `standard`.
    ///
    /// # Errors
    /// `Malformed` where it is no such text or no such date. `Unsupported` for months, years and other steps, for calendars without a fixed
    /// count of days, and for reference years below 1 in the standard and Julian calendars, whose numbering is disputed.
    pub fn parse(units: &str, calendar: Option<&str>) -> Result<Self> {
        let calendar = calendar.map_or(Ok(Calendar::default()), Calendar::from_name)?;
        let not_time = || Error::malformed(format!("no units of time: {:?}", units.chars().take(80).collect::<String>()));
        let (step, since) = split_since(units).ok_or_else(not_time)?;
        let step = TimeStep::from_name(step)?;
        let (reference, zone) = parse_reference(since).ok_or_else(not_time)?;
        if reference.year < 1 && matches!(calendar, Calendar::Standard | Calendar::Julian) {
            return Err(Error::unsupported(format!("times since year {} of calendar {calendar}", reference.year)));
        }
        let origin = moment(calendar, &reference)? - i128::from(zone) * 60 * SECOND;
        Ok(Self { step, reference: from_moment(calendar, origin)?, calendar, origin })
    }
    /// From an array's attributes; `None` where its units are not those of time.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn of(attributes: &RawJson) -> Result<Option<Self>> {
        let text = |name: &str| attributes.get(name).as_ref().and_then(Value::as_str).map(str::to_owned);
        match text("units") {
            Some(units) if split_since(&units).is_some() => Self::parse(&units, text("calendar").as_deref()).map(Some),
            _ => Ok(None),
        }
    }

    /// The step that is counted.
    #[must_use]
    pub fn step(&self) -> TimeStep {
        self.step
    }
    /// The moment that is counted from, in UTC.
    #[must_use]
    pub fn reference(&self) -> DateTime {
        self.reference
    }
    /// The calendar.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }

    /// The date and time that a number stands for, in UTC. Whole steps are exact; what is left of one is rounded to a microsecond, or
    /// to a nanosecond where steps are shorter than that.
    ///
    /// # Errors
    /// `Malformed` for what is not finite or more than a hundred million years away.
    pub fn date_time(&self, steps: f64) -> Result<DateTime> {
        // The limits of what is exact in 128 bits are far beyond the years that are reckoned in.
        if !steps.is_finite() || steps.abs() > 1e27 {
            return Err(Error::malformed(format!("no time: {steps}")));
        }
        let whole = steps.floor();
        let length = self.step.nanoseconds();
        let grain = if length > 1_000 { 1_000.0 } else { 1.0 };
        let part = ((steps - whole) * length as f64 / grain).round() * grain;
        #[allow(clippy::cast_possible_truncation, reason = "both are whole numbers, far within 128 bits")]
        let (whole, part) = (whole as i128, part as i128);
        self.at(whole, part)
    }
    /// As [`date_time`](Self::date_time) for a whole number of steps.
    ///
    /// # Errors
    /// `Malformed` for what is more than a hundred million years away.
    pub fn date_time_exact(&self, steps: i64) -> Result<DateTime> {
        self.at(i128::from(steps), 0)
    }
    fn at(&self, steps: i128, nanoseconds: i128) -> Result<DateTime> {
        let offset = steps.checked_mul(i128::from(self.step.nanoseconds())).and_then(|n| n.checked_add(nanoseconds + self.origin));
        from_moment(self.calendar, offset.ok_or_else(too_far)?)
    }
    /// The number that stands for a date and time in UTC.
    ///
    /// # Errors
    /// `Malformed` where the calendar has no such date.
    pub fn steps(&self, time: &DateTime) -> Result<f64> {
        let distance = moment(self.calendar, time)? - self.origin;
        let length = i128::from(self.step.nanoseconds());
        Ok(distance.div_euclid(length) as f64 + distance.rem_euclid(length) as f64 / length as f64)
    }
    /// Nanoseconds since 1970-01-01 00:00 UTC of a number of steps; `None` in calendars of models, whose days are not those of the world
    /// (only the standard and the proleptic Gregorian are), and where 64 bits do not hold it.
    #[must_use]
    pub fn unix_nanoseconds(&self, steps: f64) -> Option<i64> {
        if !matches!(self.calendar, Calendar::Standard | Calendar::ProlepticGregorian) {
            return None;
        }
        let time = self.date_time(steps).ok()?;
        i64::try_from(moment(self.calendar, &time).ok()?).ok()
    }
}

fn too_far() -> Error {
    Error::malformed("a time that is too far away")
}

/// Nanoseconds from 1970-01-01 00:00.
fn moment(calendar: Calendar, time: &DateTime) -> Result<i128> {
    let in_range = time.hour < 24 && time.minute < 60 && time.second < 60 && i128::from(time.nanosecond) < SECOND;
    if !in_range {
        return Err(Error::malformed(format!("no time of day: {time}")));
    }
    let days = calendar.day_number(time.year, time.month, time.day)?;
    let seconds = i128::from(time.hour) * 3600 + i128::from(time.minute) * 60 + i128::from(time.second);
    Ok(i128::from(days) * DAY + seconds * SECOND + i128::from(time.nanosecond) * NANOSECOND)
}

fn from_moment(calendar: Calendar, moment: i128) -> Result<DateTime> {
    /// A hundred million years.
    const MOST_DAYS: i64 = 36_524_000_000;
    let days = i64::try_from(moment.div_euclid(DAY)).ok().filter(|days| (-MOST_DAYS..=MOST_DAYS).contains(days)).ok_or_else(too_far)?;
    let of_day = moment.rem_euclid(DAY);
    let (year, month, day) = calendar.date(days);
    let part = |length: i128, count: i128| u8::try_from(of_day / (length * SECOND) % count).unwrap_or(0);
    let nanosecond = u32::try_from(of_day % SECOND).unwrap_or(0);
    Ok(DateTime { year, month, day, hour: part(3600, 24), minute: part(60, 60), second: part(1, 60), nanosecond })
}

/// The step and the reference: UDUNITS also takes `after`, `from`, `ref` and `@` for `since`; CF is written with `since`.
fn split_since(units: &str) -> Option<(&str, &str)> {
    let mut words = units.trim().splitn(2, char::is_whitespace);
    let (step, rest) = (words.next()?, words.next()?.trim_start());
    let (word, since) = rest.split_once(char::is_whitespace)?;
    word.eq_ignore_ascii_case("since").then_some((step, since.trim()))
}

/// A date, a time of day, and minutes east of UTC, of which the last two may be missing.
fn parse_reference(text: &str) -> Option<(DateTime, i32)> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = unsigned.find(|c: char| c.is_whitespace() || matches!(c, 'T' | 't')).unwrap_or(unsigned.len());
    let (date, rest) = unsigned.split_at(end);
    let mut parts = date.trim_end_matches(['Z', 'z']).split('-');
    let year: i64 = digits(parts.next()?, 9)?;
    let month = parts.next().map_or(Some(1), |p| digits(p, 2))?;
    let day = parts.next().map_or(Some(1), |p| digits(p, 2))?;
    if parts.next().is_some() {
        return None;
    }
    let mut time =
        DateTime { year: sign * year, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()?, hour: 0, minute: 0, second: 0, nanosecond: 0 };
    let rest = rest.trim_start_matches(['T', 't']).trim();
    let clock_end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(clock_end);
    if !clock.is_empty() {
        let mut parts = clock.splitn(3, ':');
        time.hour = u8::try_from(digits(parts.next()?, 2)?).ok()?;
        time.minute = u8::try_from(parts.next().map_or(Some(0), |p| digits(p, 2))?).ok()?;
        if let Some(seconds) = parts.next() {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            time.second = u8::try_from(digits(whole, 2)?).ok()?;
            let nine = format!("{fraction:0<9}");
            let nine = nine.get(..9).filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()))?;
            time.nanosecond = nine.parse().ok()?;
        }
    }
    Some((time, parse_zone(zone.trim())?))
}

/// Minutes east of UTC: `Z`, `UTC`, `-6:00`, `+0530`, `-6`.
fn parse_zone(zone: &str) -> Option<i32> {
    if zone.is_empty() || ["z", "utc", "gmt"].contains(&zone.to_ascii_lowercase().as_str()) {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+')?),
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) => (digits(hours, 2)?, digits(minutes, 2)?),
        None if rest.len() > 2 => {
            let (hours, minutes) = rest.is_ascii().then(|| rest.split_at(rest.len() - 2))?;
            (digits(hours, 2)?, digits(minutes, 2)?)
        }
        None => (digits(rest, 2)?, 0),
    };
    let minutes = hours * 60 + minutes;
    (minutes <= 18 * 60).then(|| sign * i32::try_from(minutes).unwrap_or(0))
}

fn digits(text: &str, most: usize) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(units: &str, calendar: &str, steps: f64) -> String {
        TimeUnits::parse(units, Some(calendar)).unwrap().date_time(steps).unwrap().to_string()
    }

    /// Made by cftime 1.6 (`num2date`), whose answers are rounded to microseconds as these are.
    #[test]
    fn dates_are_those_of_cftime() {
        let table = include_str!("dates.tsv");
        let mut seen = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let [units, calendar, steps, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let steps: f64 = steps.parse().unwrap();
            assert_eq!(at(units, calendar, steps), expected, "{line}");
            let parsed = TimeUnits::parse(units, Some(calendar)).unwrap();
            let back = parsed.steps(&parsed.date_time(steps).unwrap()).unwrap();
            let grain = 1e-6 / (parsed.step().nanoseconds() as f64 / 1e9);
            assert!((back - steps).abs() <= grain.max(steps.abs() * 1e-15), "{line}: {back}");
            seen += 1;
        }
        assert!(seen > 100, "{seen}");
    }

    /// Units that stand in the text of CF 1.11, section 4.4, and what they count from.
    #[test]
    fn units_of_the_conventions() {
        let table = [
            ("days since 1990-1-1 0:0:0", "1990-01-01T00:00:00"),
            ("seconds since 1992-10-8 15:15:42.5 -6:00", "1992-10-08T21:15:42.5"),
            ("days since 1850-01-01", "1850-01-01T00:00:00"),
            ("hours since 1900-01-01T00:00:00Z", "1900-01-01T00:00:00"),
            ("days since 1-1-1 00:00:0.0", "0001-01-01T00:00:00"),
            ("Seconds SINCE 2000-01-01 12", "2000-01-01T12:00:00"),
            ("minutes since 2000-02-29 23:30 +0530", "2000-02-29T18:00:00"),
            ("ms since 2000-01-01 00:00:00 UTC", "2000-01-01T00:00:00"),
            ("days since 2000", "2000-01-01T00:00:00"),
            ("h since 1582-10-15", "1582-10-15T00:00:00"),
        ];
        for (units, reference) in table {
            let parsed = TimeUnits::parse(units, None).unwrap();
            assert_eq!(parsed.reference().to_string(), reference, "{units}");
            assert_eq!(parsed.calendar(), Calendar::Standard);
        }
        let unsupported =
            [("months since 1990-01-01", None), ("years since 1990-01-01", None), ("days since 1990-01-01", Some("utc")), ("days since 0-1-1", None)];
        for (units, calendar) in unsupported {
            assert!(TimeUnits::parse(units, calendar).unwrap_err().is_unsupported(), "{units} {calendar:?}");
        }
        for bad in [
            "days",
            "days since",
            "days since x",
            "days since 1990-13-01",
            "days since 1990-02-30",
            "days since 1582-10-10",
            "days since 1990-01-01 25:00",
            "days since 1990-01-01 00:00 PST",
            "days since 99999999999-01-01",
            "days since 1990-01-01-01",
        ] {
            assert!(!TimeUnits::parse(bad, None).unwrap_err().is_unsupported(), "{bad}");
        }
        assert!(TimeUnits::parse("days since 0-1-1", Some("noleap")).is_ok());
    }

    #[test]
    fn what_cannot_be_told_is_an_error() {
        let days = TimeUnits::parse("days since 1970-01-01", None).unwrap();
        for steps in [f64::NAN, f64::INFINITY, 1e20, -1e20, 1e300] {
            assert!(days.date_time(steps).is_err(), "{steps}");
        }
        assert!(days.date_time_exact(i64::MIN).is_err());
        assert_eq!(days.unix_nanoseconds(1.5), Some(129_600_000_000_000));
        assert_eq!(TimeUnits::parse("days since 1970-01-01", Some("noleap")).unwrap().unix_nanoseconds(1.0), None);
        let of = |json: &str| TimeUnits::of(&serde_json::from_str::<Box<serde_json::value::RawValue>>(json).map(|v| RawJson::new(&v)).unwrap());
        assert_eq!(of(r#"{"units":"K"}"#).unwrap(), None);
        assert_eq!(of(r#"{"units":5}"#).unwrap(), None);
        assert_eq!(
            of(r#"{"units":"hours since 2000-1-1","calendar":"360_day"}"#).unwrap().map(|t| (t.step(), t.calendar())),
            Some((TimeStep::Hours, Calendar::Day360))
        );
        assert!(of(r#"{"units":"months since 2000-1-1"}"#).is_err());
    }
}
