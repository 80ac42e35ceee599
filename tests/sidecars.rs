//! Overviews, masks and metadata in files beside a TIFF, and what the options say of looking for them.
#![cfg(feature = "read")]

mod support;

use std::path::PathBuf;

use ndarray::Ix3;
use support::server::Server;
use swath::geo::ControlPoint;
use swath::model::Sidecars;
use swath::{ChunkedArray, Cog, Error, Session, SessionOptions, SidecarKind};

fn beside() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/beside")
}

fn session(sidecars: Sidecars) -> Session {
    let mut options = SessionOptions::default();
    options.threads = 2;
    options.sidecars = sidecars;
    Session::with_options(options).unwrap()
}

async fn cog(session: &Session, name: &str) -> Result<Cog, Error> {
    session.open_cog(beside().join(name).to_str().unwrap()).await
}

async fn bytes(array: &ChunkedArray) -> Vec<u8> {
    array.read_dyn(..).await.unwrap().into_little_endian()
}

/// Levels and masks are the directories of the files beside, whose own values `tests/fixtures.rs` holds to those of another reader.
#[test]
fn levels_and_masks_stand_beside_the_file() {
    let session = session(Sidecars::Local);
    session.block_on(async {
        let image = cog(&session, "mask.tif").await.unwrap();
        let kinds: Vec<SidecarKind> = image.sidecars().iter().map(|s| s.kind).collect();
        assert_eq!(kinds, [SidecarKind::Overviews, SidecarKind::Mask, SidecarKind::MaskOverviews]);
        assert!(image.sidecars().iter().all(|s| s.error.is_none()));
        assert_eq!((image.level_count(), image.directories().len()), (3, 1));
        let places =
            [("mask.tif", "0", "mask.tif.msk", "0"), ("mask.tif.ovr", "0", "mask.tif.msk.ovr", "0"), ("mask.tif.ovr", "1", "mask.tif.msk.ovr", "1")];
        for (n, (file, ifd, mask_file, mask_ifd)) in places.into_iter().enumerate() {
            let level = image.level(n).unwrap();
            let alone = cog(&session, file).await.unwrap().directory(ifd).unwrap();
            assert_eq!((level.shape(), bytes(&level).await), (alone.shape(), bytes(&alone).await), "level {n}");
            let mask = image.mask(n).unwrap().expect("a mask");
            let alone = cog(&session, mask_file).await.unwrap().directory(mask_ifd).unwrap();
            assert_eq!((mask.shape(), bytes(&mask).await), (alone.shape(), bytes(&alone).await), "mask {n}");
            assert_eq!(level.shape()[1..], mask.shape()[1..], "level {n}");
        }
        let (full, half) = (image.transform(0).unwrap(), image.transform(1).unwrap());
        assert_eq!(full.pixel_size(), (10.0, 10.0));
        assert!((half.pixel_size().1 - 610.0 / 31.0).abs() < 1e-9);
    });
}

#[test]
fn metadata_beside_the_file() {
    let session = session(Sidecars::Local);
    session.block_on(async {
        let image = cog(&session, "metadata.tif").await.unwrap();
        let metadata = image.metadata();
        assert_eq!(metadata.get("TITLE", None), Some("a < b & c"));
        assert_eq!((metadata.description(0), metadata.description(1), metadata.unit(1)), (Some("red"), Some("depth"), Some("m")));
        assert_eq!((metadata.scale(1), metadata.offset(1), metadata.statistics(1).maximum), (Some(0.5), Some(-3.0), Some(250.0)));
        assert_eq!(image.crs().and_then(swath::geo::Crs::epsg), Some(32632));
        assert_eq!(image.transform(0).map(|t| t.coefficients()), Some([600_000.0, 10.0, 0.0, 5_300_000.0, 0.0, -10.0]));
        assert_eq!(image.nodata(), Some(7.0));
        let point = ControlPoint { column: 0.5, row: 60.5, x: 9.005, y: 46.395, z: 0.0 };
        for name in ["control_points.tif", "control_points_beside.tif"] {
            let image = cog(&session, name).await.unwrap();
            assert_eq!((image.control_points().len(), image.control_points()[2]), (4, point), "{name}");
            assert_eq!((image.transform(0), image.crs().and_then(swath::geo::Crs::epsg)), (None, Some(4326)), "{name}");
        }
    });
}

/// Scale and offset, and a mask, of files beside it count for what is read.
#[test]
fn quantities_and_validity_by_sidecars() {
    let session = session(Sidecars::Local);
    session.block_on(async {
        let level = cog(&session, "metadata.tif").await.unwrap().level(0).unwrap();
        let stored = level.read::<u8, Ix3>((1..2, .., ..)).await.unwrap();
        let scaled = level.read_scaled::<f64, Ix3>((1..2, .., ..)).await.unwrap();
        for (stored, scaled) in stored.iter().zip(&scaled) {
            assert!(if *stored == 7 { scaled.is_nan() } else { *scaled == f64::from(*stored) * 0.5 - 3.0 }, "{stored} {scaled}");
        }
        let masked = cog(&session, "mask.tif").await.unwrap().level(0).unwrap();
        let valid = masked.read_valid::<Ix3>(..).await.unwrap();
        assert!(valid.indexed_iter().all(|((_, y, x), valid)| *valid == (x > y)));
    });
}

#[test]
fn rational_polynomials() {
    let session = session(Sidecars::Never);
    let image = session.block_on(cog(&session, "rpc.tif")).unwrap();
    let rpc = image.rpc().unwrap();
    assert_eq!((rpc.error_bias, rpc.error_random), (Some(1.5), Some(0.5)));
    assert_eq!((rpc.line_offset, rpc.longitude_offset, rpc.height_offset, rpc.latitude_scale), (30.5, 9.5, 400.0, 0.125));
    assert_eq!((rpc.line_numerator[0], rpc.line_denominator[1], rpc.sample_denominator[19]), (0.0, 1.125, 5.375));
}

/// Opening something in a store asks for sidecars only where that was said; all of them at once.
#[test]
fn sidecars_are_looked_for_where_it_was_said() {
    let names = ["mask.tif", "mask.tif.ovr", "mask.tif.msk", "mask.tif.msk.ovr"];
    let server = Server::start();
    names.iter().for_each(|name| server.put(&format!("/{name}"), std::fs::read(beside().join(name)).unwrap()));
    for (sidecars, requests, levels, masked) in [(Sidecars::Local, 1, 1, false), (Sidecars::Never, 1, 1, false), (Sidecars::Always, 5, 3, true)] {
        let session = session(sidecars);
        server.take_seen();
        let image = session.block_on(session.open_cog(&server.url("/mask.tif"))).unwrap();
        assert_eq!(server.take_seen().len(), requests, "{sidecars:?}");
        assert_eq!(image.open_stats().requests, requests as u64, "{sidecars:?}");
        assert_eq!((image.level_count(), image.mask(0).unwrap().is_some()), (levels, masked), "{sidecars:?}");
    }
    let local = session(Sidecars::Never);
    assert_eq!(local.block_on(cog(&local, "mask.tif")).unwrap().level_count(), 1);
}

/// A sidecar that cannot be read is told of, and the file is as good without it.
#[test]
fn a_broken_sidecar_is_left_out() {
    let folder = std::env::temp_dir().join(format!("swath-sidecars-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(beside().join("mask.tif"), folder.join("mask.tif")).unwrap();
    std::fs::write(folder.join("mask.tif.ovr"), b"II*\0\xff\xff\xff\xff").unwrap();
    std::fs::write(folder.join("mask.tif.aux.xml"), b"<PAMDataset><GeoTransform>1").unwrap();
    let session = session(Sidecars::Local);
    let image = session.block_on(session.open_cog(folder.join("mask.tif").to_str().unwrap())).unwrap();
    let told: Vec<(SidecarKind, bool)> = image.sidecars().iter().map(|s| (s.kind, s.error.is_some())).collect();
    assert_eq!(told, [(SidecarKind::Overviews, true), (SidecarKind::Metadata, false)]);
    assert_eq!(image.level_count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
