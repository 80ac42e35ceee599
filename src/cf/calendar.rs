//! Calendars and dates (CF 1.11, section 4.4.2).

use std::fmt;

use crate::error::{Error, Result};

/// Years that dates are reckoned in: far enough for any record, near enough that no sum of days overflows.
const MOST_YEAR: i64 = 100_000_000;

/// How days are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Calendar {
    /// `standard`, `gregorian`: Julian up to 4 October 1582, Gregorian from the day after, which is 15 October.
    #[default]
    Standard,
    /// `proleptic_gregorian`: Gregorian at all times.
    ProlepticGregorian,
    /// `julian`: a leap year every four years.
    Julian,
    /// `noleap`, `365_day`: no leap years.
    NoLeap,
    /// `all_leap`, `366_day`: leap years only.
    AllLeap,
    /// `360_day`: twelve months of 30 days.
    Day360,
}

/// A date and a time of day in some [`Calendar`]. Years are astronomical: 0 is the year before 1, -1 the one before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DateTime {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// From 1.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59: CF's calendars know no leap seconds.
    pub second: u8,
    /// 0 to 999,999,999.
    pub nanosecond: u32,
}

/// Days before each month of a common year, and of the whole.
const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
/// The first Gregorian day of the standard calendar, counted as below.
const SWITCH: i64 = -141_427;
const FOUR_YEARS: i64 = 4 * 365 + 1;
const FOUR_HUNDRED_YEARS: i64 = 100 * FOUR_YEARS - 3;

impl Calendar {
    /// By the `calendar` attribute, in any case; `standard` where it is empty.
    ///
    /// # Errors
    /// `Unsupported` for calendars without a fixed count of days or with leap seconds (`none`, `utc`, `tai`), and unknown ones.
    pub fn from_name(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "standard" | "gregorian" | "" => Ok(Self::Standard),
            "proleptic_gregorian" => Ok(Self::ProlepticGregorian),
            "julian" => Ok(Self::Julian),
            "noleap" | "365_day" => Ok(Self::NoLeap),
            "all_leap" | "366_day" => Ok(Self::AllLeap),
            "360_day" => Ok(Self::Day360),
            other => Err(Error::unsupported(format!("calendar {}", other.chars().take(40).collect::<String>()))),
        }
    }
    /// Its name in CF.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::ProlepticGregorian => "proleptic_gregorian",
            Self::Julian => "julian",
            Self::NoLeap => "noleap",
            Self::AllLeap => "all_leap",
            Self::Day360 => "360_day",
        }
    }

    /// Whether a year has a 29 February. Of the standard calendar 1582 is the last Julian year.
    #[must_use]
    pub fn is_leap(self, year: i64) -> bool {
        let julian = year.rem_euclid(4) == 0;
        let gregorian = julian && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
        match self {
            Self::Standard => {
                if year <= 1582 {
                    julian
                } else {
                    gregorian
                }
            }
            Self::ProlepticGregorian => gregorian,
            Self::Julian => julian,
            Self::NoLeap | Self::Day360 => false,
            Self::AllLeap => true,
        }
    }

    /// Days of a month; 0 where there is no such month. Of the standard calendar October 1582 ends on the 31st, as any.
    #[must_use]
    pub fn days_in_month(self, year: i64, month: u8) -> u8 {
        match (self, month) {
            (Self::Day360, 1..=12) => 30,
            (_, 2) => {
                if self.is_leap(year) {
                    29
                } else {
                    28
                }
            }
            (_, 4 | 6 | 9 | 11) => 30,
            (_, 1..=12) => 31,
            _ => 0,
        }
    }

    /// Days from 1 January 1970 to a date, both of this calendar (of the standard one, the Gregorian date).
    pub(super) fn day_number(self, year: i64, month: u8, day: u8) -> Result<i64> {
        let exists = (-MOST_YEAR..=MOST_YEAR).contains(&year) && (1..=self.days_in_month(year, month)).contains(&day);
        let dropped = self == Self::Standard && (year, month) == (1582, 10) && (5..15).contains(&day);
        if !exists || dropped {
            return Err(Error::malformed(format!("no date of calendar {}: {year}-{month}-{day}", self.name())));
        }
        let in_year = |leap: bool| BEFORE[usize::from(month) - 1] + i64::from(leap && month > 2) + i64::from(day) - 1;
        let before = year - 1;
        // Days from 1 January of year 1 of each calendar, then to 1970.
        Ok(match self {
            Self::Day360 => (year - 1970) * 360 + (i64::from(month) - 1) * 30 + i64::from(day) - 1,
            Self::NoLeap => (year - 1970) * 365 + in_year(false),
            Self::AllLeap => (year - 1970) * 366 + in_year(true),
            Self::Julian => before * 365 + before.div_euclid(4) + in_year(self.is_leap(year)) - JULIAN_1970,
            Self::ProlepticGregorian => gregorian_before(before) + in_year(self.is_leap(year)) - GREGORIAN_1970,
            // The two agree on 15 October 1582 = Julian 5 October.
            Self::Standard if (year, month, day) < (1582, 10, 15) => {
                before * 365 + before.div_euclid(4) + in_year(self.is_leap(year)) - JULIAN_1970_OF_DAY
            }
            Self::Standard => gregorian_before(before) + in_year(Self::ProlepticGregorian.is_leap(year)) - GREGORIAN_1970,
        })
    }

    /// The date that is so many days after 1 January 1970.
    pub(super) fn date(self, days: i64) -> (i64, u8, u8) {
        match self {
            Self::Day360 => {
                let in_year = days.rem_euclid(360);
                (1970 + days.div_euclid(360), to_u8(in_year / 30 + 1), to_u8(in_year % 30 + 1))
            }
            Self::NoLeap => self.in_year(1970 + days.div_euclid(365), days.rem_euclid(365)),
            Self::AllLeap => self.in_year(1970 + days.div_euclid(366), days.rem_euclid(366)),
            Self::Julian => self.julian(days + JULIAN_1970),
            Self::Standard if days < SWITCH => self.julian(days + JULIAN_1970_OF_DAY),
            Self::Standard | Self::ProlepticGregorian => {
                let days = days + GREGORIAN_1970;
                let (cycle, left) = (days.div_euclid(FOUR_HUNDRED_YEARS), days.rem_euclid(FOUR_HUNDRED_YEARS));
                // The last day of a cycle, and of four years, would else begin a year more.
                let century = (left / (25 * FOUR_YEARS - 1)).min(3);
                let left = left - century * (25 * FOUR_YEARS - 1);
                let (four, left) = (left / FOUR_YEARS, left % FOUR_YEARS);
                let year = (left / 365).min(3);
                Self::ProlepticGregorian.in_year(cycle * 400 + century * 100 + four * 4 + year + 1, left - year * 365)
            }
        }
    }
    fn julian(self, days: i64) -> (i64, u8, u8) {
        let (four, left) = (days.div_euclid(FOUR_YEARS), days.rem_euclid(FOUR_YEARS));
        let year = (left / 365).min(3);
        Self::Julian.in_year(four * 4 + year + 1, left - year * 365)
    }
    /// From the day of a year, counted from 0.
    fn in_year(self, year: i64, day: i64) -> (i64, u8, u8) {
        let leap = i64::from(self.is_leap(year));
        let before = |month: usize| BEFORE[month] + if month > 1 { leap } else { 0 };
        let month = (0..12).rev().find(|month| before(*month) <= day).unwrap_or(0);
        (year, to_u8(month as i64 + 1), to_u8(day - before(month) + 1))
    }
}

/// Days of all Gregorian years up to one.
const fn gregorian_before(year: i64) -> i64 {
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400)
}
const GREGORIAN_1970: i64 = gregorian_before(1969);
/// Days of all Julian years before the Julian 1970.
const JULIAN_1970: i64 = 1969 * 365 + 1969 / 4;
/// Days from the Julian 1 January of year 1 to the day that is the Gregorian 1 January 1970: the Gregorian one is two days later.
const JULIAN_1970_OF_DAY: i64 = GREGORIAN_1970 + 2;

fn to_u8(small: i64) -> u8 {
    u8::try_from(small).unwrap_or(u8::MAX)
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `1998-07-15T12:00:00`, with a fraction where there is one.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.year < 0 { "-" } else { "" };
        let Self { year, month, day, hour, minute, second, nanosecond } = *self;
        write!(f, "{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", year.unsigned_abs())?;
        if nanosecond == 0 {
            return Ok(());
        }
        let digits = format!("{nanosecond:09}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Calendar; 6] =
        [Calendar::Standard, Calendar::ProlepticGregorian, Calendar::Julian, Calendar::NoLeap, Calendar::AllLeap, Calendar::Day360];

    #[test]
    fn days_and_dates_are_each_others_inverse() {
        for calendar in ALL {
            let mut last = None;
            for days in (-1_500_000..1_500_000).step_by(97).chain(-160_000..-135_000).chain(-800..800) {
                let (year, month, day) = calendar.date(days);
                assert_eq!(calendar.day_number(year, month, day).ok(), Some(days), "{calendar} {year}-{month}-{day}");
                if let Some((day_before, date)) = last
                    && day_before + 1 == days
                {
                    assert!(date < (year, month, day), "{calendar}");
                }
                last = Some((days, (year, month, day)));
            }
        }
    }

    #[test]
    fn october_1582_has_no_fifth() {
        let standard = Calendar::Standard;
        assert_eq!(standard.date(SWITCH), (1582, 10, 15));
        assert_eq!(standard.date(SWITCH - 1), (1582, 10, 4));
        assert!(standard.day_number(1582, 10, 10).is_err());
        assert!(Calendar::NoLeap.day_number(2000, 2, 29).is_err());
        assert!(Calendar::Day360.day_number(2000, 2, 30).is_ok());
        assert!(Calendar::AllLeap.day_number(2001, 2, 29).is_ok());
        assert!(standard.day_number(i64::MAX, 1, 1).is_err());
        assert!(standard.day_number(2000, 0, 1).is_err());
        assert!(Calendar::from_name("utc").is_err());
    }
}
