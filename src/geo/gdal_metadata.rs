//! GDAL's metadata: the XML of the tag GDAL_METADATA.
//!
//! `<GDALMetadata><Item name="scale" sample="0" role="scale">0.01</Item>…</GDALMetadata>`. What does not parse ends the list.

use super::Rpc;
use super::rpc::DOMAIN as RPC;
use super::xml::{attributes, decoded, split_tag};

use crate::model::Linear;

/// The most items that are taken.
const MOST_ITEMS: usize = 1 << 16;

/// One item of the metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GdalItem {
    /// Its name.
    pub name: String,
    /// The band it is about, counted from 0; `None` for the whole image.
    pub sample: Option<u32>,
    /// What it is for: `scale`, `offset`, `description`, `unittype`, …
    pub role: Option<String>,
    /// Its domain; empty for the usual one.
    pub domain: String,
    /// Its text.
    pub text: String,
}

/// The items of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GdalMetadata {
    /// In the order of the file.
    pub items: Vec<GdalItem>,
}

/// Statistics of a band, as its writer computed them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Statistics {
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub mean: Option<f64>,
    pub standard_deviation: Option<f64>,
    pub valid_percent: Option<f64>,
}

impl GdalMetadata {
    /// Parses the tag's text, as far as it can be.
    #[must_use]
    pub fn parse(xml: &str) -> Self {
        let mut items = Vec::new();
        let mut rest = xml;
        while items.len() < MOST_ITEMS
            && let Some((_, after)) = rest.split_once('<')
        {
            rest = after;
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = comment.split_once("-->").map_or("", |(_, after)| after);
                continue;
            }
            let Some((tag, after)) = split_tag(rest) else { break };
            rest = after;
            let Some(attributes) = tag.strip_prefix("Item").filter(|a| a.starts_with(|c: char| c.is_whitespace() || c == '/') || a.is_empty()) else {
                continue;
            };
            let mut item = item(attributes.trim_end_matches('/'));
            if !attributes.ends_with('/') {
                let (text, after) = content(rest);
                (item.text, rest) = (text, after);
            }
            items.push(item);
        }
        Self { items }
    }

    /// The text of an item of the usual domain, of a band or (`None`) of the image.
    #[must_use]
    pub fn get(&self, name: &str, sample: Option<u32>) -> Option<&str> {
        let found = self.items.iter().find(|i| i.name == name && i.sample == sample && i.domain.is_empty());
        found.map(|i| i.text.as_str())
    }
    fn role(&self, role: &str, sample: u32) -> Option<&str> {
        let found = self.items.iter().find(|i| i.role.as_deref() == Some(role) && i.sample == Some(sample));
        found.map(|i| i.text.as_str())
    }
    fn number(&self, name: &str, sample: u32) -> Option<f64> {
        self.get(name, Some(sample))?.trim().parse().ok()
    }
    /// What the numbers of a band are multiplied with.
    #[must_use]
    pub fn scale(&self, sample: u32) -> Option<f64> {
        quantity(self.role("scale", sample)?)
    }
    /// What is added to the numbers of a band after the scale.
    #[must_use]
    pub fn offset(&self, sample: u32) -> Option<f64> {
        quantity(self.role("offset", sample)?)
    }
    /// Scale and offset of each of so many bands; none where all numbers are as stored. In one pass over the items.
    #[must_use]
    pub fn lines(&self, bands: u16) -> Vec<Linear> {
        let mut lines = vec![Linear::default(); usize::from(bands)];
        // From the last to the first: of items that say the same thing the first counts.
        for item in self.items.iter().rev() {
            let line = item.sample.and_then(|band| lines.get_mut(usize::try_from(band).ok()?));
            if let (Some(line), Some(number)) = (line, quantity(&item.text)) {
                match item.role.as_deref() {
                    Some("scale") => line.scale = number,
                    Some("offset") => line.offset = number,
                    _ => {}
                }
            }
        }
        if lines.iter().all(Linear::is_identity) {
            lines.clear();
        }
        lines
    }
    /// What a band is.
    #[must_use]
    pub fn description(&self, sample: u32) -> Option<&str> {
        self.role("description", sample)
    }
    /// The unit of a band.
    #[must_use]
    pub fn unit(&self, sample: u32) -> Option<&str> {
        self.role("unittype", sample)
    }
    /// The value of a band that stands for "nothing here", as text: only sidecars have it here, the file has a tag of its own.
    #[must_use]
    pub fn nodata(&self, sample: u32) -> Option<&str> {
        self.role("nodata", sample)
    }
    /// The rational polynomial coefficients of the domain `RPC`.
    #[must_use]
    pub fn rpc(&self) -> Option<Rpc> {
        let of_domain: Vec<&GdalItem> = self.items.iter().filter(|i| i.domain == RPC && i.sample.is_none()).collect();
        if of_domain.is_empty() {
            return None;
        }
        Rpc::from_items(|name| of_domain.iter().find(|i| i.name == name).map(|i| i.text.as_str()))
    }
    /// These items where `over` says nothing of the same, else those of `over`.
    #[must_use]
    pub fn under(mut self, over: &Self) -> Self {
        fn about(item: &GdalItem) -> (&str, bool, Option<u32>, &str) {
            let name = item.role.as_deref().unwrap_or(&item.name);
            (name, item.role.is_some(), item.sample, &item.domain)
        }
        let told: std::collections::HashSet<_> = over.items.iter().map(about).collect();
        self.items.retain(|item| !told.contains(&about(item)));
        self.items.extend(over.items.iter().cloned());
        self
    }
    /// The statistics of a band; empty where there are none.
    #[must_use]
    pub fn statistics(&self, sample: u32) -> Statistics {
        Statistics {
            minimum: self.number("STATISTICS_MINIMUM", sample),
            maximum: self.number("STATISTICS_MAXIMUM", sample),
            mean: self.number("STATISTICS_MEAN", sample),
            standard_deviation: self.number("STATISTICS_STDDEV", sample),
            valid_percent: self.number("STATISTICS_VALID_PERCENT", sample),
        }
    }
}

/// A number to reckon with: the texts of infinity and not-a-number, and what no double holds, are none.
fn quantity(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

fn item(tag: &str) -> GdalItem {
    let mut item = GdalItem::default();
    for (name, value) in attributes(tag) {
        match name {
            "name" => item.name = value,
            "sample" => item.sample = value.trim().parse().ok(),
            "role" => item.role = Some(value),
            "domain" => item.domain = value,
            _ => {}
        }
    }
    item
}

/// The text up to the end of an item, and what stands behind it. Elements inside of it are kept as text: domains of XML hold such.
fn content(text: &str) -> (String, &str) {
    let (inner, after) = text.split_once("</Item>").unwrap_or((text, ""));
    let mut out = String::new();
    let mut rest = inner;
    while let Some((before, data)) = rest.split_once("<![CDATA[") {
        out.push_str(&decoded(before));
        let (data, after) = data.split_once("]]>").unwrap_or((data, ""));
        out.push_str(data);
        rest = after;
    }
    out.push_str(&decoded(rest));
    (out, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read() {
        let xml = r#"<GDALMetadata>
  <!-- <Item name="no">x</Item> -->
  <Item name="AREA_OR_POINT">Area</Item>
  <Item name="SCALE" sample="0" role="scale">0.0001</Item>
  <Item name='OFFSET' sample='0' role='offset'> -0.1 </Item>
  <Item name="DESCRIPTION" sample="1" role="description">B4 &lt;red&gt; &amp; &#233;&#x20AC; &bogus; &</Item>
  <Item name="STATISTICS_MINIMUM" sample="1">-3.5</Item>
  <Item name="a>b" domain="X"><![CDATA[1 < 2]]></Item>
  <Item name="empty"/>
  <Itemised name="no">x</Itemised>
</GDALMetadata>"#;
        let m = GdalMetadata::parse(xml);
        assert_eq!(m.items.len(), 7);
        assert_eq!(m.get("AREA_OR_POINT", None), Some("Area"));
        assert_eq!((m.scale(0), m.offset(0), m.scale(1)), (Some(0.0001), Some(-0.1), None));
        assert_eq!(m.lines(2), [Linear { scale: 0.0001, offset: -0.1 }, Linear::default()]);
        assert_eq!((m.lines(1).len(), m.lines(0).len(), GdalMetadata::default().lines(9).len()), (1, 0, 0));
        assert_eq!(m.description(1), Some("B4 <red> & é€ &bogus; &"));
        assert_eq!(m.statistics(1).minimum, Some(-3.5));
        assert_eq!((m.items[5].name.as_str(), m.items[5].domain.as_str(), m.items[5].text.as_str()), ("a>b", "X", "1 < 2"));
        assert_eq!(m.items[6].name, "empty");
    }

    #[test]
    fn broken_xml_gives_what_there_is() {
        let cases = [("", 0), ("<", 0), ("<Item", 0), ("<Item name=", 0), ("<Item name=\"a", 0), ("<Item>", 1), ("<Item name='a'>x", 1), ("<!--", 0)];
        for (xml, count) in cases {
            assert_eq!(GdalMetadata::parse(xml).items.len(), count, "{xml}");
        }
        assert_eq!(GdalMetadata::parse(&"<Item>".repeat(100_000)).items.len(), 1);
        assert_eq!(GdalMetadata::parse(&"<Item/>".repeat(100_000)).items.len(), MOST_ITEMS);
    }
}
