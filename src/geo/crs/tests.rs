//! Keys to systems.

use super::*;

#[test]
fn codes_and_definitions() {
    let of = |keys: &[[u16; 4]]| {
        let mut directory = vec![1, 1, 0, u16::try_from(keys.len()).unwrap()];
        directory.extend(keys.iter().flatten());
        Crs::from_geokeys(&GeoKeys::parse(&directory, &[], "My map|"))
    };
    assert_eq!(of(&[[1024, 0, 1, 1], [3072, 0, 1, 32633]]), Some(Crs::Epsg(32633)));
    assert_eq!(of(&[[1024, 0, 1, 2], [2048, 0, 1, 4326]]), Some(Crs::Epsg(4326)));
    assert_eq!(of(&[[1024, 0, 1, 1], [2048, 0, 1, 4326], [3072, 0, 1, 3857]]), Some(Crs::Epsg(3857)));
    assert_eq!(of(&[[3072, 0, 1, 3857]]), Some(Crs::Epsg(3857)));
    assert_eq!(of(&[[1025, 0, 1, 1]]), None);
    assert_eq!(of(&[]), None);
    let user = of(&[[1024, 0, 1, 1], [3072, 0, 1, 32767], [3073, 34737, 7, 0]]).unwrap();
    assert_eq!((user.epsg(), user.to_string().as_str()), (None, "user-defined: My map"));
}
