//! Times as tokens tell them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time as RFC 3339 has it, section 5.6. As in shared access signatures, seconds or all of the time of day may be left out.
pub(super) fn time(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let (seconds, millis) = if rest.is_empty() { (0, 0) } else { time_of_day(rest.strip_prefix(['T', 't', ' '])?)? };
    // years that begin in March, so that the day that comes and goes is their last
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day - 1 - 719_468;
    let total = (days * 86_400 + seconds) * 1000 + millis;
    let span = Duration::from_millis(total.unsigned_abs());
    if total < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) }
}

/// Seconds since midnight in Greenwich, and milliseconds.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let zone_at = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = match clock.len() {
        5 => numbers(&format!("{clock}:00"), ':', [2, 2, 2])?,
        _ => numbers(clock, ':', [2, 2, 2])?,
    };
    // 60: a leap second
    if hour > 23 || minute > 59 || second > 60 || fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let millis = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let east = match zone.split_at_checked(1) {
        None | Some(("Z" | "z", "")) => 0,
        Some((sign, offset)) => {
            let [hours, minutes, _] = numbers(&format!("{offset}:00"), ':', [2, 2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 3600 + minutes * 60) * if sign == "-" { -1 } else { 1 }
        }
    };
    Some((hour * 3600 + minute * 60 + second - east, millis))
}

/// Three numbers of so many digits.
fn numbers(text: &str, border: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(border);
    let mut out = [0; 3];
    for (number, digits) in out.iter_mut().zip(digits) {
        let part = parts.next().filter(|p| p.len() == digits && p.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let at = |millis: i64| {
            let span = Duration::from_millis(millis.unsigned_abs());
            Some(if millis < 0 { UNIX_EPOCH - span } else { UNIX_EPOCH + span })
        };
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", at(0)),
            ("1985-04-12T23:20:50.52Z", at(482_196_050_520)),
            ("1996-12-19T16:39:57-08:00", at(851_042_397_000)),
            ("1937-01-01T12:00:27.87+00:20", at(-1_041_337_172_130)),
            ("2024-02-29T00:00:00z", at(1_709_164_800_000)),
            ("2026-11-22T23:00Z", at(1_795_388_400_000)),
            ("2026-11-22", at(1_795_305_600_000)),
            ("2026-11-22 00:00:00", at(1_795_305_600_000)),
            ("2026-11-22T00:00:00.1234567Z", at(1_795_305_600_123)),
            ("2023-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01", None),
            ("2026-11-22T24:00:00Z", None),
            ("2026-11-22T00:00:00+25:00", None),
            ("2026-11-22T00:00:00Zx", None),
            ("2026-11-22T00:00:00.Z", None),
            ("2026-11-22X00:00:00Z", None),
            ("+026-11-22", None),
            ("1795305600", None),
            ("日本語日本語", None),
            ("", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }
}
