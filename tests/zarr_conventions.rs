//! Cubes that xarray wrote, held against what xarray decodes of them; real stores of the corpus, held against what their metadata says.

use std::path::Path;

use ndarray::{Ix1, Ix3};
use serde_json::Value;
use swath::{Session, SessionOptions};

fn testdata() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cf")
}

fn session() -> Session {
    let mut options = SessionOptions::default();
    options.threads = 2;
    Session::with_options(options).unwrap()
}

#[test]
fn values_and_times_are_those_of_xarray() {
    let text = std::fs::read_to_string(testdata().join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let session = session();
    session.block_on(async {
        for version in ["v2.zarr", "v3.zarr"] {
            let group = session.open_zarr(testdata().join(version).to_str().unwrap()).await.unwrap();
            for variable in ["temperature", "rain", "count"] {
                let packing = group.packing(variable).await.unwrap();
                let stored = group.array(variable).await.unwrap().read_as::<f64, Ix3>(..).await.unwrap();
                let list = expected[version][variable].as_array().unwrap();
                assert_eq!(stored.len(), list.len(), "{version} {variable}");
                assert!(list.iter().any(Value::is_null) && list.iter().any(Value::is_number), "{version} {variable}");
                let scaled = group.array(variable).await.unwrap().read_scaled::<f64, Ix3>(..).await.unwrap();
                for (scaled, stored) in scaled.iter().zip(&stored) {
                    assert_eq!((!scaled.is_nan()).then_some(*scaled), packing.unpack(*stored), "{version} {variable}");
                }
                for (stored, decoded) in stored.iter().zip(list) {
                    match (packing.unpack(*stored), decoded.as_f64()) {
                        (None, None) => {}
                        // xarray unpacks two bytes into four.
                        (Some(ours), Some(theirs)) if (ours - theirs).abs() <= 3e-7 * theirs.abs() => {}
                        other => panic!("{version} {variable}: {stored} {other:?}"),
                    }
                }
            }
            let time = group.time_units("time").await.unwrap().unwrap();
            let steps = group.array("time").await.unwrap().read::<f64, Ix1>(..).await.unwrap();
            let times: Vec<String> = steps.iter().map(|steps| time.date_time(*steps).unwrap().to_string()).collect();
            let theirs: Vec<&str> = expected[version]["time"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(times, theirs, "{version}");
        }
    });
}

#[test]
fn coordinates_and_places_are_those_that_were_written() {
    let session = session();
    session.block_on(async {
        for version in ["v2.zarr", "v3.zarr"] {
            let group = session.open_zarr(testdata().join(version).to_str().unwrap()).await.unwrap();
            let coordinates = group.coordinates().await.unwrap();
            assert_eq!(coordinates.keys().collect::<Vec<_>>(), ["height", "spatial_ref", "time", "x", "y"], "{version}");
            assert_eq!(coordinates["height"].as_slice::<f64>().unwrap(), [2.0], "{version}");
            let placed = group.georeference("temperature").await.unwrap();
            assert_eq!(placed.transform.unwrap().coefficients(), [685.0, 30.0, 0.0, 5015.0, 0.0, -30.0], "{version}");
            assert_eq!((placed.crs.as_ref().and_then(|crs| crs.epsg()), placed.is_geographic()), (Some(32631), Some(false)), "{version}");
            let mapping = placed.grid_mapping.unwrap();
            assert_eq!(mapping.transform, placed.transform, "{version}");
            assert_eq!(group.attributes("").unwrap().get("Conventions"), Some("CF-1.11".into()), "{version}");
        }
    });
}

/// Stores of GDAL's own tests, which others wrote.
#[test]
fn stores_of_the_corpus() {
    let Some(corpus) = std::env::var_os("SWATH_CORPUS").map(std::path::PathBuf::from).filter(|path| path.join("check.py").exists()) else { return };
    let session = session();
    let open = async |name: &str| session.open_zarr(corpus.join("zarr/lqh2307-gdal").join(name).to_str().unwrap()).await.unwrap();
    session.block_on(async {
        let rotated = open("spatial_geotransform.zarr").await.georeference("ar").await.unwrap();
        assert_eq!(rotated.transform.unwrap().coefficients(), [450_000.0, 10.0, 0.1, 5_000_000.0, 0.15, -10.0]);
        let inherited = open("spatial_proj_at_parent_level.zarr").await;
        let array = inherited.known_arrays().into_iter().find(|path| path.ends_with("ar")).unwrap();
        let placed = inherited.georeference(&array).await.unwrap();
        assert!(placed.crs.is_some(), "{placed:?}");
        let cf = open("byte_cf1.zarr").await;
        let placed = cf.georeference("Band1").await.unwrap();
        assert_eq!(placed.is_geographic(), Some(false));
        let (width, height) = placed.transform.unwrap().pixel_size();
        assert!((width - 60.0).abs() < 1e-9 && (height - 60.0).abs() < 1e-9);
        assert_eq!(cf.packing("Band1").await.unwrap().valid, [Some(0.0), Some(255.0)]);

        let levels = open("simple_multiscales").await.pyramid(Some("ar")).await.unwrap();
        assert_eq!(levels.level_count(), 3);
        assert_eq!((levels.level(0).unwrap().shape(), levels.level(1).unwrap().shape()), (&[200, 100][..], &[100, 50][..]));
        let mixed = open("root_level_multiscales").await.pyramid(Some("ar")).await.unwrap();
        assert_eq!((mixed.level_path(0).unwrap(), mixed.level_path(1).unwrap()), ("ar", "ovr_2x/ar"));
    });
}
