//! Merging the query of a URL with that of a signature.

use super::super::names::percent_decoded;

/// The query of a request: that of its URL, in which a parameter that the signature has too gives way to the signature's, and behind it what
/// the signature has beside. Nothing is encoded anew; question marks before either are dropped.
pub(crate) fn merge_query(existing: Option<&str>, signature: &str) -> String {
    let existing = existing.unwrap_or_default().trim_start_matches('?');
    let signature = signature.trim_start_matches('?');
    let mut left: Vec<(String, &str)> = parameters(signature).map(|p| (name(p), p)).collect();
    let mut replaced: Vec<String> = Vec::new();
    let mut merged: Vec<&str> = Vec::new();
    for parameter in parameters(existing) {
        let name = name(parameter);
        if left.iter().any(|(n, _)| *n == name) {
            merged.extend(left.iter().filter(|(n, _)| *n == name).map(|(_, p)| p));
            left.retain(|(n, _)| *n != name);
            replaced.push(name);
        } else if !replaced.contains(&name) {
            merged.push(parameter);
        }
    }
    merged.extend(left.iter().map(|(_, p)| p));
    merged.join("&")
}

fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|p| !p.is_empty())
}

/// As a server reads it.
fn name(parameter: &str) -> String {
    let name = parameter.split('=').next().unwrap_or_default();
    percent_decoded(name).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn queries_are_merged() {
        for (existing, signature, merged) in [
            (None, "st=1&sig=a%2Bb%3D", "st=1&sig=a%2Bb%3D"),
            (None, "?sig=a", "sig=a"),
            (Some(""), "sig=a", "sig=a"),
            (Some("versionid=3"), "sig=a", "versionid=3&sig=a"),
            (Some("?versionid=3"), "?sig=a", "versionid=3&sig=a"),
            (Some("sig=old&b=2"), "se=1&sig=new", "sig=new&b=2&se=1"),
            (Some("sig=old&b=2&sig=older"), "sig=new", "sig=new&b=2"),
            (Some("s%69g=old"), "sig=new", "sig=new"),
            (Some("restype=container&comp=list&prefix=a%2Fb"), "sp=l", "restype=container&comp=list&prefix=a%2Fb&sp=l"),
            (Some("flag&x="), "flag2", "flag&x=&flag2"),
            (Some("a=1"), "", "a=1"),
            (None, "", ""),
        ] {
            assert_eq!(merge_query(existing, signature), merged, "{existing:?} and {signature:?}");
        }
    }

    proptest! {
        #[test]
        fn every_parameter_of_the_signature_and_no_other_of_its_names(
            existing in proptest::collection::vec(("[a-f%]{1,2}", "[a-z%=+?]{0,3}"), 0..6),
            signature in proptest::collection::vec(("[a-f%]{1,2}", "[a-z%=+?]{0,3}"), 0..6),
        ) {
            let text = |pairs: &[(String, String)]| pairs.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
            let merged = merge_query(Some(&text(&existing)), &text(&signature));
            let merged: Vec<&str> = merged.split('&').filter(|p| !p.is_empty()).collect();
            let is_signature = |n: &str| signature.iter().any(|(name, _)| name == n);
            let of_names = |wanted: bool| -> Vec<&str> {
                merged.iter().copied().filter(|p| is_signature(p.split('=').next().unwrap_or_default()) == wanted).collect()
            };
            // what is not the signature's stands as it stood
            let kept: Vec<String> = existing.iter().filter(|(n, _)| !is_signature(n)).map(|(n, v)| format!("{n}={v}")).collect();
            prop_assert_eq!(of_names(false), kept);
            // and all of the signature is there, once
            let mut ours = of_names(true);
            let mut theirs: Vec<String> = signature.iter().map(|(n, v)| format!("{n}={v}")).collect();
            ours.sort_unstable();
            theirs.sort_unstable();
            prop_assert_eq!(ours, theirs);
        }
    }
}
