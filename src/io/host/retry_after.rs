//! What a server means by `Retry-After`, and dates as HTTP writes them.
//!
//! RFC 9110, sections 10.2.3 (`Retry-After`: seconds, or a date) and 5.6.7 (dates, in the three forms that a recipient must accept).

use std::time::{Duration, SystemTime};

/// Longer pauses are not kept, whatever a server asks for.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// How long the value of a `Retry-After` asks to wait from `now` on, [`LONGEST`] at most; `None` where it is neither seconds nor a date.
///
/// A date is meant by the clock of the server, so `date`, the `Date` of the same answer, is taken for `now` where it is there.
pub(crate) fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let now = date.and_then(|date| http_date(date, now)).unwrap_or(now);
        http_date(value, now)?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

/// A date of HTTP. `now` tells the century of the obsolete form whose years have two digits.
pub(crate) fn http_date(text: &str, now: SystemTime) -> Option<SystemTime> {
    let text = text.trim_matches([' ', '\t']);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (day, month, year, time) = match *words.as_slice() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [weekday, day, month, year, time, "GMT"] if is_weekday(weekday.strip_suffix(',')?, &SHORT) => {
            (digits(day, 2)?, month, digits(year, 4)?, time)
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        [weekday, date, time, "GMT"] if is_weekday(weekday.strip_suffix(',')?, &LONG) => {
            let mut parts = date.splitn(3, '-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            (digits(day, 2)?, month, full_year(digits(year, 2)?, now), time)
        }
        // Sun Nov  6 08:49:37 1994
        [weekday, month, day, time, year] if is_weekday(weekday, &SHORT) => (digits(day, day.len().min(2))?, month, digits(year, 4)?, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|m| *m == month)?;
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if day == 0 || day > lengths[month] || year < 1970 {
        return None;
    }
    let mut parts = time.splitn(3, ':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if hour > 23 || minute > 59 || second > 60 {
        return None; // 60 is a leap second
    }
    let days = days_before(year) + lengths[..month].iter().sum::<u64>() + day - 1;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SHORT: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const DAY: u64 = 24 * 60 * 60;

fn is_weekday(word: &str, names: &[&str; 7]) -> bool {
    names.contains(&word)
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from 1970 to the first of January of a year not before it.
fn days_before(year: u64) -> u64 {
    let leaps = |y: u64| y / 4 - y / 100 + y / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

/// The year whose last two digits these are: not more than 50 years ahead of now, as RFC 9110 has it.
fn full_year(two_digits: u64, now: SystemTime) -> u64 {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let mut this = 1970 + seconds / DAY / 366; // not after the right one
    while days_before(this + 1) <= seconds / DAY {
        this += 1;
    }
    let year = this / 100 * 100 + two_digits;
    match year {
        y if y > this + 50 => y - 100,
        y if y + 50 <= this => y + 100,
        y => y,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// 2026-03-01 00:00:00
    const NOW: u64 = 1_772_323_200;

    #[test]
    fn dates() {
        let table = [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Wed Nov 16 08:49:37 1994", Some(784_975_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 01 Mar 2026 00:00:00 GMT", Some(NOW)),
            ("  Sun, 01 Mar 2026 00:00:00 GMT\t", Some(NOW)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Fri, 31 Dec 2100 00:00:00 GMT", Some(4_133_894_400)),
            ("Fri, 31 Dec 9999 23:59:60 GMT", Some(253_402_300_800)),
            ("Sunday, 01-Mar-26 00:00:00 GMT", Some(NOW)),
            ("Sunday, 01-Mar-76 00:00:00 GMT", Some(3_350_246_400)),
            ("Tuesday, 01-Mar-77 00:00:00 GMT", Some(226_022_400)),
            ("Wed, 29 Feb 2023 00:00:00 GMT", None),
            ("Mon, 29 Feb 2100 00:00:00 GMT", None),
            ("Wed, 31 Dec 1969 23:59:59 GMT", None),
            ("Sun, 06 Nov 1994 24:00:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:61 GMT", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37:00 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 94 08:49:37 GMT", None),
            ("Sun, +6 Nov 1994 08:49:37 GMT", None),
            ("Sun Nov  006 08:49:37 1994", None),
            ("Son, 06 Nov 1994 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(http_date(text, at(NOW)), expected.map(at), "{text}");
        }
    }

    #[test]
    fn waits() {
        let seconds = |n| Some(Duration::from_secs(n));
        let table = [
            ("2", None, seconds(2)),
            (" 0 ", None, seconds(0)),
            ("300", None, seconds(300)),
            ("301", None, seconds(300)),
            ("99999999999999999999999999", None, seconds(300)),
            ("Sun, 01 Mar 2026 00:00:07 GMT", None, seconds(7)),
            ("Sun Mar  1 00:00:07 2026", None, seconds(7)),
            ("Sun, 01 Mar 2026 01:00:00 GMT", None, seconds(300)),
            ("Sat, 28 Feb 2026 23:59:59 GMT", None, seconds(0)),
            ("Sun, 01 Mar 2026 10:00:07 GMT", Some("Sun, 01 Mar 2026 10:00:00 GMT"), seconds(7)),
            ("Sun, 01 Mar 2026 00:00:07 GMT", Some("yesterday"), seconds(7)),
            ("2", Some("Sun, 01 Mar 2026 10:00:00 GMT"), seconds(2)),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", None, None),
            ("", None, None),
        ];
        for (value, date, expected) in table {
            assert_eq!(retry_after(value, date, at(NOW)), expected, "{value}");
        }
    }

    #[test]
    fn every_day_of_four_centuries() {
        let mut day = 0;
        for year in 1970..2370 {
            for (month, length) in MONTHS.iter().zip([31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
                for of_month in 1..=length {
                    let text = format!("Mon, {of_month:02} {month} {year} 00:00:01 GMT");
                    assert_eq!(http_date(&text, at(NOW)), Some(at(day * DAY + 1)), "{text}");
                    day += 1;
                }
            }
        }
        assert_eq!(day, 146_097);
    }
}
