//! The `Debug` of every public type that holds, or came near to, a secret.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use support::server::Server;
use swath::model::{ByteSpan, ObjectKey, Secret};
use swath::{Session, SignWith, Signed, StaticToken, TokenEndpoint};

use crate::common::zarr;
use crate::{CANARY, Found, common, support, table};

fn show(found: &mut Found, what: &str, value: &impl Debug) {
    found.look(what, &format!("{value:?} {value:#?}"));
}

pub(crate) fn run(found: &mut Found) {
    let server = Server::start();
    let plane = zarr::Array { elements: common::terrain_u16(64), size: 64, chunk: 32, element: 2, packing: zarr::Packing::Zstd };
    plane.write_v3_sharded(2).into_iter().for_each(|(key, bytes)| server.put(&format!("/data.zarr/{key}"), bytes));
    let (packing, pixels) = (common::tiff::Packing::Zstd, common::terrain_u16(64));
    let image = common::tiff::Image { pixels, size: 64, tile: 32, element: 2, packing, predictor: 1, overviews: 1 };
    server.put("/image.tif", image.write());

    let signed = Signed::query(Secret::new(CANARY)).and_header("X-Key", Secret::new(CANARY)).until(SystemTime::now() + Duration::from_secs(9));
    show(found, "Signed", &signed);
    show(found, "Secret", &Secret::new(CANARY));
    let token = StaticToken::new().with_token("https://h/a", Secret::new(CANARY)).unwrap();
    let token = token.with_header(&server.url("/"), "X-Key", Secret::new(CANARY)).unwrap();
    show(found, "StaticToken", &token);
    let endpoint = TokenEndpoint::new(format!("https://u:{CANARY}@h/{{account}}?code={CANARY}")).unwrap();
    let endpoint = endpoint.with_header("X-Key", Secret::new(CANARY)).unwrap().with_path_style(&format!("http://u:{CANARY}@h:1"));
    show(found, "TokenEndpoint", &endpoint);
    show(found, "TokenEndpoint", &TokenEndpoint::planetary_computer(Some(Secret::new(CANARY))).unwrap());
    show(found, "SignWith", &SignWith::new(|_| Some(CANARY.to_owned()), |_| async { Ok(Signed::default()) }));
    let key = ObjectKey::new(format!("https://u:{CANARY}@h/x?sig={CANARY}#{CANARY}"));
    show(found, "ObjectKey", &key);
    found.look("ObjectKey", &key.to_string());
    show(found, "ByteSpan", &ByteSpan::new(&key, 0, 1));

    let mut options = table::options();
    options.headers = vec![("X-Key".into(), Secret::new(CANARY)), ("Authorization".into(), Secret::new(CANARY))];
    show(found, "SessionOptions", &options);
    show(found, "NetworkOptions", &options.network);
    show(found, "ReadOptions", &options.read);
    let session = Session::builder(options).with_signer(Arc::new(token)).build().unwrap();
    let secret_url = |path: &str| format!("{}?sig={CANARY}", server.url(path).replacen("://", &format!("://u:{CANARY}@"), 1));
    session.block_on(async {
        let group = session.open_zarr(&secret_url("/data.zarr")).await.unwrap();
        show(found, "Group", &group);
        show(found, "ObjectKey of a group", group.source());
        found.look("URL of a group", group.source().url());
        show(found, "children", &group.children().await.unwrap());
        let cog = session.open_cog(&secret_url("/image.tif")).await.unwrap();
        show(found, "Cog", &cog);
        show(found, "TiffFile", cog.file());
        show(found, "sidecars", &cog.sidecars());
        show(found, "OpenStats", &cog.open_stats());
        let dataset = session.open(&secret_url("/image.tif")).await.unwrap();
        show(found, "Dataset", &dataset);
        for array in [group.array("data").await.unwrap(), cog.level(0).unwrap()] {
            show(found, "ChunkedArray", &array);
            show(found, "ArrayMeta", array.meta());
            let plan = array.plan(..).await.unwrap();
            show(found, "ReadPlan", &plan);
            found.look("ReadPlan", &plan.to_string());
            let (read, stats) = array.read_dyn_with_stats(..).await.unwrap();
            show(found, "ReadStats", &stats);
            found.look("ReadStats", &stats.to_string());
            drop(read);
            let other = array.plan(..).await.unwrap();
            show(found, "ReadPlan", &other);
        }
    });
    show(found, "Session", &session);
    assert!(server.take_seen().iter().all(|s| s.query.as_deref() == Some(&format!("sig={CANARY}"))), "the secret was there");
}
