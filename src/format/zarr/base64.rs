//! Base 64 (RFC 4648, section 4), as fill values and inline references have it.

/// The bytes of a text; `None` where it is not base 64. Padding may be left out.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len().saturating_sub(digits.len()) > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(4).saturating_mul(3));
    let (mut bits, mut have) = (0_u32, 0_u32);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit.wrapping_sub(b'A'),
            b'a'..=b'z' => digit.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => digit.wrapping_sub(b'0').wrapping_add(52),
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 & 0xff_ffff | u32::from(value);
        have = have.wrapping_add(6);
        if have >= 8 {
            have = have.wrapping_sub(8);
            bytes.push(bits.wrapping_shr(have).to_le_bytes().first().copied().unwrap_or_default());
        }
    }
    Some(bytes)
}

/// The text of bytes, padded.
pub(super) fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, i| bits << 8 | u32::from(three.get(i).copied().unwrap_or(0)));
        for i in 0..4usize {
            let digit = bits >> 18usize.saturating_sub(i.saturating_mul(6)) & 63;
            let known = i <= three.len();
            text.push(DIGITS.get(digit as usize).copied().filter(|_| known).map_or('=', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn rfc_4648_vectors() {
        let table = [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba"), ("Zm9vYmFy", "foobar")];
        for (text, bytes) in table {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
            assert_eq!(encode(bytes.as_bytes()), text);
        }
        assert_eq!(decode("Av/+/v/9WloA/g==").unwrap(), [2, 255, 254, 254, 255, 253, 0x5a, 0x5a, 0, 254]);
        for bad in ["A", "A===", "Zm9 v", "!!!!", "=Zg="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
