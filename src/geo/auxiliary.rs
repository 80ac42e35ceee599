//! GDAL's sidecar of metadata, `.aux.xml` (its "persistent auxiliary metadata").

use super::xml::{Token, Tokens, attribute};
use super::{ControlPoint, Crs, GdalItem, GdalMetadata, GeoTransform};

/// The most items and control points that are taken.
const MOST: usize = 1 << 16;

/// What a sidecar of metadata says. Where it says something that the file says too, the sidecar counts, as in GDAL.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuxiliaryMetadata {
    /// Its items. Nodata, description, unit, scale and offset of a band are items of these roles: `nodata`, `description`, `unittype`,
    /// `scale`, `offset`.
    pub metadata: GdalMetadata,
    /// The system of the coordinates.
    pub crs: Option<Crs>,
    /// From pixels to coordinates.
    pub transform: Option<GeoTransform>,
    /// Pixels whose coordinates are known.
    pub control_points: Vec<ControlPoint>,
}

/// Elements of a band that become items, with the roles of the tag GDAL_METADATA.
const ROLES: [(&str, &str); 5] =
    [("Description", "description"), ("NoDataValue", "nodata"), ("UnitType", "unittype"), ("Offset", "offset"), ("Scale", "scale")];

impl AuxiliaryMetadata {
    /// Parses the document, as far as it can be.
    #[must_use]
    pub fn parse(xml: &str) -> Self {
        let mut parsed = Self::default();
        let mut band = None;
        let (mut domain, mut key, mut text) = (String::new(), String::new(), String::new());
        for token in Tokens::of(xml) {
            match token {
                Token::Start { name, attributes, empty } => {
                    text.clear();
                    match name {
                        "PAMRasterBand" => band = attribute(attributes, "band").and_then(|n| n.trim().parse::<u32>().ok()?.checked_sub(1)),
                        "Metadata" => domain = attribute(attributes, "domain").unwrap_or_default(),
                        "MDI" => key = attribute(attributes, "key").unwrap_or_default(),
                        "GCPList" => {
                            let crs = attribute(attributes, "Projection").and_then(|wkt| Crs::from_wkt(&wkt));
                            parsed.crs = crs.or(parsed.crs.take());
                        }
                        "GCP" if parsed.control_points.len() < MOST => parsed.control_points.extend(control_point(attributes)),
                        _ => {}
                    }
                    if empty && name == "PAMRasterBand" {
                        band = None;
                    }
                }
                Token::Text(part) => text.push_str(&part),
                Token::End(name) => {
                    parsed.take(name, band, &domain, &key, &text);
                    match name {
                        "PAMRasterBand" => band = None,
                        "Metadata" => domain.clear(),
                        _ => {}
                    }
                    text.clear();
                }
            }
        }
        parsed
    }

    /// Takes an element that has ended.
    fn take(&mut self, name: &str, band: Option<u32>, domain: &str, key: &str, text: &str) {
        let role = ROLES.iter().find(|(element, _)| *element == name).filter(|_| band.is_some());
        match name {
            "SRS" => self.crs = Crs::from_wkt(text).or(self.crs.take()),
            "GeoTransform" => {
                // One that is no number makes none of the others the next one.
                let number = |n: &str| n.trim().parse().ok().filter(|n: &f64| n.is_finite());
                let numbers: Option<Vec<f64>> = text.split(',').take(7).map(number).collect();
                self.transform = numbers.and_then(|n| n.try_into().ok()).map(GeoTransform::new);
            }
            _ if self.metadata.items.len() >= MOST => {}
            "MDI" => self.metadata.items.push(GdalItem {
                name: key.to_owned(),
                sample: band,
                role: None,
                domain: domain.to_owned(),
                text: text.to_owned(),
            }),
            _ => self.metadata.items.extend(role.map(|(_, role)| GdalItem {
                name: role.to_ascii_uppercase(),
                sample: band,
                role: Some((*role).to_owned()),
                domain: String::new(),
                text: text.to_owned(),
            })),
        }
    }
}

fn control_point(attributes: &str) -> Option<ControlPoint> {
    let number = |name: &str| attribute(attributes, name)?.trim().parse::<f64>().ok();
    Some(ControlPoint { column: number("Pixel")?, row: number("Line")?, x: number("X")?, y: number("Y")?, z: number("Z").unwrap_or(0.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_is_read() {
        let xml = r#"<PAMDataset>
  <SRS dataAxisToSRSAxisMapping="2,1">GEOGCS["WGS 84",UNIT["degree",0.0174,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]</SRS>
  <GeoTransform> 100, 1, 0, 200, 0,-1</GeoTransform>
  <Metadata><MDI key="FOO">a &amp; b</MDI></Metadata>
  <Metadata domain="RPC"><MDI key="LINE_OFF">7</MDI></Metadata>
  <GCPList Projection=""><GCP Id="1" Pixel="0.5" Line="1.5" X="10" Y="20"/></GCPList>
  <PAMRasterBand band="2">
    <Description>red</Description><NoDataValue>7</NoDataValue><UnitType>km</UnitType><Offset>11</Offset><Scale>12</Scale>
    <Histograms><HistItem><HistMin>0</HistMin></HistItem></Histograms>
    <Metadata><MDI key="STATISTICS_MINIMUM">99</MDI></Metadata>
  </PAMRasterBand>
</PAMDataset>"#;
        let aux = AuxiliaryMetadata::parse(xml);
        assert_eq!(aux.crs.and_then(|crs| crs.epsg()), Some(4326));
        assert_eq!(aux.transform.map(|t| t.coefficients()), Some([100.0, 1.0, 0.0, 200.0, 0.0, -1.0]));
        assert_eq!(aux.control_points, [ControlPoint { column: 0.5, row: 1.5, x: 10.0, y: 20.0, z: 0.0 }]);
        let m = &aux.metadata;
        assert_eq!((m.get("FOO", None), m.get("LINE_OFF", None)), (Some("a & b"), None));
        assert_eq!((m.scale(1), m.offset(1), m.description(1), m.unit(1)), (Some(12.0), Some(11.0), Some("red"), Some("km")));
        assert_eq!((m.nodata(1), m.nodata(0), m.statistics(1).minimum), (Some("7"), None, Some(99.0)));
        assert_eq!(m.items.len(), 8, "{:?}", m.items);
    }

    #[test]
    fn broken_sidecars_give_what_there_is() {
        for xml in ["", "<", "<PAMDataset", "<MDI key='a'>x", "<GeoTransform>1,2</GeoTransform>", "<GCP Pixel='x'/>", "<PAMRasterBand band='0'/>"] {
            assert_eq!(AuxiliaryMetadata::parse(xml), AuxiliaryMetadata::default(), "{xml}");
        }
        assert_eq!(AuxiliaryMetadata::parse(&"<MDI key='a'></MDI>".repeat(100_000)).metadata.items.len(), MOST);
    }
}
