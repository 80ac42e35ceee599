//! What a token endpoint answers: `{"token": "st=…&se=…&sig=…", "msft:expiry": "2026-01-01T00:00:00Z"}`.

use super::Signed;
use super::fixed::is_query;
use super::times::time;
use crate::error::{Error, Result};
use crate::io::names::percent_decoded;
use crate::model::Secret;

/// The signature in an answer. It ends when the field says so or when the token itself does (`se`), whichever is first.
///
/// No part of the answer stands in an error.
pub(crate) fn signed(body: &[u8], token_field: &str, expiry_field: &str) -> Result<Signed> {
    let malformed = |what: &str| Error::malformed(format!("the answer of the token endpoint {what}"));
    let answer: serde_json::Value = serde_json::from_slice(body).map_err(|_| malformed("is not JSON"))?;
    let token = answer.get(token_field).and_then(|t| t.as_str()).ok_or_else(|| malformed("holds no token"))?;
    let token = token.trim_start_matches('?');
    if !is_query(token) {
        return Err(malformed("holds a token with characters that cannot stand in a query"));
    }
    let told = match answer.get(expiry_field) {
        None | Some(serde_json::Value::Null) => None,
        Some(text) => Some(text.as_str().and_then(time).ok_or_else(|| malformed("holds an expiry that is not a time"))?),
    };
    let own = token.split('&').find_map(|p| p.strip_prefix("se=")).and_then(percent_decoded).as_deref().and_then(time);
    let expires = match (told, own) {
        (Some(told), Some(own)) => Some(told.min(own)),
        (told, own) => told.or(own),
    };
    Ok(Signed { expires, ..Signed::query(Secret::new(token)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let read = |body: &str| signed(body.as_bytes(), "token", "msft:expiry");
        let day = time("2026-11-22");
        for (body, token, expires) in [
            (r#"{"token":"sp=r&sig=a%3D","msft:expiry":"2026-11-22T00:00:00Z"}"#, "sp=r&sig=a%3D", day),
            (r#"{"token":"?sp=r&se=2026-11-22T00%3A00%3A00Z&sig=a"}"#, "sp=r&se=2026-11-22T00%3A00%3A00Z&sig=a", day),
            (r#"{"token":"se=2026-11-22&sig=a","msft:expiry":"2027-01-01T00:00:00Z"}"#, "se=2026-11-22&sig=a", day),
            (r#"{"token":"se=2027-01-01&sig=a","msft:expiry":"2026-11-22T00:00:00Z"}"#, "se=2027-01-01&sig=a", day),
            (r#"{"token":"sig=a","msft:expiry":null,"more":[1]}"#, "sig=a", None),
        ] {
            let signed = read(body).unwrap();
            assert_eq!((signed.query.unwrap().expose(), signed.expires), (token, expires), "{body}");
        }
        for body in [
            "",
            "CANARY",
            "[]",
            r#"{"token":5}"#,
            r#"{"token":""}"#,
            r#"{"token":"sig=CANARY\r\nx: y"}"#,
            r#"{"token":"sig=CANARY#"}"#,
            r#"{"token":"sig=CANARY","msft:expiry":"CANARY"}"#,
            r#"{"token":"sig=CANARY","msft:expiry":17}"#,
            r#"{"access":"sig=CANARY"}"#,
        ] {
            let error = read(body).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
        assert_eq!(signed(br#"{"sas":"sig=a","until":"2026-11-22"}"#, "sas", "until").unwrap().expires, day);
    }
}
